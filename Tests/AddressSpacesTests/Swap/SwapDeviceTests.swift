import FrameContents
import HostArena
import MemoryUnits
import Synchronization
import TestSupport
import Testing

@testable import AddressSpaces

private func frames(_ start: UInt64, _ count: UInt64) -> FrameRange {
  FrameRange(start: FrameNumber(start), count: FrameCount(count))
}

/// Pages go to devices in memory and come back.
@Suite struct SwapDeviceTests {
  /// Bytes that begin at no alignment, and end inside a page.
  private func makeDevice(_ slots: Int, onRelease: @escaping @Sendable () -> Void = {}) -> MemorySwapDevice {
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: slots * 4096 + 1000, alignment: 4096)
    let address = UInt(bitPattern: buffer.baseAddress)
    return MemorySwapDevice(UnsafeMutableRawBufferPointer(rebasing: buffer[3...]), baseShift: PageShift(12)) {
      UnsafeMutableRawPointer(bitPattern: address)?.deallocate()
      onRelease()
    }
  }

  @Test(arguments: 1...4 as ClosedRange<UInt64>) func nothingIsLost(seed: UInt64) throws {
    let device = makeDevice(100)
    #expect(device.slots == SlotCount(100))
    #expect(try SwapTrial.lostSlots(on: device, steps: 60, seed: seed) == [])
    #expect(try SwapTrial.lostSlots(on: makeDevice(1), steps: 5, seed: seed) == [])
  }

  @Test func bytesAreGivenBackOnce() throws {
    let counter = Counter()
    var device: MemorySwapDevice? = makeDevice(4) { counter.count.withLock { $0 += 1 } }
    var area: SwapArea? = device.map { SwapArea($0, pause: {}) }
    device = nil
    #expect(counter.count.withLock { $0 } == 0)
    #expect(area?.slots == SlotCount(4))
    area = nil
    #expect(counter.count.withLock { $0 } == 1)
  }

  @Test func framesWithoutBytesAndDevicesWithoutAreToldApart() throws {
    let memory = SwapTrial.memory()
    let device = makeDevice(8)
    let empty = MemorySwapDevice(slots: SlotCount(8), baseShift: PageShift(12))
    #expect(throws: SwapDeviceError.contents(.metadataOnly)) { try device.write(frames(0, 1), to: SwapSlot(0), in: nil) }
    #expect(throws: SwapDeviceError.contents(.metadataOnly)) { try device.read(SwapSlot(0), into: frames(0, 1), in: nil) }
    #expect(throws: SwapDeviceError.keepsNoBytes) { try empty.write(frames(0, 1), to: SwapSlot(0), in: memory.map) }
    #expect(throws: SwapDeviceError.keepsNoBytes) { try empty.read(SwapSlot(0), into: frames(0, 1), in: memory.map) }
    try empty.write(frames(0, 8), to: SwapSlot(0), in: nil)
    try empty.read(SwapSlot(4), into: frames(0, 4), in: nil)
  }

  @Test func aHoleIsFoundBeforeAnythingIsWritten() throws {
    let memory = SwapTrial.memory()
    let device = makeDevice(8)
    for frame in 60..<64 as Range<UInt64> { try memory.stamp(FrameNumber(frame), 1) }
    try device.write(frames(60, 4), to: SwapSlot(0), in: memory.map)
    for frame in 60..<64 as Range<UInt64> { try memory.stamp(FrameNumber(frame), 2) }
    #expect(throws: SwapDeviceError.contents(.noContents(FrameNumber(64)))) {
      try device.write(frames(60, 8), to: SwapSlot(0), in: memory.map)
    }
    try device.read(SwapSlot(0), into: frames(100, 4), in: memory.map)
    for frame in 100..<104 as Range<UInt64> { #expect(try memory.mark(FrameNumber(frame)) == 1) }
  }

  @Test func aFailureLeavesSlotsAndFramesWithWhoHeldThem() throws {
    let memory = SwapTrial.memory()
    let device = FaultyDevice(makeDevice(16))
    let area = SwapArea(device, pause: {})
    let slot = try area.take(Order(3))
    for number in 0..<8 as Range<UInt64> { try memory.stamp(FrameNumber(4 + number), number) }
    device.failWrite(at: 0)
    #expect(throws: SwapDeviceError.failed(slot + SlotCount(4), code: 5)) {
      try area.write(frames(4, 8), to: slot, in: memory.map)
    }
    // The frames are as they were, and another slot takes them.
    let other = try area.take(Order(3))
    area.release(SlotRange(start: slot, count: SlotCount(8)))
    try area.write(frames(4, 8), to: other, in: memory.map)
    device.failRead(at: 1)
    try area.read(other, into: frames(130, 8), in: memory.map)
    #expect(throws: SwapDeviceError.failed(other + SlotCount(4), code: 5)) {
      try area.read(other, into: frames(110, 8), in: memory.map)
    }
    try area.read(other, into: frames(110, 8), in: memory.map)
    for number in 0..<8 as Range<UInt64> {
      #expect(try memory.mark(FrameNumber(130 + number)) == number && memory.mark(FrameNumber(110 + number)) == number)
    }
    #expect(device.state.writes == 2 && device.state.reads == 3)
    #expect(area.release(SlotRange(start: other, count: SlotCount(8))) == SlotCount(8))
    #expect(area.free == area.slots)
    try area.checkInvariants()
  }

  /// Pages of a machine of real memory, each somewhere else, and one huge page in one call.
  @Test func pagesOfAMachineComeBack() throws {
    let world = try World(contents: .mebibytes(64))
    world.grow(.huge, to: 2)
    let area = SwapArea(makeDevice(1024), pause: {})
    let space = try world.space()
    let map = world.machine.contents
    let contents = try #require(map)
    for size in [PageSize.small, .huge] {
      let pages = size == .small ? 16 : 1 as UInt64
      let order = size.order(baseShift: PageShift(12))
      let range = try world.map(.anonymous(size), size.bytes * pages, in: space) { $0.populates = true }
      let step = ByteCount(4096)
      for page in 0..<range.count / step { try world.write(UInt8(page % 251 + 1), at: range.start + step * page, in: space) }
      let heads = (0..<pages).map { page in
        world.machine.memory.walk.find(space.root, range.start + size.bytes * page, downTo: TableLevel(0)).1.frame
      }
      var taken: [SwapSlot] = []
      for head in heads {
        taken.append(try area.take(order))
        try area.write(FrameRange(blockAt: head, order: order), to: taken[taken.count - 1], in: contents)
      }
      for page in 0..<range.count / step { try world.write(0, at: range.start + step * page, in: space) }
      for (head, slot) in zip(heads, taken) {
        try area.read(slot, into: FrameRange(blockAt: head, order: order), in: contents)
        area.release(SlotRange(start: slot, count: SlotCount(order)))
      }
      for page in 0..<range.count / step {
        #expect(try world.byte(at: range.start + step * page, in: space) == UInt8(page % 251 + 1))
      }
    }
    #expect(area.free == area.slots)
    world.end(space)
    try world.finish()
  }

  @Test func misuseTraps() async {
    await #expect(processExitsWith: .failure) {
      try MemorySwapDevice(slots: SlotCount(8), baseShift: PageShift(12)).write(frames(0, 2), to: SwapSlot(7), in: nil)
    }
  }
}

private final class Counter: Sendable {
  let count = Mutex(0)
}
