import FrameAllocator
import FrameMap
import HostArena
import Hotplug
import Megalith
import MemoryUnits
import Mobility
import PhysicalLayout
import TestSupport
import Testing

/// Memory comes, is used, and goes.
@Suite struct BlockTests {
  /// S3.3: memory blocks apart from sections, down to 2 MiB under the virtual model.
  @Test(arguments: Plants.changeable, HostingUnit.allCases)
  func memoryComesIsUsedAndGoes(model: MemoryModel, hosting: HostingUnit) throws {
    let sizes: [ByteCount] =
      model == .vmemmap ? [.mebibytes(2), .mebibytes(8), .mebibytes(16)] : [.mebibytes(8), .mebibytes(16)]
    for size in sizes {
      for place in MemmapPlace.allCases {
        let plant = try Plants.plain(model, hosting, block: size)
        let range = mebibytes(256, 288)
        let plan = try plant.machine.add(range, memmap: place)
        plant.check()
        // 64 bytes a frame, of which 4096 fill one.
        #expect(plan.memmapFrames == FrameCount(128))
        let isHosted = place == .fromRange && hosting != .oneBlock
        #expect(plan.hosted.reduce(FrameCount.zero) { $0 + $1.count } == FrameCount(isHosted ? 128 : 0))
        let normal = plant.zone(.normal)
        let movable = plant.zone(.movable)
        let kernel = try plant.machine.online(mebibytes(256, 272))
        let other = try plant.machine.online(mebibytes(272, 288), .movable)
        #expect(kernel == normal && other == movable)
        plant.check()
        let managed = plant.machine.zones[normal].managed + plant.machine.zones[movable].managed
        #expect(managed == range.count - FrameCount(isHosted ? 128 : 0))
        let shown = plant.machine.snapshot().zones.filter { $0.kind >= ZoneKind.normal }
        #expect(shown.map { $0.span } == [mebibytes(256, 272), mebibytes(272, 288)])
        #expect(shown.allSatisfy { $0.present == FrameCount(4096) })

        let folio = try plant.machine.allocate(Order(0), FrameRequest(.movable, highestZone: .movable))
        #expect(mebibytes(272, 288).contains(folio.head))
        plant.machine.free(folio)
        try plant.machine.offline(mebibytes(256, 272), owner: plant.ledger)
        try plant.machine.offline(mebibytes(272, 288), owner: plant.ledger)
        plant.check()
        try plant.machine.remove(range)
        plant.finish()
      }
    }
  }

  /// Memory of the boot goes and comes back, to another zone too, in every model.
  @Test(arguments: MemoryModel.allCases) func memoryOfTheBootGoesAndComesBack(model: MemoryModel) throws {
    let plant = try Plants.plain(model)
    let range = mebibytes(16, 32)
    try plant.machine.offline(range, owner: NoOwner())
    plant.check()
    let present = plant.machine.snapshot().zones.map { $0.present }
    #expect(present == [FrameCount(12288)])
    try plant.machine.online(mebibytes(16, 24), .movable)
    try plant.machine.online(mebibytes(24, 32), .kernel)
    plant.check()
    try plant.machine.offline(mebibytes(16, 24))
    if model.canChange {
      try plant.machine.remove(mebibytes(16, 24))
      plant.check()
      try plant.machine.add(mebibytes(16, 24))
    } else {
      #expect(refusal { try plant.machine.remove(mebibytes(16, 24)) } == .modelIsFixed(model))
      #expect(refusal { try plant.machine.add(mebibytes(256, 264)) } == .modelIsFixed(model))
    }
    try plant.machine.online(mebibytes(16, 24), .kernel)
    plant.check()
    let total = plant.dump.zones.map { $0.managed }
    #expect(total == plant.boot.zones.map { $0.managed })
  }

