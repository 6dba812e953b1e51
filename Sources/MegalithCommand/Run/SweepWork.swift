import ArgumentParser
import Lab

/// How a scenario is swept.
struct SweepOptions: ParsableArguments {
  @Option(
    name: .customLong("sweep"),
    help: ArgumentHelp("Run with each of these values. May be repeated: every combination.", valueName: "key=a,b,c"))
  var sweeps: [String] = []
  @Option(help: ArgumentHelp("Run with so many seeds, from 1 on, or with a range of them, as 5-24.", valueName: "seeds"))
  var seeds: String?
  @Option(help: ArgumentHelp("Points that run at a time.", valueName: "n")) var jobs: Int?
  @Option(help: ArgumentHelp("Run the i-th of n parts of the points, as 3/8.", valueName: "i/n")) var shard: String?
  @Option(help: ArgumentHelp("Write a row for each point to this CSV file.", valueName: "file")) var results: String?
  @Flag(help: "Go on where the file of results ends.") var resume = false

  var isAsked: Bool { !sweeps.isEmpty || seeds != nil || shard != nil || results != nil }

  func validate(with settings: ScenarioOptions, _ output: RunOutputOptions) throws {
    if let jobs, !(1...1024).contains(jobs) { throw ValidationError("--jobs takes a number from 1 to 1024") }
    if resume, results == nil { throw ValidationError("--resume needs --results") }
    if seeds != nil, settings.seed != nil { throw ValidationError("--seed and --seeds exclude each other") }
    if isAsked, output.html != nil { throw ValidationError("--html is for a single run, without a sweep") }
    if !isAsked, jobs != nil { throw ValidationError("--jobs is for a sweep: name --sweep or --seeds") }
  }

  func plan() throws(ExitStatus) -> (plan: SweepPlan, shard: Shard) {
    do throws(SweepPlanError) {
      var keys: [SweepKey] = []
      for text in sweeps { keys.append(try SweepKey(parsing: text)) }
      let seeds: SeedRange? = if let text = seeds { try SeedRange(parsing: text) } else { nil }
      let shard: Shard = if let text = shard { try Shard(parsing: text) } else { .all }
      return (try SweepPlan(keys, seeds: seeds), shard)
    } catch {
      throw .usage("\(error).")
    }
  }
}

/// A sweep from its options to its summary.
struct SweepWork {
  private let options: SweepOptions
  private let runner: SweepRunner
  private let shard: Shard

  init(_ source: ScenarioSource, _ options: SweepOptions) throws(ExitStatus) {
    self.options = options
    let (plan, shard) = try options.plan()
    self.shard = shard
    runner = SweepRunner(plan, text: source.text, named: source.name, overriding: source.overrides) { scenario in
      try ScenarioMachine.run(scenario)
    }
  }

  func run(asJSON: Bool) throws {
    do throws(ScenarioProblems) { try runner.check() } catch { throw ExitStatus(error) }
    let table: SweepTable
    let isWhole: Bool
    do {
      (table, isWhole) = try runPoints()
    } catch let error as SweepFileError {
      throw ExitStatus(error)
    } catch let error as SweepRunner.PointError {
      throw Self.status(of: error)
    }
    if asJSON {
      print(try JSONText.make(SweepSummary(table)))
    } else if let results = options.results {
      print("\(results): \(table.rows.count) of \(shard.points(of: runner.plan).underestimatedCount) points")
    } else {
      print(SweepSummary(table).text, terminator: "")
    }
    guard isWhole else {
      let hint = options.results == nil ? "Name --results to be able to go on." : "Go on with --resume."
      throw ExitStatus(code: 130, message: "stopped after \(table.rows.count) points. \(hint)")
    }
  }

  private func runPoints() throws -> (table: SweepTable, isWhole: Bool) {
    let identity = runner.identity
    var table = SweepTable(identity: identity)
    let file = try options.results.map { path in
      try SweepFile(path: path, identity: identity, shard: shard, resumes: options.resume)
    }
    for row in file?.rows ?? [] { try table.add(row) }
    let line = ProgressLine("running")
    defer { line.clear() }
    let count = shard.points(of: runner.plan).underestimatedCount
    line.show("\(table.rows.count) of \(count) points")
    let isWhole = try runner.run(
      shard, without: file?.done ?? [], jobs: options.jobs ?? 1, shouldGoOn: { !Interruption.isRequested }
    ) { row in
      try table.add(row)
      try file?.append(row)
      line.show("\(table.rows.count) of \(count) points")
    }
    return (table, isWhole)
  }

  private static func status(of error: SweepRunner.PointError) -> ExitStatus {
    switch error.reason {
    case let status as ExitStatus:
      ExitStatus(
        code: status.code, message: status.message.map { "point \(error.point.number): \($0)" },
        lines: status.lines)
    case let problems as ScenarioProblems: ExitStatus(problems)
    default: .failed("\(error).")
    }
  }
}
