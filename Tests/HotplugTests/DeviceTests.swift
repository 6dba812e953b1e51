import FrameAllocator
import FrameMap
import HostArena
import Hotplug
import HugePools
import Megalith
import MemoryUnits
import Mobility
import PhysicalLayout
import TestSupport
import Testing

/// Memory of devices.
@Suite struct DeviceTests {
  @Test(arguments: Plants.changeable, MemmapPlace.allCases)
  func memoryOfADeviceIsNeverOnline(model: MemoryModel, place: MemmapPlace) throws {
    let plant = try Plants.plain(model)
    let range = mebibytes(256, 272)
    try plant.machine.addDevice(range, memmap: place)
    plant.check()
    let hosted = place == .fromRange
    for (frame, kind) in [(range.start, hosted ? FrameKind.memmap : .device), (range.start + FrameCount(32), .device)] {
      let found = plant.machine.map.descriptor(frame).map { $0.pointee.shape.kind }
      #expect(found == kind || !hosted)
    }
    #expect(refusal { try plant.machine.online(range) } == .isDevice(mebibytes(256, 264)))
    let zone = plant.machine.zones.zone(of: range.start)
    #expect(zone == nil)
    try plant.machine.remove(range)
    plant.finish()
  }

  /// S3.7: units smaller than blocks come one by one; what is free goes first, and nothing that is free is refused.
  @Test(arguments: Plants.changeable) func unitsOfADevice(model: MemoryModel) throws {
    let plant = try Plants.plain(model)
    var device = plant.machine.virtioMemory(region: mebibytes(256, 288), unit: .mebibytes(2))
    func plug(_ count: UInt64) throws -> UInt64 {
      let done = try plant.machine.plug(.mebibytes(count), of: &device).rawValue >> 8
      plant.check()
      return done
    }
    func unplug(_ count: UInt64) throws -> UInt64 {
      let done = try plant.machine.unplug(.mebibytes(count), of: &device, owner: plant.ledger).rawValue >> 8
      plant.check()
      return done
    }
    #expect(try plug(11) == 10)
    let movable = plant.zone(.movable)
    #expect(plant.machine.zones[movable].managed == FrameCount(10 << 8))
    #expect(plant.machine.zones[movable].presentChange == 16 << 8)
    #expect(device.plugged == FrameCount(10 << 8))
    // Of the five units those in the middle are used, one of them by what cannot move.
    let fixed = try plant.machine.zones[movable].claimFolio(at: FrameNumber(258 << 8), order: Order(0), .unmovable)
    let ticket = try plant.movable(Order(4), at: FrameNumber(262 << 8))
    #expect(try unplug(6) == 6)
    let left = plant.machine.hotplug.withheld(in: mebibytes(256, 264))
    #expect(left == [mebibytes(256, 258), mebibytes(260, 262)])
    #expect(plant.ledger.place(of: ticket)?.head == FrameNumber(262 << 8))
    // Then what can move, and never what cannot.
    #expect(try unplug(4) == 2)
    #expect(plant.machine.zones[movable].managed == FrameCount(512))
    // It fills the block first, then goes on to others, to the region's end.
    #expect(try plug(64) == 30)
    plant.machine.free(fixed)
    plant.ledger.free(ticket, to: plant.machine.zones, on: CPUIndex(0))
    #expect(try unplug(64) == 32)
    plant.finish()
  }

  @Test(arguments: Plants.changeable, MemmapPlace.allCases) func bigBlocksOfADevice(model: MemoryModel, place: MemmapPlace) throws
  {
    let plant = try Plants.plain(model)
    var device = plant.machine.virtioMemory(region: mebibytes(256, 320), unit: .mebibytes(16), memmap: place)
    #expect(try plant.machine.plug(.mebibytes(40), of: &device) == FrameCount(32 << 8))
    plant.check()
    let movable = plant.zone(.movable)
    let folio = try plant.machine.zones[movable].claimFolio(at: FrameNumber(282 << 8), order: Order(0), .unmovable)
    #expect(try plant.machine.unplug(.mebibytes(32), of: &device, owner: NoOwner()) == FrameCount(16 << 8))
    let blocks = plant.machine.hotplug.blocks.map { $0.range }
    #expect(blocks == [mebibytes(272, 280), mebibytes(280, 288)])
    plant.machine.free(folio)
    #expect(try plant.machine.unplug(.mebibytes(32), of: &device, owner: NoOwner()) == FrameCount(16 << 8))
    plant.finish()
  }

