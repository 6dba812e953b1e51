import Foundation
import TestSupport
import Testing

/// `megalith run --sweep` and `megalith merge`.
@Suite struct SweepCommandTests {
  private let sweep = ["--sweep", "machine.policy.fallback=steal,never", "--seeds", "3"]

  private func run(_ file: String, _ arguments: [String]) throws -> Command.Outcome {
    try Command.run(arguments: ["run", file] + sweep + ["--set", "steps.1.run=1m"] + arguments)
  }

  @Test func jobsChangeNoByte() throws {
    let (folder, file) = try RunTests.folder()
    let one = try run(file, ["--jobs", "1", "--results", folder.path + "/one.csv"])
    let two = try run(file, ["--jobs", "2", "--results", folder.path + "/two.csv"])
    #expect(one.code == 0, "\(one.errors)")
    #expect(two.code == 0)
    #expect(one.output == "\(folder.path)/one.csv: 6 of 6 points\n")
    let text = try String(contentsOfFile: folder.path + "/one.csv", encoding: .utf8)
    #expect(text == (try String(contentsOfFile: folder.path + "/two.csv", encoding: .utf8)))
    #expect(text.split(separator: "\r\n").count == 7)
    let json = try run(file, ["--jobs", "1", "--json"])
    #expect(json.output == (try run(file, ["--jobs", "2", "--json"])).output)
    #expect(json.output.contains("\"megalith.sweep/1\""))
  }

  @Test func withoutResultsTheSummaryComes() throws {
    let (folder, file) = try RunTests.folder()
    defer { withExtendedLifetime(folder) {} }
    // A failed expectation stands in the rows, and fails no sweep.
    let outcome = try run(file, ["--set", "steps.4.expect=free > 1G"])
    #expect(outcome.code == 0)
    #expect(outcome.output.contains("machine.policy.fallback  runs  good"))
    #expect(outcome.output.contains("steal                       3     0"))
  }

  @Test func shardsMergeToTheWhole() throws {
    let (folder, file) = try RunTests.folder()
    let parts = [1, 2].map { "\(folder.path)/part-\($0).csv" }
    for (index, part) in parts.enumerated() {
      #expect(try run(file, ["--shard", "\(index + 1)/2", "--results", part]).code == 0)
    }
    let whole = folder.path + "/whole.csv"
    #expect(try run(file, ["--results", whole]).code == 0)
    let all = folder.path + "/all.csv"
    let merged = try Command.run("merge", parts[1], parts[0], "--results", all)
    #expect(merged.code == 0, "\(merged.errors)")
    #expect(merged.output.contains("mean"))
    #expect(try String(contentsOfFile: all, encoding: .utf8) == String(contentsOfFile: whole, encoding: .utf8))
    let json = try Command.run("merge", all, "--json")
    #expect(json.output.contains("\"points\" : 6"))

    let half = try Command.run("merge", parts[0], "--results", folder.path + "/half.csv")
    #expect(half.code == 2)
    #expect(half.errors.contains("points are missing: 2, 4, 6"))
    #expect(FileManager.default.fileExists(atPath: folder.path + "/half.csv"))
    let twice = try Command.run("merge", parts[0], whole)
    #expect(twice.code == 65)
    #expect(twice.errors.split(separator: "\n").count == 3)
    #expect(try Command.run("merge", folder.path + "/none.csv").code == 66)
    #expect(try Command.run("merge").code == 64)
    #expect(try Command.run("merge", file).code == 65)
  }

  @Test func resultsAreGoneOnWithOnlyWhenAsked() throws {
    let (folder, file) = try RunTests.folder()
    let results = folder.path + "/all.csv"
    #expect(try run(file, ["--results", results]).code == 0)
    let whole = try String(contentsOfFile: results, encoding: .utf8)
    #expect(try run(file, ["--results", results]).code == 64)
    // A killed writer left two rows and a part of the third.
    let lines = whole.split(separator: "\r\n")
    let cut = lines[..<3].joined(separator: "\r\n") + "\r\n" + lines[3].prefix(20)
    try Data(cut.utf8).write(to: URL(filePath: results))
    #expect(try run(file, ["--results", results, "--resume"]).code == 0)
    #expect(try String(contentsOfFile: results, encoding: .utf8) == whole)
    // Results of something else stay.
    let other = try Command.run("run", file, "--seeds", "2", "--results", results, "--resume")
    #expect(other.code == 65)
    #expect(try String(contentsOfFile: results, encoding: .utf8) == whole)
    let nowhere = try run(file, ["--results", folder.path + "/none/x.csv"])
    #expect(nowhere.code == 1)
  }

  @Test func figuresMustBeTheSame() throws {
    let (folder, file) = try RunTests.folder()
    defer { withExtendedLifetime(folder) {} }
    let outcome = try Command.run(
      "run", file, "--set", "steps.1.run=1m", "--set", "machine.memory=1G", "--sweep", "machine.preset=x86_64,arm64-64k")
    #expect(outcome.code == 65)
    #expect(outcome.errors.contains("sampling.sizes") || outcome.errors.contains("2M"), "\(outcome.errors)")
  }

  @Test func anInterruptFinishesThePointsThatRun() throws {
    let (folder, file) = try RunTests.folder()
    let results = folder.path + "/all.csv"
    let running = try RunningCommand(["run", file, "--set", "steps.1.run=10m", "--seeds", "1000", "--results", results])
    usleep(1_500_000)
    #expect(running.end() == 130)
    #expect(try running.errorLine().contains("Go on with --resume"))
    let rows = try String(contentsOfFile: results, encoding: .utf8).split(separator: "\r\n").count - 1
    #expect(rows >= 1)
    #expect(rows < 1000)
  }
}
