public import MemoryUnits
public import PhysicalLayout

/// Why a reservation, a release or an undo did not begin. Nothing was written.
public enum ReserveError: Error, Hashable, Sendable {
  case request(PoolRequestError)
  case stop(ReserveStop)
}

/// Gets huge pages for a host's pools, step by step, or says what prevented it (Docs/Reserve.md).
public struct Reservation {
  private let places: PoolPlaces
  private let before: [HugePoolFiles: HugePageCount]
  private let options: ReserveOptions
  public let goals: [PoolGoal]

  /// Reads the pools and turns requests into goals.
  public init(_ requests: [PoolRequest], options: ReserveOptions, of root: Sysroot) throws(ReserveError) {
    let pools: [HugePool]
    do throws(HostFileError) {
      pools = try HugePool.all(of: root, baseShift: try HostReports.baseShift(of: root))
    } catch {
      throw .stop(.host(error))
    }
    places = PoolPlaces(pools)
    var before: [HugePoolFiles: HugePageCount] = [:]
    for files in places.all { before[files] = pools.first { $0.files == files }?.persistent ?? .zero }
    self.before = before
    self.options = options
    do throws(PoolRequestError) {
      goals = try PoolGoal.resolve(requests, isEven: options.isEven, places: places, before: before)
    } catch {
      throw .request(error)
    }
  }

  /// What would be done, and what is predicted to come of it. Reads only.
  ///
  /// - Complexity: one survey.
  public func plan(of root: Sysroot) throws(ReserveError) -> ReservePlan {
    do throws(HostFileError) {
      let situation = try ReserveSituation(of: root, goals: goals, places: places, options: options)
      return ReservePlan(situation, steps: ReserveLadder.steps.map { $0.plan(situation) })
    } catch {
      throw .stop(.host(error))
    }
  }

  /// Climbs the ladder until the goals are met, a whole round brings nothing, or the work is stopped.
  ///
  /// Every write is written down in the journal first. Blocks of memory that go offline come back before this returns, whatever
  /// happens. One thread; the process may be ended at any time, and ``ReserveUndo`` then puts things right.
  ///
  /// - Throws: before the first write only. What happens later is told in the report.
  public func run(
    through host: any HostControl, journal: any ReserveJournal, progress: (ReserveStepReport) -> Void = { _ in }
  ) throws(ReserveError) -> ReserveReport {
    let work = ReserveWork(host, journal, options, places, goals, before)
    var report = ReserveReport()
    guard !work.isMet else { return finished(report, work) }
    try checkWritable(host)
    do throws(ReserveStop) {
      let situation = try work.situation()
      work.declare(ReserveLadder.steps.map { $0.plan(situation) })
    } catch {
      throw .stop(error)
    }
    do throws(ReserveJournalError) {
      try journal.begin()
      try journal.append(JournalEntry.boot(JournalEntry.currentBoot(of: host.root)).line)
    } catch {
      throw .stop(.journal(error))
    }
    do throws(ReserveStop) {
      var hasProgress = true
      var isFirst = true
      while hasProgress, !work.isMet {
        let taken = report.steps.count
        try climb(work, &report, isFirst: isFirst, progress)
        // What the pools gave at once says nothing of the steps that prepare.
        hasProgress = report.steps[taken...].contains { $0.kind != .setPools && !$0.gain.isEmpty }
        isFirst = false
      }
    } catch {
      report.stop = error
    }
    if options.rollsBack, !work.isMet { report.returned = work.giveBack() }
    report = finished(report, work)
    report.troubles = work.troubles
    if work.troubles.isEmpty {
      do throws(ReserveJournalError) { try journal.finish() } catch { report.troubles.append("\(error)") }
    }
    if !report.isMet { report.survey = try? Survey(of: host.root, sizes: Set(goals.map(\.size)).sorted()) }
    return report
  }

  /// Finds out before anything is done whether the pools may be written.
  private func checkWritable(_ host: any HostControl) throws(ReserveError) {
    for goal in goals where goal.asked > .zero {
      for place in places.places(of: goal.size, on: goal.node) {
        do throws(HostWriteError) { try host.requireWritable(place.totalPath) } catch { throw .stop(.write(error)) }
      }
    }
  }

