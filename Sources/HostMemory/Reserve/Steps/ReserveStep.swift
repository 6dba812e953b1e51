import MemoryUnits
import PhysicalLayout

/// A rung of the ladder: first says what it would do, then does it.
///
/// Steps that prepare memory do not ask for pages themselves; the ladder does that after each of them.
protocol ReserveStep: Sendable {
  var kind: ReserveStepKind { get }
  /// Reads only what the situation holds, and the host's files; changes nothing.
  func plan(_ situation: ReserveSituation) -> ReserveStepPlan
  func run(_ work: ReserveWork, _ situation: ReserveSituation) throws(StepError)
}

/// How a step ends early.
enum StepError: Error {
  /// The whole reservation ends.
  case stop(ReserveStop)
  /// This step ends; the next ones are taken.
  case failed(String)
}

/// The rungs, lowest first: what disturbs a host least comes first.
enum ReserveLadder {
  static let steps: [any ReserveStep] = [
    SetPoolsStep(kind: .setPools), ShrinkPoolsStep(), DropCachesStep(), CompactStep(), TouchStep(), SetPoolsStep(kind: .askAgain),
    OfflineStep(),
  ]
}

extension ReserveWork {
  /// Writes a setting on behalf of a step; where the kernel refuses, only the step ends.
  func prepare(_ path: String, _ value: String, limit: Duration? = nil) throws(StepError) {
    try step { () throws(ReserveStop) in try checkpoint() }
    do throws(HostWriteError) {
      try set(path, to: value, limit: limit)
    } catch {
      try step { () throws(ReserveStop) in try checkpoint() }
      throw .failed("\(error)")
    }
  }

  func step(_ body: () throws(ReserveStop) -> Void) throws(StepError) {
    do throws(ReserveStop) { try body() } catch { throw .stop(error) }
  }
}

extension ReserveStepPlan {
  func idle(_ why: String) -> ReserveStepPlan {
    var plan = self
    plan.readiness = .idle(why)
    return plan
  }

  func refused(_ why: String) -> ReserveStepPlan {
    var plan = self
    plan.readiness = .refused(why)
    return plan
  }
}
