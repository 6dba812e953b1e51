import FrameAllocator
import FrameContents
import FrameMap
import HostArena
import Megalith
import MemoryUnits
import Mobility
import PhysicalLayout
import TestSupport
import Testing

private let cpu = CPUIndex(0)

@Suite struct CompactionTests {
  /// The largest zone of the first node, and a population without a free block of order 9 in it.
  private func crowded(_ model: MemoryModel) throws -> (Town, ZoneIndex) {
    let town = try Town(model, keeping: 0.12, seed: 21)
    let zone = try town.zone(of: FrameNumber(0x4000))
    let largest = town.machine.zones[zone].largestFreeOrder()
    #expect(try #require(largest) < Order(9))
    return (town, zone)
  }

  @Test(arguments: MemoryModel.allCases) func theScannersMeetAndFreeTheLowEnd(model: MemoryModel) throws {
    let (town, zone) = try crowded(model)
    let context = town.machine.migration(of: town.people.ledger)
    let first = town.machine.zones.compact(zone, for: Order(9), with: context)
    #expect(first.hasBlock && !first.isComplete && first.moved > .zero && first.failed == .zero)
    try town.check()
    let all = town.machine.zones.compact(zone, for: nil, with: context)
    #expect(all.isComplete && all.moved > .zero)
    town.machine.zones.drain()
    let free = town.machine.zones[zone].freeInTree()
    let found = town.machine.zones[zone].largestFreeOrder()
    let largest = try #require(found)
    // Nearly all that is free is one block after the other; the largest is the largest that lies below the rest.
    #expect(largest.frames.rawValue * 4 >= free.rawValue, "\(largest) of \(free)")
    try town.check()
    let again = town.machine.zones.compact(zone, for: nil, with: context)
    #expect(again.moved.rawValue * 20 <= all.moved.rawValue, "there was nothing left to do")
    try town.finish()
  }

  @Test func compactionStopsWhenItIsToldTo() throws {
    let (town, zone) = try crowded(.vmemmap)
    var pageblocks = 0
    let result = town.machine.zones.compact(zone, for: nil, with: town.machine.migration(of: town.people.ledger)) { _ in
      pageblocks += 1
      return pageblocks <= 3
    }
    #expect(result.scanned == PageblockCount(3) && !result.isComplete)
    try town.finish()
  }

  /// What cannot be moved is counted, and stays.
  @Test func busyFoliosStay() throws {
    let (town, zone) = try crowded(.sparse)
    let low = town.machine.zones[zone].zone
    let victim = try #require(town.people.first(inside: low))
    let descriptor = try #require(town.table.descriptor(victim.head))
    descriptor.pointee.take(.pins(1))
    let result = town.machine.zones.compact(zone, for: nil, with: town.machine.migration(of: town.people.ledger))
    #expect(result.moved > .zero)
    #expect(town.people.first(inside: victim.frames) == victim)
    let isLast = descriptor.pointee.give(.pins(1))
    #expect(!isLast)
    try town.finish()
  }

  @Test func theSlowPathCompactsAndReclaims() throws {
    let (town, _) = try crowded(.vmemmap)
    let context = town.machine.migration(of: town.people.ledger)
    let request = FrameRequest(.movable, urgency: .emergency)
    #expect(throws: FolioError.self) { town.machine.free(try town.machine.allocate(Order(9), request)) }
    var asked: [FrameCount] = []
    let folio = try town.machine.zones.allocate(Order(9), request, with: context) { wanted in
      asked.append(wanted)
      return .zero
    }
    #expect(asked == [FrameCount(512)])
    town.machine.free(folio)
    // More than there is: compaction brings nothing, and the hook is asked as long as it frees something.
    var rounds = 0
    let refusal = #expect(throws: FolioError.self) {
      let folio = try town.machine.zones.allocate(Order(15), request, with: context, rounds: TryCount(4)) { _ in
        rounds += 1
        return FrameCount(rounds < 3 ? 1 : 0)
      }
      town.machine.free(folio)
    }
    guard case .exhausted(let wanted, _) = refusal else {
      Issue.record("\(refusal as Any)")
      return
    }
    #expect(wanted == FrameCount(1 << 15) && rounds >= 3)
    try town.finish()
  }

  /// An area lends its frames to what can move, and gets them back by moving it; others' requests leave it alone.
  @Test(arguments: [MemoryModel.sparseExtreme, .vmemmap]) func anAreaGetsItsFramesBack(model: MemoryModel) throws {
    let town = try Town(model, keeping: 0, seed: 1)
    let area = FrameRange(blockAt: FrameNumber(0x6000), order: Order(12))
    let zone = try town.zone(of: area.start)
    let storage = Lent(FolioZone.areaStorageBytes(for: area.count))
    try town.machine.zones[zone].makeArea(area, storage: storage.bytes)
    // Movable folios until they are in the area as well.
    var outside: [FolioPlace] = []
    while town.people.first(inside: area) == nil {
      let folio = try town.machine.zones[zone].allocate(Order(4), .movable, on: cpu)
      if area.contains(folio.frames) {
        try town.people.keep(folio, town.machine)
      } else {
        outside.append(FolioPlace(head: folio.head, order: folio.order))
      }
    }
    for place in outside.suffix(100) { try town.machine.zones.free(at: place.head, order: place.order, on: cpu) }
    outside.removeLast(100)
    town.machine.zones.drain()
    // A range that is partly the area's is nobody's to take.
    let across = FrameRange(start: area.start - FrameCount(512), end: area.start + FrameCount(512))
    let plan = try town.machine.zones.plan(across)
    #expect(plan.obstacles[.contiguousArea] == FrameCount(512))
    let taken = try town.machine.contiguousRange(area, owner: town.people.ledger)
    #expect(taken.moves == FrameCount(16))
    #expect(town.machine.zones[zone].freeInAreas() == .zero)
    try town.check()
    try town.machine.zones[zone].release(area)
    #expect(town.machine.zones[zone].freeInAreas() == area.count)
    for place in outside { try town.machine.zones.free(at: place.head, order: place.order, on: cpu) }
    try town.finish()
    withExtendedLifetime(storage) {}
  }
}

/// Zeroed storage that is given back.
private final class Lent {
  let bytes: UnsafeMutableRawBufferPointer
  init(_ size: ByteCount) {
    bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: Int(size.rawValue), alignment: 64)
    bytes.initializeMemory(as: UInt8.self, repeating: 0)
  }
  deinit { bytes.deallocate() }
}
