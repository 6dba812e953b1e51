import Foundation

/// Runs points of a sweep, several at a time.
public struct SweepRunner: Sendable {
  /// Makes a run of a scenario. Called from several threads at a time.
  public typealias Run = @Sendable (Scenario) throws -> RunTrace

  /// A point that could not be run.
  public struct PointError: Error, CustomStringConvertible {
    public let point: SweepPoint
    public let reason: any Error

    public var description: String { "point \(point.number): \(reason)" }
  }

  public let plan: SweepPlan
  private let text: String
  private let name: String
  private let overrides: [(key: String, value: String)]
  private let run: Run

  /// - Parameters:
  ///   - text: the scenario's file, as ``ScenarioFile/read(_:named:overriding:)`` takes it.
  ///   - overrides: what is set for all points, before what the sweep sets.
  public init(
    _ plan: SweepPlan, text: String, named name: String, overriding overrides: [(key: String, value: String)] = [],
    run: @escaping Run
  ) {
    self.plan = plan
    self.text = text
    self.name = name
    self.overrides = overrides
    self.run = run
  }

  /// What files with its results say that they are of.
  public var identity: SweepIdentity { SweepIdentity(plan, text: text, overriding: overrides) }

  /// The scenario of a point.
  public func scenario(of point: SweepPoint) throws(ScenarioProblems) -> Scenario {
    try ScenarioFile.read(text, named: name, overriding: overrides + plan.overrides(point))
  }

  /// Reads the scenario with each combination of values once, so that a mistake shows before hours of work and not after.
  ///
  /// - Complexity: O(combinations * length of the text).
  public func check() throws(ScenarioProblems) {
    var number = 1
    while number <= plan.count {
      _ = try scenario(of: plan.point(number))
      number += plan.seeds?.count ?? 1
    }
  }

  /// Runs the points of a shard, and hands the rows over in the points' order, whatever the number of threads: with the same points
  /// done before, the same rows.
  ///
  /// - Parameters:
  ///   - done: points that are passed over.
  ///   - jobs: how many points run at a time, each on a thread of its own.
  ///   - shouldGoOn: asked before each point, from several threads. After a no no further point begins; those that run are finished
  ///     and handed over.
  ///   - each: takes a row, on the caller's thread.
  /// - Returns: whether all points were run.
  /// - Throws: ``PointError`` for the first point that could not be read or run, with all rows before it handed over, or what `each`
  ///   throws. Points that run are waited for; their rows are not handed over.
  public func run(
    _ shard: Shard = .all, without done: Set<Int> = [], jobs: Int = 1, shouldGoOn: @escaping @Sendable () -> Bool = { true },
    each: (SweepRow) throws -> Void
  ) throws -> Bool {
    precondition(jobs >= 1, "a sweep needs a job")
    let points = shard.points(of: plan).filter { !done.contains($0) }
    let desk = SweepDesk(points.count)
    for _ in 0..<min(jobs, points.count) {
      desk.enter()
      let thread = Thread {
        while let index = desk.take(shouldGoOn) { desk.put(index, self.result(of: points[index])) }
        desk.leave()
      }
      // Runs go deep where trees do, and a thread's own default may be small.
      thread.stackSize = 16 << 20
      thread.start()
    }
    defer { desk.close() }
    var handed = 0
    while let result = desk.next(handed) {
      try each(try result.get())
      handed += 1
    }
    return handed == points.count
  }

  private func result(of number: Int) -> Result<SweepRow, any Error> {
    let point = plan.point(number)
    do {
      return .success(SweepRow(point, try run(try scenario(of: point))))
    } catch {
      return .failure(PointError(point: point, reason: error))
    }
  }
}

/// Where threads take work and put results. All of it is guarded by `condition`.
private final class SweepDesk: @unchecked Sendable {
  private let condition = NSCondition()
  private let count: Int
  private var taken = 0
  private var workers = 0
  private var isClosed = false
  private var results: [Int: Result<SweepRow, any Error>] = [:]

  init(_ count: Int) { self.count = count }

  /// The next index in order; nil where none is left, or no more is wanted.
  func take(_ shouldGoOn: () -> Bool) -> Int? {
    let isWanted = shouldGoOn()
    return condition.withLock {
      if !isWanted { isClosed = true }
      guard !isClosed, taken < count else { return nil }
      taken += 1
      return taken - 1
    }
  }

  func put(_ index: Int, _ result: Result<SweepRow, any Error>) {
    condition.withLock {
      if case .failure = result { isClosed = true }
      results[index] = result
      condition.broadcast()
    }
  }

  func enter() { condition.withLock { workers += 1 } }

  func leave() {
    condition.withLock {
      workers -= 1
      condition.broadcast()
    }
  }

  /// Waits for a result; nil where it will never come.
  func next(_ index: Int) -> Result<SweepRow, any Error>? {
    condition.withLock {
      while results[index] == nil, workers > 0 { condition.wait() }
      return results.removeValue(forKey: index)
    }
  }

  /// No more begins; waits for what runs.
  func close() {
    condition.withLock {
      isClosed = true
      while workers > 0 { condition.wait() }
    }
  }
}