  /// Where the first unit cannot come, everything is as before.
  @Test(arguments: Plants.changeable) func aDeviceThatGetsNothingLeavesNothing(model: MemoryModel) throws {
    let plant = try Plants.plain(model)
    var device = plant.machine.virtioMemory(region: mebibytes(256, 288), unit: .mebibytes(2))
    let number = plant.machine.hotplug.register { $0.step != .goingOnline }
    #expect(throws: HotplugError.vetoed(by: number)) { try plant.machine.plug(.mebibytes(4), of: &device) }
    plant.finish()
    plant.machine.hotplug.unregister(number)
    #expect(throws: HotplugError.beyondLimit(mebibytes(2048, 2056), limit: FrameNumber(2048 << 8))) {
      var far = plant.machine.virtioMemory(region: mebibytes(2048, 2056), unit: .mebibytes(2))
      _ = try plant.machine.plug(.mebibytes(4), of: &far)
    }
    plant.finish()
  }

  /// Pages of pools in the range: free ones find another place, or go; those that were promised stay.
  @Test(arguments: Plants.changeable) func pagesOfPools(model: MemoryModel) throws {
    let plant = try Plants.plain(model)
    let range = mebibytes(256, 264)
    try plant.machine.add(range)
    try plant.machine.online(range, .kernel)
    let size = PageSize(shift: PageShift(21))
    let normal = plant.zone(.normal)
    for start in [UInt64(256), 260] {
      let folio = try plant.machine.zones[normal].claimFolio(
        at: FrameNumber(start << 8), order: Order(9), .unmovable, kind: .hugePool)
      plant.machine.memory.pools.adopt(folio, size, on: NodeID(0), zones: plant.machine.zones)
    }
    let before = plant.dump
    // With an owner that asks the pools they move, and the pool keeps its size.
    try plant.machine.offline(range, owner: PlantOwner(plant: plant))
    #expect(
      plant.machine.memory.pools.counts(size) == before.pools[1] || before.pools.contains(plant.machine.memory.pools.counts(size))
    )
    try plant.machine.online(range, .kernel)
    plant.machine.memory.pools.drain(zones: plant.machine.zones, on: CPUIndex(0))
    for start in [UInt64(256), 260] {
      let folio = try plant.machine.zones[normal].claimFolio(
        at: FrameNumber(start << 8), order: Order(9), .unmovable, kind: .hugePool)
      plant.machine.memory.pools.adopt(folio, size, on: NodeID(0), zones: plant.machine.zones)
    }
    // With one that cannot they are given up; where the rest does not go, they are made again.
    let pinned = try plant.movable(Order(0), at: FrameNumber(258 << 8))
    _ = try plant.machine.zones.tryGet(FrameNumber(258 << 8), on: CPUIndex(0))
    let full = plant.dump
    let refused = refusal { try plant.machine.offline(range, owner: plant.ledger) }
    if case .busy = refused {} else { Issue.record("\(refused as Any)") }
    #expect(plant.dump == full)
    plant.machine.zones.put(FrameNumber(258 << 8), on: CPUIndex(0))
    try plant.machine.offline(range, owner: plant.ledger)
    #expect(plant.machine.memory.pools.counts(size).total == .zero)
    plant.ledger.free(pinned, to: plant.machine.zones, on: CPUIndex(0))
    try plant.machine.remove(range)
    plant.finish()
  }
}
