import Foundation
import TestSupport
import Testing

/// Surveys of the shipped samples against reviewed output. `MEGALITH_WRITE_EXPECTED=1 swift test` writes it anew, to be
/// reviewed as a diff.
@Suite struct SampleTests {
  static let samples = ["plain-4g", "two-nodes-4g", "boot-pages-8g", "fresh-24g", "fragmented-24g"]
  static let isWriting = ProcessInfo.processInfo.environment["MEGALITH_WRITE_EXPECTED"] == "1"

  private func compare(_ text: String, _ name: String) throws {
    let fixtures = FixtureFolder("survey")
    if Self.isWriting { try fixtures.write(name, text) }
    #expect(try fixtures.text(name) == text, "differs from the reviewed \(name)")
  }

  @Test(arguments: samples) func theScreenIsAsReviewed(sample: String) throws {
    let outcome = try Command.run("--sysroot", "\(Command.samples)/\(sample)")
    #expect(outcome.code == 0)
    try compare(outcome.output, "\(sample).txt")
    let widest = outcome.output.split(separator: "\n").map(\.count).max() ?? 0
    #expect(widest <= 80, "wider than 80 columns: \(widest)")
  }

  @Test(arguments: samples) func theDocumentIsAsReviewed(sample: String) throws {
    let outcome = try Command.run("survey", "--json", "--sysroot", "\(Command.samples)/\(sample)")
    #expect(outcome.code == 0)
    try compare(outcome.output, "\(sample).json")
  }

  @Test(arguments: samples) func theRangesAreAsReviewed(sample: String) throws {
    let outcome = try Command.run(
      "explain", "--sysroot", "\(Command.samples)/\(sample)", "-o",
      "range,node,zone,verdict,certainty,free,move,blocking,first,reasons,remedy")
    #expect(outcome.code == 0)
    try compare(outcome.output, "\(sample).ranges.txt")
  }

  /// The two commands tell the same story, and the document has the shape that is promised.
  @Test(arguments: samples) func explainAddsUpToTheSurvey(sample: String) throws {
    let root = "\(Command.samples)/\(sample)"
    let survey = try document(Command.run("survey", "--json", "--sysroot", root))
    #expect(survey["schema"] as? String == "megalith.survey/1")
    for size in try #require(survey["sizes"] as? [[String: Any]]) {
      let name = try #require(size["size"] as? String)
      let explained = try document(Command.run("explain", "--size", name, "--json", "--sysroot", root))
      #expect(explained["schema"] as? String == "megalith.explain/1")
      let ranges = try #require(explained["ranges"] as? [[String: Any]])
      for verdict in ["held", "free", "movable", "blocked", "excluded"] {
        let count = ranges.filter { $0["verdict"] as? String == verdict }.count
        #expect(size[verdict] as? Int == count, "\(name) \(verdict)")
      }
      var reasons: [String: Int] = [:]
      for range in ranges {
        for (reason, frames) in range["reasons"] as? [String: Int] ?? [:] { reasons[reason, default: 0] += frames }
        if range["verdict"] as? String == "blocked" { #expect(range["firstBlocking"] is Int) }
      }
      #expect(size["reasons"] as? [String: Int] == reasons, "\(name)")
    }
  }

  private func document(_ outcome: Command.Outcome) throws -> [String: Any] {
    #expect(outcome.code == 0, "\(outcome.errors)")
    return try #require(try JSONSerialization.jsonObject(with: Data(outcome.output.utf8)) as? [String: Any])
  }

  /// A machine of the host gives the gigantic pages that the survey says.
  @Test(arguments: ["plain-4g", "two-nodes-4g", "boot-pages-8g"]) func theEngineAgrees(sample: String) throws {
    let root = "\(Command.samples)/\(sample)"
    let survey = try document(Command.run("survey", "--engine", "--json", "--sysroot", root))
    for size in try #require(survey["sizes"] as? [[String: Any]]) where size["isGigantic"] as? Bool == true {
      let engine = try #require(size["engine"] as? [String: Int])
      #expect(engine["obtainable"] == size["obtainable"] as? Int)
      #expect(engine["movedFrames"] != nil && engine["droppedFrames"] != nil)
    }
    let screen = try Command.run("survey", "--engine", "--size", "1G", "--sysroot", root)
    #expect(screen.code == 0)
    #expect(screen.output.contains("a machine of this host gives"))
  }

  @Test func selectionsNarrowTheRows() throws {
    let root = "\(Command.samples)/two-nodes-4g"
    func rows(_ arguments: String...) throws -> [[String: Any]] {
      let outcome = try Command.run(
        arguments: ["explain", "--json", "--sysroot", root] + arguments)
      return try #require(try document(outcome)["ranges"] as? [[String: Any]])
    }
    #expect(try rows("--limit", "2").count == 2)
    #expect(try rows("--node", "1").allSatisfy { $0["node"] as? Int == 1 })
    #expect(try rows("--range", "1G-2G").map { $0["start"] as? Int } == [262_144])
    #expect(try rows("--range", "0x40000-0x40001").map { $0["start"] as? Int } == [262_144])
  }
}
