import MemoryUnits
import PhysicalLayout

/// Drops clean file cache, and slab objects that can be made anew.
///
/// Linux: `vm.drop_caches`.
struct DropCachesStep: ReserveStep {
  let kind = ReserveStepKind.dropCaches
  private static let change = HostChange(path: "proc/sys/vm/drop_caches", value: "3")

  func plan(_ situation: ReserveSituation) -> ReserveStepPlan {
    var plan = ReserveStepPlan(kind)
    plan.gain = situation.gain(after: .dropCaches)
    plan.writes = [Self.change]
    plan.cost = "all clean file cache of the host is read again from its disks when it is needed"
    return plan
  }

  func run(_ work: ReserveWork, _ situation: ReserveSituation) throws(StepError) {
    try work.prepare(Self.change.path, Self.change.value)
  }
}
