import FrameMap
import FrameAllocator
import HostArena
import Hotplug
import Megalith
import MemoryUnits
import PhysicalLayout
import Synchronization
import TestSupport
import Testing

extension BreakingStorage: MachineStorage {
  public typealias Mover = HostMover
}

/// A unit that a listener refuses is removed again, and where it had completed a section that needed storage: without it the machine
/// trapped. And a unit that could not be removed for want of storage was put online again, which a listener could refuse: it stayed
/// offline while the device counted it.
@Suite struct DeviceRollbackTests {
  @Test func refusalsAndStorageTogetherLeaveEverythingAsItWas() throws {
    var architecture = Architecture.arm64Granule4K
    architecture.sectionSize = .mebibytes(8)
    architecture.smallestMemoryBlock = .mebibytes(8)
    architecture.largestMemoryBlock = .mebibytes(8)
    architecture.addressLimit = PhysicalAddress(8 << 30)
    var policy = MachinePolicy()
    policy.hotplug = HotplugRoom(limit: PhysicalAddress(1 << 30))
    policy.hotplug?.policy.blockSize = .mebibytes(2)
    let storage = BreakingStorage()
    let machine = try Machine(
      BootLayout(of: PhysicalMemory(total: .mebibytes(64), architecture: architecture).boot()), model: .vmemmap, policy: policy,
      storage: storage)
    let region = FrameRange(start: FrameNumber(256 << 8), end: FrameNumber(272 << 8))
    var device = machine.virtioMemory(region: region, unit: .mebibytes(2))
    _ = try machine.plug(.mebibytes(6), of: &device)
    let refuses = Mutex(false)
    let number = machine.hotplug.register { event in !(event.step == .goingOnline && refuses.withLock { $0 }) }
    func state() -> ([MemoryBlock], [FrameCount], FrameCount) {
      (machine.hotplug.blocks, machine.zones.indices.map { machine.zones[$0].managed }, machine.map.memoryFrames)
    }
    func expect(_ before: ([MemoryBlock], [FrameCount], FrameCount)) throws {
      try machine.checkInvariants()
      #expect(state() == before)
    }
    // The fourth unit makes the section whole.
    let three = state()
    refuses.withLock { $0 = true }
    for failure in 0..<4 {
      storage.inner.fail(at: failure)
      #expect(throws: HotplugError.self) { _ = try machine.plug(.mebibytes(2), of: &device) }
      try expect(three)
    }
    storage.inner.fail(at: nil)
    refuses.withLock { $0 = false }
    #expect(try machine.plug(.mebibytes(2), of: &device) == FrameCount(512))
    // The bits of the section's frames find no storage, and the listener would refuse the unit if it came back.
    let four = state()
    refuses.withLock { $0 = true }
    storage.inner.fail(at: 0)
    // Another unit of the section finds it.
    let plugged = device.plugged
    #expect(try machine.unplug(.mebibytes(2), of: &device, owner: machine.memory.owner) == FrameCount(512))
    #expect(device.plugged == plugged - FrameCount(512))
    let managed = machine.zones.indices.reduce(FrameCount.zero) { $0 + machine.zones[$1].managed }
    #expect(managed == four.1.reduce(FrameCount.zero) { $0 + $1 } - FrameCount(512))
    #expect(machine.hotplug.blocks.allSatisfy { $0.state != .offline })
    try machine.checkInvariants()
    #expect(try machine.unplug(.mebibytes(8), of: &device, owner: machine.memory.owner) == FrameCount(3 * 512))
    storage.inner.fail(at: nil)
    machine.hotplug.unregister(number)
    let held = try machine.checkInvariants()
    #expect(held == .zero && machine.hotplug.blocks.isEmpty && storage.inner.state.violations.isEmpty)
  }
}
