import MemoryUnits
import PhysicalLayout

/// Asks the kernel for the pages that are missing: at the beginning, and again when everything else was prepared.
struct SetPoolsStep: ReserveStep {
  let kind: ReserveStepKind

  func plan(_ situation: ReserveSituation) -> ReserveStepPlan {
    var plan = ReserveStepPlan(kind)
    var work = FrameCount.zero
    for goal in situation.goals {
      let missing = situation.missing(goal)
      if missing == .zero { continue }
      var left = missing
      for place in situation.order(situation.places.places(of: goal.size, on: goal.node)) {
        let room = HugePageCount(situation.room.room(on: place.node) / place.size.bytes)
        let count = min(left, room, situation.obtainable(place))
        left -= count
        if kind == .setPools { plan.gain[goal.size, default: .zero] += count }
        plan.writes.append(
          HostChange(
            path: place.totalPath,
            value: "<\(situation.persistent(place) + HugePageCount(1)) to \(situation.persistent(place) + missing)>"))
      }
      work += situation.result(of: goal.size)?.workByNode.values.reduce(.zero, +) ?? .zero
    }
    let moved = ByteCount(work, situation.baseShift).aligned(to: .mebibytes(1), .up)
    plan.cost =
      kind == .setPools
      ? "the kernel moves or drops up to \(moved) of memory" : "what setPools costs, for what is still missing"
    return plan
  }

  func run(_ work: ReserveWork, _ situation: ReserveSituation) throws(StepError) {
    try work.step { () throws(ReserveStop) in try work.ask(situation) }
  }
}
