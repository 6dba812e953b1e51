import Foundation
import Lab
import Testing

struct ScenarioFileTests {
  @Test func everyKeyIsRead() throws {
    let scenario = try LabFixture.scenario("all-keys.yaml")
    #expect(scenario.name == "Every key")
    #expect(scenario.clients.map(\.name) == ["db", "slab", "inodes", "files", "buffers", "web", "guests"])
    #expect(scenario.steps.count == 34)
  }

  @Test func everyMistakeIsNamed() throws {
    let text = try LabFixture.text("mistakes.yaml")
    do {
      _ = try ScenarioFile.read(text, named: "mistakes.yaml")
      Issue.record("the mistakes were read")
    } catch {
      try LabFixture.compare("\(error)\n", with: "mistakes.txt")
    }
  }
}
