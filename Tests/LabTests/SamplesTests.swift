import Foundation
import Lab
import Testing

/// The shipped scenarios tell what they say they tell.
struct SamplesTests {
  static let names = [
    "builds", "fragmentation", "gigantic-pages", "gigantic-pages-x86", "memmap-from-range", "pins", "subsections", "transparent",
  ]
  // The others take minutes in a debug build, where they are only read.
  #if DEBUG
    static let run = ["subsections"]
  #else
    static let run = names
  #endif

  @Test(arguments: run) func everySampleComesTrue(_ name: String) throws {
    let trace = try LabRun.run(try Self.scenario(name))
    for event in trace.events where event.outcome == .failed { Issue.record("line \(event.line), \(event.step): \(event.text)") }
  }

  private static func scenario(_ name: String) throws -> Scenario {
    let path = "Samples/scenarios/\(name).yaml"
    return try ScenarioFile.read(try String(contentsOf: LabFixture.root.appending(path: path), encoding: .utf8), named: path)
  }

  @Test(arguments: names) func everySampleIsAStory(_ name: String) throws {
    let scenario = try Self.scenario(name)
    #expect(!scenario.story.isEmpty && !scenario.lesson.isEmpty)
  }

  @Test func everySampleIsTested() throws {
    let folder = LabFixture.root.appending(path: "Samples/scenarios")
    let files = try FileManager.default.contentsOfDirectory(atPath: folder.path).filter { $0.hasSuffix(".yaml") }.sorted()
    #expect(files == Self.names.map { $0 + ".yaml" }.sorted())
    let readme = try String(contentsOf: folder.appending(path: "README.md"), encoding: .utf8)
    for file in files { #expect(readme.contains("(\(file))"), "README.md does not tell of \(file)") }
  }
}
