import Foundation
import TestSupport
import Testing

@testable import HostMemory
@testable import MegalithCommand

/// Numbers for Prometheus, and what Prometheus itself makes of them.
@Suite struct MetricsTests {
  private static let sample = "\(Command.samples)/two-nodes-4g"
  static let tools = ["/usr/bin/promtool", "/usr/bin/prometheus"]
  static let hasTools = tools.allSatisfy(FileManager.default.isExecutableFile)
  private static let rules = "\(Command.samples)/monitoring/megalith-rules.yml"

  /// Samples by name and labels.
  private func samples(_ text: String) -> [String: String] {
    var values: [String: String] = [:]
    for line in text.split(separator: "\n") where !line.hasPrefix("#") {
      guard let space = line.lastIndex(of: " ") else { continue }
      values[String(line[..<space])] = String(line[line.index(after: space)...])
    }
    return values
  }

  @Test func theNumbersAreTheSurveys() throws {
    let outcome = try Command.run("metrics", "--sysroot", Self.sample)
    #expect(outcome.code == 0 && outcome.output.hasSuffix("\n# EOF\n"))
    let values = samples(outcome.output)
    let survey = try Survey(of: Sysroot(Self.sample))
    for result in survey.sizes {
      let sum = ["0", "1"].reduce(UInt64(0)) {
        $0 + (UInt64(values["megalith_pages_obtainable{node=\"\($1)\",size=\"\(result.size)\"}"] ?? "") ?? 0)
      }
      #expect(sum == result.obtainable && sum > 0)
      #expect(values["megalith_ranges{size=\"\(result.size)\",verdict=\"blocked\"}"] == "\(result[.blocked])")
      for (reason, count) in result.blockedRanges {
        let nodes = ["0", "1"].compactMap {
          values["megalith_ranges_blocked{node=\"\($0)\",size=\"\(result.size)\",reason=\"\(reason)\"}"].flatMap { UInt64($0) }
        }
        #expect(nodes.reduce(0, +) == count, "\(result.size) \(reason)")
      }
    }
    #expect(values["megalith_frames_readable"] == "1")
  }

  @Test func labelsAreEscapedAndEmptyFamiliesLeftOut() {
    var text = MetricText()
    text.gauge("a", help: "x", [([("l", "a\"b\\c\nd")], "1")])
    text.gauge("b", help: "x", [])
    #expect(text.document == "# HELP a x\n# TYPE a gauge\na{l=\"a\\\"b\\\\c\\nd\"} 1\n# EOF\n")
    #expect(HostMetrics.seconds(.milliseconds(12_034)) == "12.034")
    #expect(HostMetrics.seconds(.zero) == "0.000")
  }

  @Test func withoutFramesThatIsSaidAndTheRestTold() throws {
    let folder = try TemporaryFolder()
    try FileManager.default.copyItem(atPath: Self.sample, toPath: "\(folder.path)/host")
    try FileManager.default.removeItem(atPath: "\(folder.path)/host/proc/kpageflags.runs")
    let outcome = try Command.run("metrics", "--sysroot", "\(folder.path)/host")
    #expect(outcome.code == 2)
    let values = samples(outcome.output)
    #expect(values["megalith_frames_readable"] == "0")
    #expect(values["megalith_pages_held{node=\"0\",size=\"1G\"}"] == "0")
    #expect(!values.keys.contains { $0.hasPrefix("megalith_pages_obtainable") })
  }

