import ArgumentParser

@main
struct Bench: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "megalith-bench",
    abstract: "Measures the engine, next to baselines in C of the same run.",
    discussion: """
      Threads are pinned, one a processor. Each row is the time of one operation as a thread sees it: the median of the \
      rounds and the best one. The two sides take turns within a round.
      """,
    subcommands: [AllocateBench.self, BootBench.self, ContiguousBench.self, SuccessTable.self],
    defaultSubcommand: AllocateBench.self)
}

/// What every bench takes.
struct BenchOptions: ParsableArguments {
  @Flag(help: "Print JSON, schema megalith.bench/1.")
  var json = false

  @Option(help: ArgumentHelp("Run only what has this text in its id.", valueName: "text"))
  var filter: String?

  @Option(help: ArgumentHelp("Rounds to take the median of.", valueName: "count"))
  var rounds: Int?

  @Flag(help: "Three short rounds: to see that it runs, not to compare figures.")
  var quick = false

  mutating func validate() throws {
    if let rounds, rounds < 1 { throw ValidationError("--rounds takes a number from 1 on") }
  }

  var roundCount: Int { rounds ?? (quick ? 3 : 9) }
}
