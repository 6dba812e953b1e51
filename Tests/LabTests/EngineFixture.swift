import MemoryUnits
import Testing

@testable import Lab

/// Runs of small scenarios whose machine can be looked at.
enum EngineFixture {
  static func scenario(_ text: String) throws -> Scenario { try ScenarioFile.read("scenario: Small\n" + text) }

  /// A run after the scenario's steps, with its machine still there. Whoever asks for it ends with `engine.finish()`.
  static func runner(_ text: String) throws -> Runner {
    let scenario = try scenario(text)
    let runner = Runner(scenario, try LabMachine(scenario.machine, seed: scenario.seed))
    runner.perform(scenario.steps) { _ in true }
    return runner
  }

  /// One more step.
  static func perform(_ step: String, on runner: Runner, clients: [String]) throws {
    let names = clients.map { "\($0): {sizes: 4K}" }.joined(separator: ", ")
    let scenario = try scenario("machine: {memory: 128M, kernel: 16M}\nclients: {\(names)}\nsteps:\n  - \(step)\n")
    runner.perform(scenario.steps) { _ in true }
  }

  /// The only step's outcome and text, of the last step of a scenario.
  static func last(_ text: String) throws -> RunTrace.Event {
    let trace = try LabRun.run(try scenario(text))
    return try #require(trace.events.last)
  }
}
