import FrameAllocator
import FrameMap
import MemoryUnits
import TestSupport
import Testing

private let cpu = CPUIndex(0)

@Suite struct IsolationTests {
  /// Free frames are captured, frees stay inside, requests get nothing of it, and in the end all is as before.
  @Test(arguments: MemoryModel.allCases) func whatIsFreedStaysInside(model: MemoryModel) throws {
    let machine = try MachineFixture(model, memory: [frames(0, 4096)])
    let zone = machine
    var held: [FrameNumber] = []
    for _ in 0..<200 { held.append(try zone.zone.allocate(Order(0), .movable, on: cpu).head) }
    let block = try zone.zone.allocate(Order(5), .movable, on: cpu).head
    let range = zone.zone.pageblocks(around: FrameRange(start: block, count: FrameCount(32)))
    let wide = FrameRange(start: min(range.start, FrameNumber(3584)), end: FrameNumber(4096))
    try zone.zone.isolate(wide)
    #expect(throws: IsolationError.alreadyIsolated(wide)) { try zone.zone.isolate(wide) }
    try zone.zone.checkInvariants()
    for head in held { try zone.zone.free(at: head, order: Order(0), on: cpu) }
    try zone.zone.free(at: block, order: Order(5), on: cpu)
    var others: [FolioPlace] = []
    for order in [0, 0, 3, 5, 6, 7, 9, 11].map({ Order($0) }) {
      for mobility in [FrameMobility.unmovable, .movable] {
        guard let folio = try? zone.zone.allocate(order, mobility, on: cpu) else { continue }
        #expect(!folio.frames.overlaps(wide), "\(folio.frames)")
        others.append(FolioPlace(head: folio.head, order: folio.order))
      }
    }
    try zone.zone.takeIsolated(wide)
    try zone.zone.checkInvariants()
    let folio = try zone.zone.folio(ofClaimed: wide.start, order: Order(9), .movable)
    try zone.zone.checkInvariants()
    zone.zone.free(folio, on: cpu)
    zone.zone.endIsolation(wide)
    for place in others { try zone.zone.free(at: place.head, order: place.order, on: cpu) }
    zone.zone.drain()
    try machine.finish()
  }

  @Test func aHeldFrameIsNamed() throws {
    let machine = try MachineFixture(.vmemmap, memory: [frames(0, 1024)])
    let folio = try machine.zone.allocate(Order(2), .movable, on: cpu)
    let head = folio.head
    try machine.zone.isolate(frames(512, 1024))
    #expect(throws: IsolationError.notIsolated(head)) { try machine.zone.takeIsolated(frames(512, 1024)) }
    // A part that is free can be taken, and given back.
    try machine.zone.takeIsolated(frames(514, 900))
    try machine.zone.checkInvariants()
    try machine.zone.release(frames(514, 900))
    machine.zone.endIsolation(frames(512, 1024))
    machine.zone.free(folio, on: cpu)
    machine.zone.drain()
    try machine.finish()
  }

  /// An area lends to what can move, and gets back what is freed.
  @Test func anAreaLendsToMovableFolios() throws {
    let machine = try MachineFixture(.vmemmap, memory: [frames(0, 1024)])
    let storage = zeroed(FolioZone.areaStorageBytes(for: FrameCount(512)))
    try machine.zone.makeArea(frames(512, 1024), storage: storage)
    machine.lend(storage)
    #expect(machine.zone.areaRanges == [frames(512, 1024)])
    #expect(machine.zone.freeInAreas() == FrameCount(512))
    var folios: [FolioPlace] = []
    func fill(_ mobility: FrameMobility) {
      while let folio = try? machine.zone.allocate(Order(3), mobility, on: cpu) {
        folios.append(FolioPlace(head: folio.head, order: folio.order))
      }
    }
    fill(.unmovable)
    #expect(folios.count == 64 && folios.allSatisfy { $0.head < FrameNumber(512) })
    fill(.movable)
    #expect(folios.count == 128)
    try machine.zone.checkInvariants()
    for place in folios { try machine.zone.free(at: place.head, order: place.order, on: cpu) }
    #expect(machine.zone.freeInAreas() == FrameCount(512))
    try machine.zone.isolate(frames(512, 768))
    #expect(machine.zone.freeInAreas() == FrameCount(256))
    machine.zone.endIsolation(frames(512, 768))
    #expect(machine.zone.freeInAreas() == FrameCount(512))
    try machine.finish()
  }
}
