import ArgumentParser
import Lab

struct RunCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "run",
    abstract: "Runs a scenario: a machine, those who allocate on it, and what becomes of its large pages.",
    discussion: """
      FILE is a scenario in YAML (Docs/Scenarios.md); nothing of this host is read, unless the scenario names a capture. The \
      same file, settings and seed give the same bytes of output. Ctrl-C ends a run after the tick, and the report tells of \
      what was until then.

      With --sweep or --seeds the scenario runs once for each combination of values and for each seed; figures of all runs come \
      as a table, or with --results row by row as CSV (Docs/Sweeps.md). Ctrl-C then finishes the points that run.

      EXIT CODES
        0    every step and expectation came true; a step that came true in part is what the scenario tells, and no failure. \
      Of a sweep: all points were run, whatever came true in them
        1    an expectation or a required step failed (the report is printed)
        65   the scenario is wrong, each mistake on a line of its own
        130  stopped by Ctrl-C

      EXAMPLES
        megalith run Samples/scenarios/day.yaml --html day.html
        megalith run day.yaml --set machine.memory=64G --seed 3 --json
        megalith run day.yaml --sweep machine.policy.group=1G,4G --seeds 20 --jobs 2
      """)

  @Argument(help: "The scenario.") var file: String?
  @OptionGroup var settings: ScenarioOptions
  @OptionGroup var output: RunOutputOptions
  @OptionGroup var sweep: SweepOptions
  @Flag(help: "Print a JSON Schema of scenario files, for editors, and end.") var schema = false

  func validate() throws {
    guard !schema else { return }
    guard file != nil else { throw ValidationError("name a scenario's file") }
    try sweep.validate(with: settings, output)
  }

  func run() throws {
    if schema { return print(ScenarioFile.schema, terminator: "") }
    let text = String(decoding: try UserFile.read(file ?? ""), as: UTF8.self)
    let source = ScenarioSource(name: file ?? "", text: text, overrides: try settings.overrides())
    Interruption.watchOnce()
    if sweep.isAsked { return try SweepWork(source, sweep).run(asJSON: output.json) }
    try runOnce(source)
  }

  private func runOnce(_ source: ScenarioSource) throws {
    let scenario = try source.read()
    let progress = RunProgressLine()
    let trace: RunTrace
    do {
      defer { progress.clear() }
      trace = try ScenarioMachine.run(scenario) { now in
        progress.show(now)
        return !Interruption.isRequested
      }
    }
    try output.write(trace)
    if Interruption.isRequested { throw ExitStatus(code: 130, message: "stopped; the report tells of the run until then.") }
    let failed = trace.events.count { $0.outcome == .failed }
    if failed > 0 {
      throw ExitStatus.failed("\(failed == 1 ? "a step" : "\(failed) steps") failed; the report says which.")
    }
  }
}

/// What is set in a scenario from outside.
struct ScenarioOptions: ParsableArguments {
  @Option(
    name: .customLong("set"),
    help: ArgumentHelp(
      "Set a value of the file by its path, as machine.policy.group=1G. May be repeated.", valueName: "key=value"))
  var sets: [String] = []
  @Option(help: ArgumentHelp("The seed, in place of the file's.", valueName: "n")) var seed: UInt64?

  func overrides() throws(ExitStatus) -> [(key: String, value: String)] {
    var overrides: [(key: String, value: String)] = []
    for set in sets {
      guard let equals = set.firstIndex(of: "="), equals != set.startIndex else {
        throw .usage("'\(set)' sets nothing. Write KEY=VALUE, as machine.policy.group=1G.")
      }
      overrides.append((String(set[..<equals]), String(set[equals...].dropFirst())))
    }
    if let seed { overrides.append(("seed", "\(seed)")) }
    return overrides
  }
}

/// A scenario's file, and what is set in it.
struct ScenarioSource {
  let name: String
  let text: String
  let overrides: [(key: String, value: String)]

  func read() throws(ExitStatus) -> Scenario {
    do throws(ScenarioProblems) {
      return try ScenarioFile.read(text, named: name, overriding: overrides)
    } catch {
      throw ExitStatus(error)
    }
  }
}
