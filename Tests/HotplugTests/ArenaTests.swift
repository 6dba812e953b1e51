import FrameAllocator
import FrameContents
import FrameMap
import Glibc
import HostArena
import Hotplug
import Megalith
import MemoryUnits
import PhysicalLayout
import TestSupport
import Testing

/// Machines whose descriptors lie in their own frames.
@Suite struct ArenaTests {
  private static func plant(_ model: MemoryModel, _ hosting: HostingUnit) throws -> Plant<ArenaStorage> {
    let layout = try Plants.layout()
    let later = PhysicalRange(start: PhysicalAddress(256 << 20), end: PhysicalAddress(320 << 20))
    let arena = try Arena(layout.memory.map { PhysicalRange($0, PageShift(12)) } + [later], baseShift: PageShift(12))
    let machine = Plants.policy(hosting)
    return try Plant(machine: try Machine(layout, model: model, policy: machine, arena: arena))
  }

  /// A descriptor's bytes as the frame that holds it shows them: `place` bytes into the memmap of the range.
  private func word(_ plant: Plant<ArenaStorage>, _ frame: FrameNumber, _ place: Int) throws -> UInt64 {
    let contents = plant.machine.contents
    return try #require(contents).withBytes(of: frame) { bytes in
      (0..<8).reduce(UInt64(0)) { $0 | UInt64(bytes[place + $1]) << (8 * UInt64($1)) }
    }
  }

  // 32 bytes a descriptor: 128 of them fill a frame.
  @Test(arguments: Plants.changeable, [HostingUnit.eachBlock, .wholeRange])
  func descriptorsLieInTheAddedFrames(model: MemoryModel, hosting: HostingUnit) throws {
    let plant = try Self.plant(model, hosting)
    let range = mebibytes(256, 288)
    let plan = try plant.machine.add(range, memmap: .fromRange)
    #expect(plan.memmapFrames == FrameCount(64))
    try plant.machine.online(range, .movable)
    plant.check()
    let movable = plant.zone(.movable)
    for block in 0..<UInt64(4) {
      let first = FrameNumber(256 << 8) + FrameCount(2048 * block)
      for offset in [UInt64(700), 2047] {
        let frame = first + FrameCount(offset)
        let folio = try plant.machine.zones[movable].claimFolio(at: frame, order: Order(0), .movable)
        let memmap = hosting == .wholeRange ? range.start + FrameCount(16 * block) : first
        let holder = memmap + FrameCount(offset / 128)
        // The first word of a descriptor is its counts: one reference.
        #expect(try word(plant, holder, Int(offset % 128) * 32) == FrameCounts.references(1).rawValue)
        plant.machine.free(folio)
        #expect(try word(plant, holder, Int(offset % 128) * 32) == 0)
      }
    }
    try plant.machine.offline(range)
    for block in [UInt64(0), 3, 1, 2] { try plant.machine.remove(mebibytes(256 + block * 8, 264 + block * 8)) }
    plant.finish()
  }

  /// Descriptors elsewhere take frames of the machine, and give them back.
  @Test(arguments: Plants.changeable) func descriptorsElsewhereTakeFrames(model: MemoryModel) throws {
    let plant = try Self.plant(model, .eachBlock)
    let range = mebibytes(256, 288)
    try plant.machine.add(range, memmap: .elsewhere)
    let dma = plant.zone(.dma)
    let free = plant.machine.zones[dma].freeFrames()
    #expect(plant.boot.zones[Int(dma.rawValue)].free - free == FrameCount(64))
    try plant.machine.online(range, .movable)
    let folio = try plant.machine.allocate(Order(4), FrameRequest(.movable))
    #expect(range.contains(folio.head))
    plant.machine.free(folio)
    plant.check()
    try plant.machine.offline(range)
    try plant.machine.remove(range)
    plant.finish()
  }

  private static func touch(afterRemoval: Bool) throws {
    let plant = try plant(.vmemmap, .eachBlock)
    let range = mebibytes(256, 264)
    try plant.machine.add(range, memmap: .fromRange)
    guard let descriptor = plant.machine.map.descriptor(range.end - FrameCount(1)) else { exit(0) }
    if afterRemoval { try plant.machine.remove(range) }
    exit(descriptor.pointee.counts.isZero ? 0 : 3)
  }

  // S1.3: the mapping goes, though its frames return to no allocator.
  @Test func nothingIsReachedAfterRemoval() async {
    await #expect(processExitsWith: .success) { try ArenaTests.touch(afterRemoval: false) }
    await #expect(processExitsWith: .signal(SIGSEGV)) {
      signal(SIGSEGV, SIG_DFL)
      try ArenaTests.touch(afterRemoval: true)
    }
  }
}
