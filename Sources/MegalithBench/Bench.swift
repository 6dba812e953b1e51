import ArgumentParser
import CBaselines

@main
struct Bench: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "megalith-bench",
    abstract: "Measures the engine, next to baselines in C of the same run.",
    discussion: """
      Threads are pinned, one a processor. Each row is the time of one operation as a thread sees it: the median of the \
      rounds and the best one. The two sides take turns within a round. Without a subcommand all run, one after the other; \
      several subcommands, as in 'megalith-bench gup fault fork', make one table.
      """,
    subcommands: suites + [SuccessTable.self, LabBench.self])

  /// In the order of the table.
  static let suites: [any Suite.Type] = [
    AllocateBench.self, FolioBench.self, RunsBench.self, ContentsBench.self, BootBench.self, ContiguousBench.self,
    GupBench.self, FaultBench.self, ForkBench.self, HotplugBench.self, ThpBench.self,
  ]

  @OptionGroup var options: BenchOptions

  func run() throws {
    var report = Report()
    for suite in Bench.suites { try suite.measure(options, into: &report) }
    options.print(report)
  }
}

/// A subcommand: a part of the table.
protocol Suite: ParsableCommand {
  var options: BenchOptions { get }
  var parts: BenchParts { get }
  /// Measures the rows that are wanted.
  static func measure(_ options: BenchOptions, into report: inout Report) throws
}

extension Suite {
  func run() throws {
    var report = Report()
    try Self.measure(options, into: &report)
    for suite in Bench.suites where parts.others.contains(suite.configuration.commandName ?? "") {
      try suite.measure(options, into: &report)
    }
    options.print(report)
  }
}

/// Other parts that the same table is to have. Not of the command itself, where they would be taken for its subcommands.
struct BenchParts: ParsableArguments {
  @Argument(help: ArgumentHelp("Further parts of the table.", valueName: "part"))
  var others: [String] = []

  mutating func validate() throws {
    let names = Bench.suites.compactMap { $0.configuration.commandName }
    if let unknown = others.first(where: { !names.contains($0) }) {
      throw ValidationError("there is no part '\(unknown)'. Use some of \(names.joined(separator: ", ")).")
    }
  }
}

/// What every bench takes.
struct BenchOptions: ParsableArguments {
  @Flag(help: "Print JSON, schema megalith.bench/1.")
  var json = false

  @Option(help: ArgumentHelp("Run only what has this text in its id.", valueName: "text"))
  var filter: String?

  @Option(help: ArgumentHelp("Rounds to take the median of.", valueName: "count"))
  var rounds: Int?

  @Flag(help: "Also the cases that need 12 GiB of memory.")
  var large = false

  @Flag(help: "Three short rounds: to see that it runs, not to compare figures.")
  var quick = false

  mutating func validate() throws {
    if let rounds, rounds < 1 { throw ValidationError("--rounds takes a number from 1 on") }
  }

  var roundCount: Int { rounds ?? (quick ? 3 : 9) }

  /// Whether the filter lets the row through, or rows that begin so.
  func wants(_ id: String) -> Bool { filter.map { id.contains($0) || $0.hasPrefix(id) } ?? true }

  func print(_ report: Report) { Swift.print(json ? report.json : report.text) }
}

/// Lets all sides take turns, round by round; the first round warms caches and page tables up and does not count.
///
/// - Parameter round: what one side's round took, a figure for each row.
func interleaved<Side>(_ sides: [Side], rounds: Int, _ round: (Side) throws -> [Double]) rethrows -> [[Samples]] {
  var results: [[Samples]] = sides.map { _ in [] }
  for number in 0...rounds {
    for (index, side) in sides.enumerated() {
      let times = try round(side)
      if number == 0 { results[index] = times.map { _ in Samples() } }
      for (row, time) in times.enumerated() where number > 0 { results[index][row].add(time) }
    }
  }
  return results
}

enum BenchError: Error, CustomStringConvertible {
  case outOfMemory
  case tooManyThreads(Int)
  case tailsWritten(UInt64)

  var description: String {
    switch self {
    case .outOfMemory: "not enough memory for the measurement"
    case .tooManyThreads(let count): "no \(count) processors to run on"
    case .tailsWritten(let count): "a folio of order 18 wrote \(count) descriptors"
    }
  }
}

/// Throws unless the process has a processor for each of `count` threads.
func requireProcessors(_ count: Int) throws {
  guard Int(megalith_processors()) >= count else { throw BenchError.tooManyThreads(count) }
}
