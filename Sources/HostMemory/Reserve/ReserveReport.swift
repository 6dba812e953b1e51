public import MemoryUnits
public import PhysicalLayout

/// The steps of a reservation, in the order in which they are taken. Names are part of the JSON shapes.
public enum ReserveStepKind: String, Sendable, CaseIterable, Hashable {
  case setPools, shrinkPools, dropCaches, compact, touch, askAgain, offline

  /// What the operator must allow first.
  public var permission: ReservePermission? {
    switch self {
    case .shrinkPools: .shrinkPools
    case .dropCaches: .dropCaches
    case .touch: .touch
    case .offline: .offline
    case .setPools, .compact, .askAgain: nil
    }
  }
}

/// A write to a file of the host, done or intended.
public struct HostChange: Hashable, Sendable {
  public let path: String
  public let value: String

  public init(path: String, value: String) {
    self.path = path
    self.value = value
  }
}

/// What a step would do.
public struct ReserveStepPlan: Hashable, Sendable {
  public enum Readiness: Hashable, Sendable {
    case ready
    /// There is nothing for it to do; why.
    case idle(String)
    /// It is not safe here; why.
    case refused(String)
  }

  public let kind: ReserveStepKind
  public internal(set) var readiness = Readiness.ready
  /// Pages more, at most.
  public internal(set) var gain: [PageSize: HugePageCount] = [:]
  /// What it costs, for people.
  public internal(set) var cost = ""
  /// Every file that it may write. Values that hang on what earlier steps gave are named by a word in angle brackets.
  public internal(set) var writes: [HostChange] = []

  init(_ kind: ReserveStepKind) { self.kind = kind }
}

/// What a step did.
public struct ReserveStepReport: Hashable, Sendable {
  public enum Outcome: Hashable, Sendable {
    case done
    case skipped(String)
    /// It did not come to its end; why.
    case failed(String)
  }

  public let kind: ReserveStepKind
  public internal(set) var outcome: Outcome
  public internal(set) var time = Duration.zero
  /// Pages that were got, by size.
  public internal(set) var gain: [PageSize: HugePageCount] = [:]
  /// Writes that the host took.
  public internal(set) var changes: [HostChange] = []
  /// What happened besides, a sentence each.
  public internal(set) var notes: [String] = []
}

/// A pool before and after.
public struct PoolChange: Hashable, Sendable {
  public let files: HugePoolFiles
  public let before: HugePageCount
  public let after: HugePageCount
}

/// What a goal came to.
public struct PoolOutcome: Hashable, Sendable {
  public let goal: PoolGoal
  public let after: HugePageCount

  public var obtained: HugePageCount { after.saturatingSubtracting(goal.before) }
  public var missing: HugePageCount { goal.target.saturatingSubtracting(after) }
}

/// How a reservation ended.
public struct ReserveReport: Sendable {
  public internal(set) var goals: [PoolOutcome] = []
  /// Every pool that the reservation dealt with, changed or not.
  public internal(set) var pools: [PoolChange] = []
  public internal(set) var steps: [ReserveStepReport] = []
  /// Nil where the ladder was climbed to its end, or to the goal.
  public internal(set) var stop: ReserveStop?
  /// Nodes on which the margin kept pages from being asked for.
  public internal(set) var nodesAtMargin: [NodeID] = []
  /// Pools to which pages were returned, with ``ReserveOptions/rollsBack``.
  public internal(set) var returned: [PoolChange] = []
  /// What could not be put back, a sentence each.
  public internal(set) var troubles: [String] = []
  /// The host at the end, where it could be surveyed and something is missing: what blocks the rest.
  public internal(set) var survey: Survey?

  public var isMet: Bool { goals.allSatisfy { $0.missing == .zero } }
}
