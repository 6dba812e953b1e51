import Foundation
import Lab
import Testing

struct ScenarioFileTests {
  @Test func everyKeyIsRead() throws {
    let scenario = try LabFixture.scenario("all-keys.yaml")
    #expect(scenario.name == "Every key")
    #expect(scenario.clients.map(\.name) == ["db", "slab", "inodes", "files", "buffers", "web", "guests"])
    #expect(scenario.steps.count == 35)
  }

  @Test(arguments: ["mistakes", "nonsense"])
  func everyMistakeIsNamed(_ name: String) throws {
    let text = try LabFixture.text(name + ".yaml")
    let error = #expect(throws: ScenarioProblems.self) { try ScenarioFile.read(text, named: name + ".yaml") }
    try LabFixture.compare((error?.description ?? "") + "\n", with: name + ".txt")
  }

  @Test(arguments: [
    ("", "1:1: there is nothing in the file"),
    (
      "scenario: x\nsteps: [{run: 1h}\n",
      "3:1: not YAML: did not find expected ',' or ']', while parsing a flow sequence that begins in line 2, column 8"
    ),
    (
      "scenario: x\n\tsteps: 1\n",
      "2:1: not YAML: found a tab character that violates indentation, while scanning a plain scalar that begins in line 1, column 11"
    ),
    ("scenario: *x\n", "1:11: not YAML: found undefined alias"),
    (
      "scenario: x\nsteps:\n  - run: 1h\n---\nmore: 1\n",
      "4:1: not YAML: but found another document, expected a single document in the stream that begins in line 1, column 1"
    ),
    ("scenario: x\nstory: a\u{1}b\n", "2:9: not YAML: control characters are not allowed"),
    (
      "[a, b]",
      "1:1: a list does not fit; allowed here: a map with scenario, story, lesson, seed, machine, sampling, clients, steps"
    ),
    ("? [a]\n: b\nscenario: x\nsteps: [{run: 1h}]\n", "1:3: a list cannot be a key"),
    (
      "scenario: x\nscenario: y\nscenario: z\nsteps: [{run: 1h, run: 2h}]\n",
      """
      2:1: key 'scenario' is there twice, first in line 1
      3:1: key 'scenario' is there twice, first in line 1
      4:19: key 'run' is there twice, first in line 4
      """
    ),
  ])
  func whatIsNoScenarioFile(_ text: String, _ expected: String) {
    #expect(messages(text) == expected)
  }

  @Test func overridesAreReadBeforeTheFile() throws {
    let text = try LabFixture.text("all-keys.yaml")
    let scenario = try ScenarioFile.read(
      text,
      overriding: [
        ("machine.policy.group", "4G"), ("steps.5.pool.pages", "3"), ("machine.memory", "[32G, 32G]"), ("steps.5.note", "fewer"),
        ("machine.policy.group", "2G"),
      ])
    #expect(scenario.machine.policy.group?.description == "2G")
    #expect(scenario.machine.source == .memory([.gibibytes(32), .gibibytes(32)]))
    guard case .pool(let pool) = scenario.steps[5].action else {
      Issue.record("no pool")
      return
    }
    #expect(pool.pages.rawValue == 3)
    #expect(scenario.steps[5].note == "fewer")
  }

  @Test(arguments: [
    (
      "machine.polcy.group", "1G",
      "override machine.polcy.group: unknown key 'polcy'; allowed here: preset, memory, firmware, capture, command-line, model, holes, room, policy, processors, kernel (did you mean 'policy'?)"
    ),
    (
      "machine.policy.group", "big",
      "override machine.policy.group: 'big' does not fit; allowed here: a size such as 64K, 2M or 1G"
    ),
    ("steps.99.run", "1h", "override steps.99.run: 'steps' is a list without a place '99'; allowed here: 0 to 34"),
    ("seed.of.it", "1", "override seed.of.it: 'seed' is '7', which has no key 'of'"),
    (
      "seed", "[1",
      "override seed: '[1' is no value: not YAML: did not find expected ',' or ']', while parsing a flow sequence that begins in line 1, column 1"
    ),
    (
      "machine..policy", "1",
      "override machine..policy: 'machine..policy' is no path; allowed here: keys and indices from 0 on, with points between"
    ),
    ("seed", "", "override seed: nothing does not fit; allowed here: a whole number from 0 on"),

  ])
  func mistakesOfOverrides(_ key: String, _ value: String, _ expected: String) throws {
    let text = messages(try LabFixture.text("all-keys.yaml"), [(key, value)])
    #expect(text == expected)
  }

  @Test func anOverrideCanMakeTheFileWrong() throws {
    let text = messages(try LabFixture.text("all-keys.yaml"), [("machine.preset", "arm64-64k")])
    #expect(text.contains("\n33:13: 4K is no page size of arm64-64k, whose base page is 64K\n"))
    #expect(text.contains(": arm64-64k has no huge pages of 1G; allowed here: 2M, 512M, 16G\n"))
  }

  @Test func aFirmwareMapIsReadInItsLines() throws {
    let good = """
      scenario: x
      machine:
        firmware: |
          BIOS-e820: [mem 0x0000000000000000-0x000000000009ffff] usable
          BIOS-e820: [mem 0x0000000000100000-0x000000003fffffff] usable
      steps: [{run: 1h}]
      """
    #expect(messages(good) == "")
    #expect(messages(good.replacing("3fffffff] usable", with: "3fffffff] usabel")).hasPrefix("5:1: the firmware's map: "))
    #expect(
      messages(good.replacing("usable", with: "reserved"))
        == "3:13: the firmware names no memory: no line says usable or System RAM")
    #expect(messages(good.replacing("BIOS-e820", with: "memory")).hasPrefix("4:1: the firmware's map: "))
  }

  @Test func aCaptureLiesBesideItsFile() throws {
    let text = "scenario: x\nmachine: {capture: ../plain-4g}\nsteps: [{run: 1h}]\n"
    #expect(
      try ScenarioFile.read(text, named: "Samples/scenarios/a.yaml").machine.source == .capture("Samples/scenarios/../plain-4g"))
    #expect(try ScenarioFile.read(text, named: "a.yaml").machine.source == .capture("../plain-4g"))
    let absolute = text.replacing("../", with: "/srv/")
    #expect(try ScenarioFile.read(absolute, named: "b/a.yaml").machine.source == .capture("/srv/plain-4g"))
  }

  @Test func whatIsLeftOutIsTheSpecsOwn() throws {
    let scenario = try ScenarioFile.read("scenario: x\nmachine: {policy: {}}\nsampling: {}\nsteps: [{run: 1h}]\n")
    var expected = Scenario(name: "x")
    expected.steps = [Step(.run(Seconds(3600)), place: TextPlace(line: 4, column: 9))]
    #expect(scenario == expected)
  }

  @Test func countersAreFoundByName() {
    #expect(RunCounter.named("free")?.counter.unit == .bytes)
    #expect(RunCounter.named("obtainable.1024M")?.size?.description == "1G")
    for name in ["free.1G", "obtainable", "obtainable.3M", "obtainable.", "", ".", "nothing"] {
      #expect(RunCounter.named(name) == nil)
    }
    #expect(Set(RunCounter.names).count == RunCounter.all.count)
  }

  private func messages(_ text: String, _ overrides: [(key: String, value: String)] = []) -> String {
    do {
      _ = try ScenarioFile.read(text, overriding: overrides)
      return ""
    } catch {
      return error.description
    }
  }
}
