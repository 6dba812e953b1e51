import HostMemory
import MemoryUnits
import PhysicalLayout

/// `megalith.reserve/1`. Pages are numbers; keys are only ever added.
struct ReserveDocument: Encodable {
  let schema = "megalith.reserve/1"
  let isDryRun: Bool
  let goals: [Goal]
  let pools: [Pool]
  let steps: [Step]
  /// Why it ended early.
  let stop: String?
  let returned: [Pool]
  let troubles: [String]
  let nodesAtMargin: [UInt32]
  /// Blocked ranges by reason, for each size of which pages are missing.
  let blocked: [String: [String: UInt64]]
  let remedies: [String: [String: UInt64]]
  let processes: [String]

  struct Goal: Encodable {
    let size: String
    let node: UInt32?
    let before: UInt64
    let target: UInt64
    let after: UInt64?
    let obtained: UInt64?
    let missing: UInt64?
    /// Of a dry run.
    let obtainable: UInt64?
    let obtainableAboveMargin: UInt64?
  }

  struct Pool: Encodable {
    let size: String
    let node: UInt32?
    let before: UInt64
    let after: UInt64

    init(_ change: PoolChange) {
      size = "\(change.files.size)"
      node = change.files.node?.rawValue
      before = change.before.rawValue
      after = change.after.rawValue
    }
  }

  struct Step: Encodable {
    let step: String
    let permission: String?
    /// `ready idle refused` of a dry run, `done skipped failed` else.
    let outcome: String
    let why: String?
    let seconds: Double?
    let gain: [String: UInt64]
    let cost: String?
    let writes: [Write]
    let notes: [String]
  }

  struct Write: Encodable {
    let path: String
    let value: String
  }

  init(_ plan: ReservePlan, _ options: ReserveOptions) {
    isDryRun = true
    goals = plan.predictions.map {
      Goal(
        size: "\($0.goal.size)", node: $0.goal.node?.rawValue, before: $0.goal.before.rawValue, target: $0.goal.target.rawValue,
        after: nil, obtained: nil, missing: nil, obtainable: $0.obtainable.rawValue,
        obtainableAboveMargin: $0.aboveMargin.rawValue)
    }
    pools = []
    steps = plan.steps.map { step in
      let (outcome, why): (String, String?) =
        switch step.readiness {
        case .ready: ("ready", nil)
        case .idle(let why): ("idle", why)
        case .refused(let why): ("refused", why)
        }
      return Step(
        step: step.kind.rawValue, permission: step.kind.permission?.rawValue, outcome: outcome, why: why, seconds: nil,
        gain: step.gain.bySize, cost: step.cost, writes: step.writes.map { Write(path: $0.path, value: $0.value) }, notes: [])
    }
    stop = nil
    returned = []
    troubles = []
    nodesAtMargin = []
    let missing = plan.predictions.filter { $0.aboveMargin < $0.goal.asked }.map(\.goal)
    (blocked, remedies, processes) = Self.blockers(plan.survey, missing)
  }

  init(_ report: ReserveReport, _ options: ReserveOptions) {
    isDryRun = false
    goals = report.goals.map {
      Goal(
        size: "\($0.goal.size)", node: $0.goal.node?.rawValue, before: $0.goal.before.rawValue, target: $0.goal.target.rawValue,
        after: $0.after.rawValue, obtained: $0.obtained.rawValue, missing: $0.missing.rawValue, obtainable: nil,
        obtainableAboveMargin: nil)
    }
    pools = report.pools.map(Pool.init)
    steps = report.steps.map { step in
      let (outcome, why): (String, String?) =
        switch step.outcome {
        case .done: ("done", nil)
        case .skipped(let why): ("skipped", why)
        case .failed(let why): ("failed", why)
        }
      let (seconds, attoseconds) = step.time.components
      return Step(
        step: step.kind.rawValue, permission: step.kind.permission?.rawValue, outcome: outcome, why: why,
        seconds: Double(seconds) + Double(attoseconds / 1_000_000_000_000) / 1_000_000, gain: step.gain.bySize, cost: nil,
        writes: step.changes.map { Write(path: $0.path, value: $0.value) }, notes: step.notes)
    }
    stop = report.stop.map { "\($0)" }
    returned = report.returned.map(Pool.init)
    troubles = report.troubles
    nodesAtMargin = report.nodesAtMargin.map(\.rawValue)
    if let survey = report.survey {
      (blocked, remedies, processes) = Self.blockers(survey, report.goals.filter { $0.missing > .zero }.map(\.goal))
    } else {
      (blocked, remedies, processes) = ([:], [:], [])
    }
  }

  private static func blockers(
    _ survey: Survey, _ goals: [PoolGoal]
  ) -> ([String: [String: UInt64]], [String: [String: UInt64]], [String]) {
    var blocked: [String: [String: UInt64]] = [:]
    var remedies: [String: [String: UInt64]] = [:]
    for result in survey.sizes where goals.contains(where: { $0.size == result.size }) {
      blocked["\(result.size)"] = result.blockedRanges.byName
      remedies["\(result.size)"] = result.remedies.byName
    }
    return (blocked, remedies, ReserveAdvice(survey, goals: goals, Terminal(usesColour: false)).processes)
  }
}

extension Dictionary where Key == PageSize, Value == HugePageCount {
  fileprivate var bySize: [String: UInt64] {
    Dictionary<String, UInt64>(uniqueKeysWithValues: map { ("\($0.key)", $0.value.rawValue) })
  }
}
