import Foundation
import Lab
import Testing

/// The shipped scenarios tell what they say they tell.
struct SamplesTests {
  /// A scenario, and what makes it so small that a debug build runs it in a few seconds.
  struct Sample: CustomTestStringConvertible {
    let name: String
    let overrides: [(key: String, value: String)]
    var testDescription: String { name }

    init(_ name: String, _ overrides: KeyValuePairs<String, String> = [:]) {
      self.name = name
      self.overrides = overrides.map { ($0.key, $0.value) }
    }

    func scenario(isSmall: Bool = false) throws -> Scenario {
      let path = "Samples/scenarios/\(name).yaml"
      let text = try String(contentsOf: LabFixture.root.appending(path: path), encoding: .utf8)
      return try ScenarioFile.read(text, named: path, overriding: isSmall ? overrides : [])
    }
  }

  static let all = [
    // Of ten seconds of two builds, at a quarter of their load.
    Sample(
      "builds",
      [
        "machine.memory": "512M", "clients.build": "{workload: build, load: 25%}", "steps.1.run": "10s",
        "steps.4.repeat.times": "1", "steps.4.repeat.steps": "[{start: build}, {run: 10s}]",
      ]),
    Sample("fragmentation", ["machine.memory": "1G", "steps.3.run": "1m", "steps.8.run": "1m", "steps.11.run": "1m"]),
    // Six ranges of 16 GiB are the least that has the kernel, a hole, and four pages.
    Sample(
      "gigantic-pages", ["machine.memory": "96G", "machine.holes.count": "1", "steps.10.run": "30s", "steps.14.pool.pages": "6"]),
    Sample(
      "gigantic-pages-x86",
      ["machine.memory": "6G", "machine.holes.count": "2", "steps.3.run": "20s", "steps.7.allocate.amount": "1G"]),
    Sample(
      "memmap-from-range",
      [
        "machine.memory": "640M", "steps.3.add.size": "512M", "steps.4.add.size": "512M", "steps.9.allocate.amount": "128M",
        "steps.15.add.size": "512M", "steps.21.add.size": "128M", "steps.22.allocate.amount": "512M",
      ]),
    Sample(
      "pins",
      [
        "machine.memory": "[640M, 256M]", "steps.0.space.map": "256M", "steps.10.add.size": "512M", "steps.11.pool.pages": "150",
        "steps.12.space.map": "300M", "steps.23.allocate.amount": "256M", "steps.29.allocate.amount": "256M",
      ]),
    // 64 KiB a call in place of a frame: so many calls take a debug build too long.
    Sample(
      "pins-gigantic",
      [
        "machine.memory": "[4G, 1G]", "steps.0.pool.pages": "1", "steps.1.space.map": "1G", "steps.14.space.pin.call": "64K",
        "steps.28.add.size": "3G", "steps.29.pool.pages": "2", "steps.30.space.map": "1G",
      ]),
    Sample("subsections"),
    Sample("transparent", ["machine.memory": "512M", "steps.0.space.map": "128M", "steps.7.space.map": "128M"]),
  ]

  // As they are they take minutes in a debug build, all but one.
  #if DEBUG
    static let whole = all.filter { $0.overrides.isEmpty }
  #else
    static let whole = all
  #endif

  @Test(arguments: whole) func everySampleComesTrue(_ sample: Sample) throws {
    let trace = try LabRun.run(try sample.scenario())
    for event in trace.events where event.outcome == .failed { Issue.record("line \(event.line), \(event.step): \(event.text)") }
  }

  /// On a machine this small and after so short a time figures are others, and are not looked at: every step is to be done as in the
  /// story, and what must fail is to fail.
  @Test(arguments: all.filter { !$0.overrides.isEmpty }) func everySmallSampleIsDone(_ sample: Sample) throws {
    let trace = try LabRun.run(try sample.scenario(isSmall: true))
    for event in trace.events where event.outcome == .failed && !event.step.hasPrefix("expect ") {
      Issue.record("line \(event.line), \(event.step): \(event.text)")
    }
  }

  @Test(arguments: all) func everySampleIsAStory(_ sample: Sample) throws {
    let scenario = try sample.scenario()
    #expect(!scenario.story.isEmpty && !scenario.lesson.isEmpty)
  }

  @Test func everySampleIsTested() throws {
    let folder = LabFixture.root.appending(path: "Samples/scenarios")
    let files = try FileManager.default.contentsOfDirectory(atPath: folder.path).filter { $0.hasSuffix(".yaml") }.sorted()
    #expect(files == Self.all.map { $0.name + ".yaml" }.sorted())
    let readme = try String(contentsOf: folder.appending(path: "README.md"), encoding: .utf8)
    for file in files { #expect(readme.contains("(\(file))"), "README.md does not tell of \(file)") }
  }
}
