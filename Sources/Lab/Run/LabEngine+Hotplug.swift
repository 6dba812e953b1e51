import FrameMap
import Hotplug
import MemoryUnits
import PhysicalLayout

/// Memory that an `add` step brought.
struct AddedMemory {
  let range: FrameRange
  let node: NodeID
  let memmap: [FrameRange]
  var isOnline = false
  var isThere = true
}

extension LabEngine {
  /// Where memory may come.
  var room: [FrameRange] {
    guard let hotplug = lab.machine.policy.hotplug else { return [] }
    let limit = FrameNumber(hotplug.limit, shift, rounded: .down)
    let start = firstPlace
    return start < limit ? [FrameRange(start: start, end: limit)] : []
  }

  func isRoom(_ range: FrameRange) -> Bool { room.contains { $0.overlaps(range) } }

  /// The first memory block behind what the machine booted with.
  private var firstPlace: FrameNumber {
    let end = lab.machine.layout.nodes.flatMap { $0.memory.map { $0.end } }.max() ?? FrameNumber(0)
    return end.aligned(to: lab.machine.hotplug.geometry.blockFrames, .up)
  }

  func perform(_ step: Step.HotplugStep) -> StepOutcome {
    do throws(HotplugError) {
      switch step {
      case .add(let size, let node, let memmap, let zone):
        let count = FrameCount(size, shift, rounded: .up)
        let start = added.filter { $0.isThere }.map { $0.range.end }.max() ?? firstPlace
        let range = FrameRange(start: start, count: count)
        let plan = try lab.machine.add(range, node: node, memmap: memmap)
        added.append(AddedMemory(range: range, node: node, memmap: plan.hosted))
        var text = "memory \(added.count - 1) at \(PhysicalAddress(range.start, shift))"
        if memmap == .fromRange {
          text += ", \(plan.hosted.reduce(FrameCount.zero) { $0 + $1.count }.bytes(shift)) of it for its descriptors"
        }
        guard let zone else { return .done(text + ", not online") }
        try lab.machine.online(range, zone)
        added[added.count - 1].isOnline = true
        return .done(text + ", online")
      case .online(let number, let zone):
        guard let memory = memory(number) else { return .failed("there is no memory \(number)") }
        try lab.machine.online(memory.range, zone)
        added[Int(number)].isOnline = true
        return .done("online")
      case .offline(let number):
        guard let memory = memory(number) else { return .failed("there is no memory \(number)") }
        let before = tally.moved
        try lab.machine.offline(memory.range, owner: owner)
        added[Int(number)].isOnline = false
        return .done("offline, \((tally.moved - before).bytes(shift)) moved")
      case .remove(let number):
        guard let memory = memory(number) else { return .failed("there is no memory \(number)") }
        try lab.machine.remove(memory.range)
        added[Int(number)].isThere = false
        return .done("removed")
      }
    } catch {
      switch error {
      case .busy(let range, let obstacles):
        return .failed("memory from \(PhysicalAddress(range.start, shift)) on is not empty: \(describe(obstacles))")
      case .noRoomForMemmap(let wanted, let missing):
        return .failed("no room for its descriptors: \(missing.bytes(shift)) of \(wanted.bytes(shift)) missing")
      case .beyondLimit: return .failed("the machine has no room for it")
      default: return .failed("\(error)")
      }
    }
  }

  private func memory(_ number: UInt32) -> AddedMemory? {
    guard number < added.count, added[Int(number)].isThere else { return nil }
    return added[Int(number)]
  }
}