  @Test func theFileIsReplacedInOneStep() throws {
    let folder = try TemporaryFolder()
    let file = "\(folder.path)/megalith.prom"
    try folder.write("megalith.prom", "old 1\n")
    let outcome = try Command.run("metrics", "--out", file, "--sysroot", Self.sample)
    #expect(outcome.code == 0 && outcome.output.isEmpty)
    #expect(try String(contentsOfFile: file, encoding: .utf8).hasSuffix("# EOF\n"))
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["megalith.prom"])
  }

  @Test func mistakesHaveTheirCodes() throws {
    let missing = try Command.run("metrics", "--out", "/nowhere/a.prom", "--sysroot", Self.sample)
    #expect(missing.code == 1)
    #expect(
      missing.errors == "megalith: /nowhere/a.prom cannot be made: its folder is not there. Make the folder first.\n")
    let both = try Command.run("metrics", "--out", "a", "--listen", "127.0.0.1:0")
    #expect(both.code == 64)
    let address = try Command.run("metrics", "--listen", "here", "--sysroot", Self.sample)
    #expect(address.code == 64)
    #expect(address.errors == "megalith: 'here' is not an address and port, as 127.0.0.1:9177 is.\n")
    // A file system that nobody can make files in.
    let sealed = try Command.run("metrics", "--out", "/proc/sys/vm/a.prom", "--sysroot", Self.sample)
    #expect(sealed.code == 77 || sealed.code == 1)
    #expect(sealed.errors.hasPrefix("megalith: /proc/sys/vm/a.prom "))
    #expect(CommandStatus(FileWriteError.readOnly(path: "a")).code == 1)
  }

  @Test(
    .enabled(
      if: getuid() != 0 || FileManager.default.isExecutableFile(atPath: "/usr/bin/setpriv"),
      "needs a way to drop root's privileges (setpriv)"))
  func aFolderThatMayNotBeWrittenIsSaid() throws {
    let folder = try TemporaryFolder()
    try FileManager.default.setAttributes([.posixPermissions: 0o555], ofItemAtPath: folder.path)
    let outcome = try Command.run(
      arguments: ["metrics", "--out", "\(folder.path)/a.prom", "--sysroot", "/"], isUnprivileged: true)
    #expect(outcome.code == 77)
    #expect(outcome.errors == "megalith: \(folder.path)/a.prom may not be written. Run as root.\n")
  }

  @Test(
    .enabled(if: hasTools, "needs promtool and prometheus (Debian: prometheus)"), arguments: SampleTests.samples)
  func promtoolHasNoComplaint(sample: String) throws {
    let folder = try TemporaryFolder()
    let file = "\(folder.path)/megalith.prom"
    #expect(try Command.run("metrics", "--out", file, "--sysroot", "\(Command.samples)/\(sample)").code == 0)
    let checked = try Tool.run(Self.tools[0], ["check", "metrics"], input: file)
    #expect(checked.code == 0 && checked.text.isEmpty, "\(checked.text)")
  }

  @Test(.enabled(if: hasTools, "needs promtool and prometheus (Debian: prometheus)"))
  func promtoolTakesTheRulesAndTheirTests() throws {
    let checked = try Tool.run(Self.tools[0], ["check", "rules", Self.rules])
    #expect(checked.code == 0 && checked.text.contains("SUCCESS"), "\(checked.text)")
    let tested = try Tool.run(Self.tools[0], ["test", "rules", Self.rules.replacingOccurrences(of: ".yml", with: ".test.yml")])
    #expect(tested.code == 0, "\(tested.text)")
  }

  /// Every number that the dashboard and the rules name is one that is told.
  @Test func theDashboardAndTheRulesNameOurNumbers() throws {
    let told = try Command.run("metrics", "--sysroot", Self.sample).output
    for name in ["megalith-dashboard.json", "megalith-rules.yml"] {
      let text = try String(contentsOfFile: "\(Command.samples)/monitoring/\(name)", encoding: .utf8)
      let named = Set(text.matches(of: /megalith_[a-z_]+/).map { String($0.output) })
      #expect(!named.isEmpty)
      for number in named { #expect(told.contains("# TYPE \(number) gauge"), "\(name): \(number)") }
      if name.hasSuffix("json") { _ = try JSONSerialization.jsonObject(with: Data(text.utf8)) }
    }
  }

  /// A real Prometheus scrapes the responder and answers a query.
  @Test(.enabled(if: hasTools, "needs promtool and prometheus (Debian: prometheus)"))
  func prometheusScrapesAndAnswers() throws {
    let folder = try TemporaryFolder()
    let served = try RunningCommand(["metrics", "--listen", "127.0.0.1:0", "--sysroot", Self.sample])
    defer { served.end() }
    let line = try served.errorLine()
    let port = try #require(line.firstMatch(of: /port ([0-9]+)/)?.output.1)
    let webPort = try HTTPListener("127.0.0.1:0").port
    try folder.write(
      "prometheus.yml",
      """
      global: {scrape_interval: 1s, evaluation_interval: 1s}
      rule_files: ["\(Self.rules)"]
      scrape_configs: [{job_name: megalith, static_configs: [{targets: ["127.0.0.1:\(port)"]}]}]

      """)
    let prometheus = Process()
    prometheus.executableURL = URL(fileURLWithPath: Self.tools[1])
    prometheus.arguments = [
      "--config.file=\(folder.path)/prometheus.yml", "--storage.tsdb.path=\(folder.path)/data",
      "--web.listen-address=127.0.0.1:\(webPort)",
    ]
    prometheus.standardOutput = FileHandle.nullDevice
    prometheus.standardError = FileHandle.nullDevice
    try prometheus.run()
    defer {
      // Its data are of no use, and it inherits this thread's blocked signals, which no polite end gets through.
      kill(prometheus.processIdentifier, SIGKILL)
      prometheus.waitUntilExit()
    }
    let survey = try Survey(of: Sysroot(Self.sample))
    let expected = try #require(survey.sizes.first { "\($0.size)" == "2M" }).obtainable
    var answer = ""
    for _ in 0..<120 where !answer.contains("=>") {
      usleep(500_000)
      answer = try Tool.run(
        Self.tools[0], ["query", "instant", "http://127.0.0.1:\(webPort)", "sum(megalith_pages_obtainable{size=\"2M\"})"]
      ).text
    }
    #expect(answer.contains("=> \(expected) @"), "\(answer)")
    let health = try Tool.run(Self.tools[0], ["query", "instant", "http://127.0.0.1:\(webPort)", "up{job=\"megalith\"}"])
    #expect(health.text.contains("=> 1 @"), "\(health.text)")
    #expect(served.end() == 0)
  }
}
