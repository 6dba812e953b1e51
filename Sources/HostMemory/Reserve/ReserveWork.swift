import MemoryUnits
import PhysicalLayout

/// A reservation under way: what was found, what is expected, and the only way in which its steps write.
final class ReserveWork {
  let host: any HostControl
  let journal: any ReserveJournal
  let options: ReserveOptions
  let places: PoolPlaces
  let goals: [PoolGoal]
  /// Pages of every pool before.
  let before: [HugePoolFiles: HugePageCount]
  /// Pages that each pool has if nobody else writes to it.
  private(set) var expected: [HugePoolFiles: HugePageCount]
  /// What the step under way has written.
  var changes: [HostChange] = []
  var notes: [String] = []
  /// What could not be put back; the journal stays while there is any.
  var troubles: [String] = []
  private(set) var nodesAtMargin: Set<NodeID> = []
  private let deadline: Duration?
  /// Every file that the plan names; nothing else is written.
  private var declared: Set<String> = []
  /// Takes in what a pool came to without being written.
  func expect(_ count: HugePageCount, of files: HugePoolFiles) {
    forget()
    expected[files] = count
  }

  /// What was found since the last write.
  private var found: ReserveSituation?

  init(
    _ host: any HostControl, _ journal: any ReserveJournal, _ options: ReserveOptions, _ places: PoolPlaces, _ goals: [PoolGoal],
    _ before: [HugePoolFiles: HugePageCount]
  ) {
    self.host = host
    self.journal = journal
    self.options = options
    self.places = places
    self.goals = goals
    self.before = before
    expected = before
    deadline = options.timeout.map { host.now + $0 }
  }

  /// Takes the plan as the list of files that may be written.
  func declare(_ plans: [ReserveStepPlan]) { declared = Set(plans.flatMap(\.writes).map(\.path)) }

  func mayWrite(_ path: String) -> Bool { declared.contains(path) }

  /// Whether what was found of the host no longer holds.
  func forget() { found = nil }

  func situation() throws(ReserveStop) -> ReserveSituation {
    if let found { return found }
    let situation = try survey()
    found = situation
    return situation
  }

  private func survey() throws(ReserveStop) -> ReserveSituation {
    do throws(HostFileError) {
      return try ReserveSituation(of: host.root, goals: goals, places: places, options: options)
    } catch {
      throw .host(error)
    }
  }

  func held(_ goal: PoolGoal) -> HugePageCount {
    places.places(of: goal.size, on: goal.node).reduce(.zero) { $0 + (expected[$1] ?? .zero) }
  }

  func missing(_ goal: PoolGoal) -> HugePageCount { goal.target.saturatingSubtracting(held(goal)) }

  var isMet: Bool { goals.allSatisfy { missing($0) == .zero } }

  /// Pages of each size that is asked for, in all its pools.
  var heldBySize: [PageSize: HugePageCount] {
    var held: [PageSize: HugePageCount] = [:]
    for size in Set(goals.map(\.size)) {
      held[size] = places.places(of: size, on: nil).reduce(.zero) { $0 + (expected[$1] ?? .zero) }
    }
    return held
  }

  /// Ends the work where the operator or the clock wants that. Asked before each write.
  func checkpoint() throws(ReserveStop) {
    if host.isInterrupted { throw .interrupted }
    if let deadline, host.now >= deadline { throw .timeout }
  }

  /// Until when a write may take.
  var timeLeft: Duration? { deadline.map { max($0 - host.now, .microseconds(1)) } }

  func note(_ entry: JournalEntry) throws(ReserveStop) {
    do throws(ReserveJournalError) { try journal.append(entry.line) } catch { throw .journal(error) }
  }

  /// Writes a setting that is no pool's, and waits for it no longer than the work may take.
  func set(_ path: String, to value: String, limit: Duration? = nil) throws(HostWriteError) {
    precondition(mayWrite(path), "a write that the plan does not name")
    forget()
    let limits = [limit, timeLeft].compactMap { $0 }
    try host.set(path, to: value, limit: limits.min())
    changes.append(HostChange(path: path, value: value))
  }

  /// The pool as it is, and as it is expected to be.
  func current(_ files: HugePoolFiles) throws(ReserveStop) -> HugePool {
    let pool = try read(files)
    if let expected = expected[files], pool.persistent != expected {
      throw .otherWriter(path: files.totalPath, expected: expected, found: pool.persistent)
    }
    return pool
  }

  func read(_ files: HugePoolFiles) throws(ReserveStop) -> HugePool {
    do throws(HostFileError) { return try files.read(of: host.root) } catch { throw .host(error) }
  }

  /// Sets a pool, written down first, and returns what it has then.
  ///
  /// - Throws: `.otherWriter` where it was changed since it was last looked at, or lies outside of what the write could come to.
  func setPool(_ files: HugePoolFiles, to count: HugePageCount, limit: Duration?) throws(ReserveStop) -> HugePageCount {
    precondition(mayWrite(files.totalPath), "a write that the plan does not name")
    forget()
    let from = try current(files).persistent
    try note(.pool(files, from: from, to: count))
    // What the write came to counts even where it failed.
    var failure: HostWriteError?
    do throws(HostWriteError) {
      try files.setPersistent(count, through: host, limit: limit)
      changes.append(HostChange(path: files.totalPath, value: "\(count)"))
    } catch {
      failure = error
    }
    let after = try read(files).persistent
    guard after >= min(from, count), after <= max(from, count) else {
      throw .otherWriter(path: files.totalPath, expected: count, found: after)
    }
    expected[files] = after
    if let failure {
      if case .interrupted = failure { try checkpoint() }
      throw .write(failure)
    }
    return after
  }

  /// Asks for pages of one pool, in writes of ``ReserveOptions/maxStep`` at most, until the kernel gives fewer than it was asked
  /// for or the margin is reached.
  ///
  /// - Returns: whether the kernel may have more.
  func grow(_ files: HugePoolFiles, by count: HugePageCount) throws(ReserveStop) -> Bool {
    var left = count
    let unit = max(HugePageCount(options.maxStep / files.size.bytes), HugePageCount(1))
    while left > .zero {
      try checkpoint()
      let room = HugePageCount(try room(files.node) / files.size.bytes)
      let step = min(left, unit, room)
      guard step > .zero else {
        nodesAtMargin.insert(files.node ?? NodeID(0))
        return false
      }
      let from = try current(files).persistent
      let after = try setPool(files, to: from + step, limit: timeLeft)
      let gained = after - from
      left -= gained
      if gained < step {
        // The clock may have ended the kernel's search.
        try checkpoint()
        return false
      }
    }
    return true
  }

  /// Asks for everything that is missing: of each pool what the prediction promises, in the order of least work, then of each
  /// what is left.
  func ask(_ situation: ReserveSituation) throws(ReserveStop) {
    for goal in goals {
      var open = situation.order(places.places(of: goal.size, on: goal.node))
      for promised in [true, false] {
        for place in open {
          let missing = missing(goal)
          if missing == .zero { break }
          let count = promised ? min(missing, situation.obtainable(place)) : missing
          if count == .zero { continue }
          if try !grow(place, by: count) { open.removeAll { $0 == place } }
        }
      }
    }
  }

  /// Memory of a node above its margin at this moment.
  private func room(_ node: NodeID?) throws(ReserveStop) -> ByteCount {
    do throws(HostFileError) {
      return try NodeRoom(of: host.root, options).room(on: node)
    } catch {
      throw .host(error)
    }
  }
}
