import Foundation
import TestSupport
import Testing

/// `megalith run` on small machines.
@Suite struct RunTests {
  static let scenario = """
    scenario: A small server
    story: Minutes of a server's start.
    machine: {memory: 256M}
    sampling: {counters: 1m, tick: 10s}
    clients:
      server: {workload: server}
    steps:
      - start: server
      - run: 3m
      - snapshot: after a while
      - pool: {size: 2M, pages: 1000}
      - expect: free > 0

    """

  /// A folder with a scenario.
  static func folder(_ text: String = scenario) throws -> (folder: TemporaryFolder, file: String) {
    let folder = try TemporaryFolder()
    try Data(text.utf8).write(to: URL(filePath: folder.path + "/small.yaml"))
    return (folder, folder.path + "/small.yaml")
  }

  private func run(_ text: String = scenario, _ arguments: String...) throws -> Command.Outcome {
    let (folder, file) = try Self.folder(text)
    defer { withExtendedLifetime(folder) {} }
    return try Command.run(arguments: ["run", file] + arguments)
  }

  /// Part of a step is what a story tells, and no failure.
  @Test func theReportComesAndAPartIsNoFailure() throws {
    let outcome = try run()
    #expect(outcome.code == 0)
    #expect(outcome.errors == "")
    #expect(outcome.output.hasPrefix("A small server\nAll of 5 steps came true, 1 in part.\n"))
    #expect(outcome.output.split(separator: "\n").allSatisfy { $0.count <= 80 })
    let ascii = try run(Self.scenario, "--ascii")
    #expect(ascii.output.utf8.allSatisfy { $0 < 128 })
    #expect(!outcome.output.utf8.allSatisfy { $0 < 128 })
  }

  @Test func theSameSeedGivesTheSameBytes() throws {
    let first = try run(Self.scenario, "--json")
    let second = try run(Self.scenario, "--json")
    #expect(first.code == 0)
    #expect(first.output == second.output)
    let document = try #require(try JSONSerialization.jsonObject(with: Data(first.output.utf8)) as? [String: Any])
    #expect(document["schema"] as? String == "megalith.run/1")
    #expect(document["seed"] as? Int == 1)
    let other = try run(Self.scenario, "--json", "--seed", "2")
    #expect(other.output.contains("\"seed\":2"))
    #expect(other.output != first.output)
  }

  @Test func aFailedExpectationEndsInFailureWithItsReport() throws {
    let outcome = try run(Self.scenario, "--set", "steps.4.expect=free > 1G")
    #expect(outcome.code == 1)
    #expect(outcome.output.contains("1 of 5 steps failed"))
    #expect(outcome.errors == "megalith: a step failed; the report says which.\n")
  }

  @Test func settingsReachTheMachine() throws {
    let outcome = try run(Self.scenario, "--set", "machine.memory=[512M, 512M]", "--set", "machine.policy.fallback=never")
    #expect(outcome.code == 0)
    #expect(outcome.output.contains("no request takes from another kind's pageblocks"))
    #expect(outcome.output.contains("node 1"))
  }

  @Test func thePageIsWrittenWhole() throws {
    let (folder, file) = try Self.folder()
    let page = folder.path + "/page.html"
    let outcome = try Command.run("run", file, "--html", page)
    #expect(outcome.code == 0)
    let text = try String(contentsOfFile: page, encoding: .utf8)
    #expect(text.hasPrefix("<!DOCTYPE html>"))
    #expect(text.hasSuffix("</html>\n"))
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted() == ["page.html", "small.yaml"])
    let nowhere = try Command.run("run", file, "--html", folder.path + "/none/page.html")
    #expect(nowhere.code != 0)
    #expect(nowhere.output == "")
  }

  @Test func mistakesAreToldLineByLine() throws {
    let (folder, file) = try Self.folder("scenario: x\nmachine: {memry: 1G}\nsteps: [{runn: 3m}]\n")
    defer { withExtendedLifetime(folder) {} }
    let outcome = try Command.run("run", file)
    #expect(outcome.code == 65)
    #expect(outcome.output == "")
    let lines = outcome.errors.split(separator: "\n")
    #expect(lines.count == 2)
    #expect(lines.first?.hasPrefix("\(file):2:11: unknown key 'memry'") == true)
    #expect(lines.last?.hasPrefix("\(file):3:10: unknown key 'runn'") == true)
  }

  @Test func anOverrideIsToldAsSuch() throws {
    let outcome = try run(Self.scenario, "--set", "machine.policy.fallback=perhaps")
    #expect(outcome.code == 65)
    #expect(outcome.errors.hasPrefix("override machine.policy.fallback: "))
  }

  @Test func wrongUsageIsOneLine() throws {
    let (folder, file) = try Self.folder()
    defer { withExtendedLifetime(folder) {} }
    let missing = try Command.run("run", folder.path + "/none.yaml")
    #expect(missing.code == 66)
    let wrong: [[String]] = [
      [], [file, "--set", "seed"], [file, "--jobs", "2"], [file, "--resume"], [file, "--seeds", "2", "--seed", "1"],
      [file, "--seeds", "0"], [file, "--sweep", "seed"], [file, "--shard", "3/2"], [file, "--seeds", "2", "--jobs", "0"],
      [file, "--seeds", "2", "--html", folder.path + "/x.html"], [file, "--sweep", "seed=1,1"],
    ]
    for arguments in wrong {
      let outcome = try Command.run(arguments: ["run"] + arguments)
      #expect(outcome.code == 64, "\(arguments)")
      #expect(outcome.errors.split(separator: "\n").count == 1, "\(outcome.errors)")
    }
  }

  @Test func theSchemaNeedsNoFile() throws {
    let outcome = try Command.run("run", "--schema")
    #expect(outcome.code == 0)
    #expect(outcome.output == (try String(contentsOfFile: Command.samples + "/scenarios/scenario.schema.json", encoding: .utf8)))
  }

  @Test func aCaptureIsAMachine() throws {
    let text = """
      scenario: A host goes on
      machine: {capture: \(Command.samples)/plain-4g}
      clients:
        load: {sizes: 2M, rate: 10M, limit: 500M}
      steps:
        - expect: obtainable.2M > 1500
        - start: load
        - run: 1m
        - expect: used > 500M

      """
    let outcome = try run(text)
    #expect(outcome.code == 0, "\(outcome.output)")
    #expect(outcome.output.contains("captured, vmemmap"))
    #expect(try run(text, "--set", "machine.room={size: 1G}").code == 65)
    #expect(try run(text, "--set", "machine.capture=/nowhere").code == 66)
  }

  @Test func aMachineThatCannotBeIsBadData() throws {
    let outcome = try run(Self.scenario, "--set", "machine.command-line=hugetlb_cma=1G")
    #expect(outcome.code == 65)
    #expect(outcome.errors.contains("no range for a contiguous area"))
  }

  @Test func anInterruptStillPrintsTheReport() throws {
    let (folder, file) = try Self.folder()
    let page = folder.path + "/page.html"
    let running = try RunningCommand(["run", file, "--set", "steps.1.run=3650d", "--html", page])
    usleep(1_500_000)
    #expect(running.end() == 130)
    #expect(try running.outputLine() == "A small server")
    #expect(try running.errorLine() == "megalith: stopped; the report tells of the run until then.")
    #expect(FileManager.default.fileExists(atPath: page))
  }
}
