import MemoryUnits
import PhysicalLayout

/// Makes the kernel hand over memory that it still keeps, by touching and releasing it in a child process that is first in line
/// for the out-of-memory killer.
struct TouchStep: ReserveStep {
  let kind = ReserveStepKind.touch

  func plan(_ situation: ReserveSituation) -> ReserveStepPlan {
    var plan = ReserveStepPlan(kind)
    plan.gain = situation.gain(after: .touch)
    let nodes = situation.concernedNodes.compactMap(\.self)
    guard let later = situation.survey.reports.handedOverLater else { return plan.idle("what the kernel keeps back is unknown") }
    let bytes = ByteCount(later, situation.baseShift).aligned(to: .mebibytes(1), .down)
    guard bytes >= DeferredMemory.least else { return plan.idle("the kernel has handed over all memory") }
    guard !nodes.isEmpty else { return plan.idle("this kernel has no nodes") }
    plan.cost = "a child process takes free memory down to the margin, then \(bytes) that was kept back; the kernel may end it"
    plan.writes = [HostChange(path: "proc/<child>/oom_score_adj", value: "1000")]
    if !situation.hazards.isEmpty, !situation.options.forcesTouch {
      return plan.refused(situation.hazards.map(\.description).joined(separator: ", ") + "; --force-touch does it all the same")
    }
    let free = situation.freeMemory
    if let left = situation.groupMemory, left < free + DeferredMemory.least {
      return plan.refused("its control group leaves \(left), and \(free) of free memory come first")
    }
    return plan
  }

  func run(_ work: ReserveWork, _ situation: ReserveSituation) throws(StepError) {
    try work.step { () throws(ReserveStop) in try work.checkpoint() }
    work.forget()
    var limits = TouchLimits(nodes: situation.concernedNodes.compactMap(\.self), margin: work.options.margin)
    limits.time = work.timeLeft
    do throws(TouchError) {
      let report = try work.host.touch(limits)
      work.changes.append(HostChange(path: "proc/<child>/oom_score_adj", value: "1000"))
      work.notes.append("a child touched \(report.touched) \(report.end.description)")
    } catch {
      try work.step { () throws(ReserveStop) in try work.checkpoint() }
      switch error {
      case .notStarted(let code): throw .failed("no child could be started, error \(code)")
      case .ended(let status): throw .failed("the child ended early, status \(status): the kernel may have ended it")
      }
    }
    try work.step { () throws(ReserveStop) in try work.checkpoint() }
  }
}
