import MemoryUnits
import PhysicalLayout

/// Has the kernel compact each node on which pages are missing; frames between lists settle too.
///
/// Linux: `/sys/devices/system/node/nodeN/compact`, `vm.compact_memory` where there are no nodes.
struct CompactStep: ReserveStep {
  let kind = ReserveStepKind.compact

  private func changes(_ situation: ReserveSituation) -> [HostChange] {
    situation.concernedNodes.map { node in
      HostChange(path: node.map { "sys/devices/system/node/node\($0)/compact" } ?? "proc/sys/vm/compact_memory", value: "1")
    }
  }

  func plan(_ situation: ReserveSituation) -> ReserveStepPlan {
    var plan = ReserveStepPlan(kind)
    plan.gain = situation.gain(after: .compact)
    plan.writes = changes(situation)
    plan.cost = "processor time of the kernel, and stalls of those whose pages move"
    return plan
  }

  func run(_ work: ReserveWork, _ situation: ReserveSituation) throws(StepError) {
    for change in changes(situation) { try work.prepare(change.path, change.value) }
  }
}
