import FrameMap
import HostArena
import Hotplug
import Megalith
import MemoryUnits
import PhysicalLayout
import Testing

/// Memory of the boot that had gone offline and was removed was taken for memory that is online when it was to go offline once more: the
/// zone's list of what it booted with still had it. Listeners were asked, and the refusal said that it is busy.
@Suite struct GoneBootMemoryTests {
  @Test(arguments: [MemoryModel.sparse, .sparseExtreme, .vmemmap]) func whatWasRemovedIsNoMemory(model: MemoryModel) throws {
    var architecture = Architecture.arm64Granule4K
    architecture.sectionSize = .mebibytes(8)
    architecture.smallestMemoryBlock = .mebibytes(8)
    architecture.largestMemoryBlock = .mebibytes(8)
    architecture.addressLimit = PhysicalAddress(8 << 30)
    var policy = MachinePolicy()
    policy.hotplug = HotplugRoom(limit: PhysicalAddress(1 << 30))
    let machine = try Machine(
      BootLayout(of: PhysicalMemory(total: .mebibytes(64), architecture: architecture).boot()), model: model, policy: policy)
    let block = FrameRange(start: FrameNumber(48 << 8), end: FrameNumber(56 << 8))
    let longer = FrameRange(start: FrameNumber(40 << 8), end: FrameNumber(56 << 8))
    try machine.offline(block)
    try machine.remove(block)
    #expect(throws: HotplugError.noSuchBlock(block.start)) { try machine.offline(block) }
    #expect(throws: HotplugError.hasHoles(longer, first: block.start)) { try machine.offline(longer) }
    try machine.checkInvariants()
    #expect(machine.hotplug.blocks.isEmpty)
  }
}