  /// One round. After the first only steps that may bring more again are taken.
  private func climb(
    _ work: ReserveWork, _ report: inout ReserveReport, isFirst: Bool, _ progress: (ReserveStepReport) -> Void
  ) throws(ReserveStop) {
    for step in ReserveLadder.steps where !work.isMet && (isFirst || step.kind != .setPools) {
      let situation = try work.situation()
      let plan = step.plan(situation)
      var stepReport = ReserveStepReport(kind: step.kind, outcome: .done)
      if let permission = step.kind.permission, !options.allowed.contains(permission) {
        guard isFirst else { continue }
        if case .idle(let why) = plan.readiness {
          stepReport.outcome = .skipped(why)
        } else {
          stepReport.outcome = .skipped("needs --allow \(permission.rawValue)")
        }
      } else if case .idle(let why) = plan.readiness {
        guard isFirst else { continue }
        stepReport.outcome = .skipped(why)
      } else if case .refused(let why) = plan.readiness {
        guard isFirst else { continue }
        stepReport.outcome = .skipped("refused: \(why)")
      } else {
        let stop = take(step, work, situation, &stepReport)
        report.steps.append(stepReport)
        progress(stepReport)
        if let stop { throw stop }
        continue
      }
      report.steps.append(stepReport)
      progress(stepReport)
    }
  }

  /// Runs a step, asks for pages after it, and measures both.
  private func take(
    _ step: any ReserveStep, _ work: ReserveWork, _ situation: ReserveSituation, _ report: inout ReserveStepReport
  ) -> ReserveStop? {
    let held = work.heldBySize
    let start = work.host.now
    work.changes = []
    work.notes = []
    var stop: ReserveStop?
    do throws(StepError) {
      try step.run(work, situation)
      if step.kind.isPreparation, !work.isMet {
        try work.step { () throws(ReserveStop) in try work.ask(try work.situation()) }
      }
    } catch {
      switch error {
      case .stop(let reason):
        stop = reason
        report.outcome = .failed("\(reason)")
      case .failed(let why): report.outcome = .failed(why)
      }
    }
    report.time = work.host.now - start
    for (size, count) in work.heldBySize {
      let gained = count.saturatingSubtracting(held[size] ?? .zero)
      if gained > .zero { report.gain[size] = gained }
    }
    report.changes = work.changes
    report.notes = work.notes
    return stop
  }

  private func finished(_ report: ReserveReport, _ work: ReserveWork) -> ReserveReport {
    var report = report
    report.goals = goals.map { PoolOutcome(goal: $0, after: work.held($0)) }
    report.pools = places.all.compactMap { files in
      let pool = PoolChange(files: files, before: before[files] ?? .zero, after: work.expected[files] ?? .zero)
      return goals.contains { $0.size == files.size } || pool.before != pool.after ? pool : nil
    }
    report.nodesAtMargin = work.nodesAtMargin.sorted()
    return report
  }
}

extension ReserveStepKind {
  /// Whether pages are asked for after the step, since it asks for none itself.
  fileprivate var isPreparation: Bool {
    switch self {
    case .shrinkPools, .dropCaches, .compact, .touch: true
    case .setPools, .askAgain, .offline: false
    }
  }
}

/// What a reservation would do, for `--dry-run`.
public struct ReservePlan: Sendable {
  /// A goal, and how many pages the kernel would give for it now.
  public struct Prediction: Sendable, Hashable {
    public let goal: PoolGoal
    public let obtainable: HugePageCount
    /// Of `obtainable`, what the margins leave.
    public let aboveMargin: HugePageCount
  }

  public let predictions: [Prediction]
  public let steps: [ReserveStepPlan]
  public let survey: Survey
  /// Memory that each node may give up.
  public let room: [NodeID: ByteCount]

  init(_ situation: ReserveSituation, steps: [ReserveStepPlan]) {
    predictions = situation.goals.map { goal in
      let places = situation.places.places(of: goal.size, on: goal.node)
      let obtainable = places.reduce(HugePageCount.zero) { $0 + situation.obtainable($1) }
      let above = places.reduce(HugePageCount.zero) {
        $0 + min(situation.obtainable($1), HugePageCount(situation.room.room(on: $1.node) / goal.size.bytes))
      }
      return Prediction(goal: goal, obtainable: obtainable, aboveMargin: above)
    }
    self.steps = steps
    survey = situation.survey
    room = situation.room.byNode
  }
}
