import FrameAllocator
import FrameMap
import Hotplug
import Megalith
import MemoryUnits
import PhysicalLayout
import Testing

/// A map set addresses aside for all that its architecture can address, 512 TiB of descriptors for the 56 bits of riscv64: more than a
/// process has, so that no machine of it booted where memory may come later.
@Suite struct WideAddressTests {
  @Test(arguments: [MemoryModel.sparse, .sparseExtreme, .vmemmap]) func aWideMachineBoots(model: MemoryModel) throws {
    let layout = try BootLayout(of: PhysicalMemory(total: .gibibytes(1), architecture: .riscv64).boot())
    let machine = try Machine(layout, model: model)
    try machine.checkInvariants()
    let end = try #require(layout.nodes[0].memory.last?.end)
    #expect(machine.map.descriptor(end - FrameCount(1)) != nil)
    #expect(machine.map.descriptor(end) == nil)
    #expect(machine.map.descriptor(FrameNumber(1 << 43)) == nil)
    let block = FrameRange(start: end, count: layout.architecture.sectionFrames)
    #expect(throws: HotplugError.notPluggable) { try machine.add(block) }
  }

  @Test(arguments: [MemoryModel.sparse, .sparseExtreme, .vmemmap]) func itGrowsUpToItsLimit(model: MemoryModel) throws {
    let layout = try BootLayout(of: PhysicalMemory(total: .gibibytes(1), architecture: .riscv64).boot())
    var policy = MachinePolicy()
    // Not at the end of memory: a gap of 62 GiB lies between.
    policy.hotplug = HotplugRoom(limit: PhysicalAddress(64 << 30))
    let machine = try Machine(layout, model: model, policy: policy)
    let section = layout.architecture.sectionFrames
    let limit = FrameNumber(1 << 24)
    let last = FrameRange(start: limit - section, end: limit)
    try machine.add(last)
    try machine.online(last)
    #expect(machine.map.descriptor(limit - FrameCount(1)) != nil)
    try machine.checkInvariants()
    let beyond = FrameRange(start: limit, count: section)
    #expect(throws: HotplugError.beyondLimit(beyond, limit: limit)) { try machine.add(beyond) }
    try machine.offline(last)
    try machine.remove(last)
    try machine.checkInvariants()
  }
}