  /// S1.5, S1.6: descriptors are told by their place, and never handed to who frees.
  @Test(arguments: Plants.changeable) func framesOfDescriptorsAreNobodys(model: MemoryModel) throws {
    let plant = try Plants.plain(model)
    let range = mebibytes(256, 264)
    try plant.machine.add(range, memmap: .fromRange)
    try plant.machine.online(range, .movable)
    let units = plant.machine.zones.late
    let late = try #require(units)
    #expect(late.isMemmap(range.start) && late.isMemmap(range.start + FrameCount(31)))
    #expect(!late.isMemmap(range.start + FrameCount(32)))
    let zone = plant.zone(.movable)
    for frame in [range.start, range.start + FrameCount(31)] {
      #expect(throws: FolioError.notAllocated(frame)) {
        try plant.machine.zones.free(at: frame, order: Order(0), on: CPUIndex(0))
      }
      #expect(throws: FolioError.notAllocated(frame)) { _ = try plant.machine.zones.folio(containing: frame) }
    }
    let plan = try plant.machine.zones.plan(range)
    #expect(plan.obstacles[.memmap] == FrameCount(32) && plan.obstacles.total == FrameCount(32))
    #expect(plan.zone == zone)
    // A folio above them moves away, and is back afterwards.
    let ticket = try plant.movable(Order(3), at: range.start + FrameCount(32))
    try plant.machine.offline(range, owner: plant.ledger)
    let now = try #require(plant.ledger.place(of: ticket))
    #expect(!range.contains(now.head))
    plant.ledger.free(ticket, to: plant.machine.zones, on: CPUIndex(0))
    try plant.machine.remove(range)
    plant.finish()
  }

  /// S1: where no frame is left for descriptors, memory that brings its own can still be added.
  @Test(arguments: Plants.changeable) func memoryThatBringsItsOwnComesWhereNothingIsLeft(model: MemoryModel) throws {
    let plant = try Plants.plain(model)
    var heads: [FrameNumber] = []
    var order = plant.machine.zones.topOrder
    while true {
      if let folio = try? plant.machine.allocate(order, FrameRequest(.unmovable, urgency: .emergency)) {
        heads.append(plant.machine.zones.freeze(folio, as: .ordinary))
        plant.machine.zones[plant.zone(.dma)].thaw(heads[heads.count - 1]).forget()
      } else if order > Order(0) {
        order = Order(order.rawValue - 1)
      } else {
        break
      }
    }
    let full = plant.dump
    let range = mebibytes(256, 272)
    let refused = refusal { try plant.machine.add(range, memmap: .elsewhere) }
    #expect(refused == .noRoomForMemmap(wanted: FrameCount(64), missing: FrameCount(64)))
    #expect(plant.dump == full)
    try plant.machine.add(range, memmap: .fromRange)
    try plant.machine.online(range, .kernel)
    let normal = plant.zone(.normal)
    #expect(plant.machine.zones[normal].managed == FrameCount(4096 - 64))
    try plant.machine.offline(range)
    try plant.machine.remove(range)
    for head in heads { plant.machine.zones.put(head, on: CPUIndex(0)) }
    plant.finish()
  }

  /// S3.1, S3.7: frames that failed stay where they are, and come back to nobody.
  @Test func failedFramesAreLeftAlone() throws {
    let plant = try Plants.plain(.vmemmap, block: .mebibytes(2))
    let range = mebibytes(256, 260)
    try plant.machine.add(range, memmap: .fromRange)
    try plant.machine.online(range, .movable)
    let failed = [FrameNumber(256 << 8) + FrameCount(100), FrameNumber(258 << 8) + FrameCount(511)]
    for frame in failed { try plant.machine.hotplug.poison(frame, zones: plant.machine.zones) }
    #expect(refusal { try plant.machine.hotplug.poison(failed[0], zones: plant.machine.zones) } == .notFree(failed[0]))
    #expect(plant.machine.hotplug.poisonedFrames == failed)
    plant.check()
    try plant.machine.offline(range, owner: plant.ledger)
    plant.check()
    let movable = plant.zone(.movable)
    try plant.machine.online(range, .movable)
    plant.check()
    let free = plant.machine.zones[movable].freeFrames()
    #expect(free == range.count - FrameCount(16 + 2))
    try plant.machine.offline(range, owner: plant.ledger)
    try plant.machine.remove(range)
    #expect(plant.machine.hotplug.poisonedFrames.isEmpty)
    plant.finish()
  }

  /// Linux's `auto-movable`: 64 MiB of kernel memory and a ratio of 100 let 64 MiB be movable.
  @Test func theZoneIsChosenByRatio() throws {
    let plant = try Plants.plain(.vmemmap)
    let (normal, movable) = (plant.zone(.normal), plant.zone(.movable))
    let range = mebibytes(256, 352)
    try plant.machine.add(range)
    var zones: [ZoneIndex] = []
    for start in stride(from: UInt64(256), to: 352, by: 8) {
      zones.append(try plant.machine.online(mebibytes(start, start + 8), .automatic(movable: Percent(100))))
    }
    #expect(zones == [ZoneIndex](repeating: movable, count: 8) + [ZoneIndex](repeating: normal, count: 4))
    plant.check()
    try plant.machine.offline(mebibytes(256, 320))
    try plant.machine.offline(mebibytes(320, 352))
    try plant.machine.remove(range)
    plant.finish()
  }
}

/// Moves nothing.
struct NoOwner: FolioOwner {
  func detach(_ folio: FolioPlace) -> FrameCounts? { nil }
  func attach(_ folio: FolioPlace, to head: FrameNumber) {}
}

extension Folio {
  /// Leaves the folio to who knows its head.
  consuming func forget() {}
}
