import FrameAllocator
import FrameContents
import FrameMap
import HugePools
import Megalith
import MemoryUnits
import Mobility
import PhysicalLayout
import TestSupport
import Testing

/// Pages that leave their place or their pool.
@Suite struct MoveTests {
  private func split(
    _ estate: Estate, _ count: UInt64, node: NodeID? = nil
  ) throws(HugePoolError) -> PageCount {
    try estate.pools.demote(
      .g1, to: .m2, count: PageCount(count), on: node, zones: estate.machine.zones, on: CPUIndex(0))
  }

  private func counts(_ estate: Estate) -> [HugePoolCounts] { estate.pools.sizes.map { estate.pools.counts($0) } }

  // MARK: Demotion

  @Test(arguments: MemoryModel.allCases) func pagesAreTakenApart(model: MemoryModel) throws {
    let estate = try Estate(nodes: [.gibibytes(4), .gibibytes(4)], model: model)
    #expect(estate.resize(.g1, 4) == 4)
    try estate.reserve(2, .g1)
    let one = try split(estate, 1)
    #expect(one == PageCount(1))
    try estate.expect(.g1, [3, 3, 2, 0], "one less")
    try estate.expect(.m2, [512, 512, 0, 0], "its parts")
    let onNode = estate.totals(.m2)
    #expect(onNode.sorted() == [0, 512])
    // Two are asked for, and one can be had.
    let partly = try split(estate, 2)
    #expect(partly == PageCount(1))
    #expect(throws: HugePoolError.inUse(.g1, free: PageCount(2), reserved: PageCount(2))) { _ = try split(estate, 1) }
    try estate.expect(.m2, [1024, 1024, 0, 0], "all parts")
    // Parts are pages like any other.
    let head = try estate.take(.m2)
    let place = try estate.machine.zones.folio(containing: head + FrameCount(511))
    #expect(place == FolioPlace(head: head, order: Order(9)))
    estate.putBack(head)
    estate.unreserve(2, .g1)
    #expect(estate.resize(.m2, 0) == 0)
    try estate.expect(.m2, [0, 0, 0, 0], "gone")
    #expect(throws: HugePoolError.notDemotable(from: .m2, to: .g1)) {
      try estate.pools.demote(.m2, to: .g1, count: PageCount(1), on: nil, zones: estate.machine.zones, on: CPUIndex(0))
    }
    try estate.finish()
  }

  @Test func onlyTheNamedNodesPagesAreTakenApart() throws {
    let estate = try Estate(nodes: [.gibibytes(4), .gibibytes(4)])
    #expect(estate.resize(.g1, 2, node: 1) == 2)
    #expect(throws: HugePoolError.inUse(.g1, free: PageCount(2), reserved: .zero)) { _ = try split(estate, 1, node: NodeID(0)) }
    let done = try split(estate, 5, node: NodeID(1))
    #expect(done == PageCount(2))
    #expect(estate.totals(.m2) == [0, 1024])
    try estate.finish()
  }

  // MARK: Dissolving

  @Test func freePagesOfARangeLeaveThePool() throws {
    let estate = try Estate(nodes: [.mebibytes(128)])
    estate.resize(.m2, 8)
    let head = try estate.take(.m2)
    let all = estate.machine.zones[ZoneIndex(0)].zone
    let whole = FrameRange(start: all.start, end: estate.machine.zones.descriptions.map { $0.span.end }.max() ?? all.end)
    try estate.reserve(3, .m2)
    let before = estate.machine.zones.freeFrames()
    #expect(throws: HugePoolError.reservedByOthers(.m2, wanted: PageCount(7), free: PageCount(7), reserved: PageCount(3))) {
      try estate.pools.dissolve(whole, zones: estate.machine.zones, with: estate.context())
    }
    try estate.expect(.m2, [8, 7, 3, 0], "not one has gone")
    let after = estate.machine.zones.freeFrames()
    #expect(after == before)
    estate.unreserve(3, .m2)
    // A range that touches the page in use and nothing else.
    try estate.pools.dissolve(
      FrameRange(blockAt: head, order: Order(9)), zones: estate.machine.zones, with: estate.context())
    try estate.expect(.m2, [8, 7, 0, 0], "it is in use")
    try estate.pools.dissolve(whole, zones: estate.machine.zones, with: estate.context())
    try estate.expect(.m2, [1, 0, 0, 0], "all free ones have gone")
    estate.putBack(head)
    try estate.finish()
  }

  // MARK: Moving

  /// 2 MiB pages all over memory, every other one in use; a gigantic page is had by moving these and replacing the free ones.
  @Test(arguments: MemoryModel.allCases) func aRangeIsEmptiedOfPoolPages(model: MemoryModel) throws {
    let estate = try Estate(nodes: [.gibibytes(4)], model: model)
    let machine = estate.machine.zones.freeFrames()
    #expect(estate.resize(.m2, .max) > 1500)
    let files = try estate.pools.makeSubpool(
      .m2, maximum: PageCount(2000), minimum: .zero, zones: estate.machine.zones, with: estate.context())
    // Every third page stays in the pool's range, spread over memory: half of these in use.
    var heads: [FrameNumber] = []
    while let head = try? estate.take(.m2) { heads.append(head) }
    for head in heads.sorted().enumerated().filter({ $0.offset % 3 != 0 }).map({ $0.element }) { estate.putBack(head) }
    let kept = heads.sorted().enumerated().filter { $0.offset % 3 == 0 }.map { $0.element }
    #expect(estate.resize(.m2, UInt64(kept.count)) == UInt64(kept.count))
    for (index, head) in kept.enumerated() {
      if index % 2 == 0 { estate.putBack(head) } else { _ = estate.ledger.keep(try estate.machine.zones.adopt(head)) }
    }
    let own = try estate.pools.take(
      .m2, reserved: false, placement: .local(NodeID(0)), subpool: files, zones: estate.machine.zones, with: estate.context())
    _ = estate.ledger.keep(own)
    try estate.reserve(5, .m2)
    let before = counts(estate)
    let page = try estate.machine.zones.contiguousBlock(
      Order(18), FrameRequest(.unmovable), kind: .hugePool, with: estate.context())
    #expect(counts(estate) == before)
    #expect(estate.moved.value > 50 && estate.replaced.value > 50, "\(estate.moved.value), \(estate.replaced.value)")
    try estate.pools.checkInvariants(zones: estate.machine.zones, subpools: [files])
    // As part of a pool's growth too.
    estate.machine.zones.free(page, on: CPUIndex(0))
    #expect(estate.resize(.g1, 1) == 1)
    #expect(counts(estate)[0] == before[0])
    try estate.expect(.g1, [1, 1, 0, 0], "a gigantic page")
    // What moved comes back to its pool and its subpool.
    for ticket in estate.ledger.tickets { estate.ledger.free(ticket, to: estate.machine.zones, on: CPUIndex(0)) }
    estate.unreserve(5, .m2)
    try estate.expect(.m2, [before[0].total.rawValue, before[0].total.rawValue, 0, 0], "all back", subpools: [files])
    #expect(files.used == .zero)
    estate.pools.close(files, zones: estate.machine.zones, on: CPUIndex(0))
    try estate.finish()
    #expect(machine == estate.free)
  }

  @Test func aPageThatMovesCountsOnItsNewNode() throws {
    let estate = try Estate(nodes: [.mebibytes(128), .mebibytes(128)])
    estate.resize(.m2, 3, node: 0)
    let ticket = estate.ledger.keep(
      try estate.pools.take(
        .m2, reserved: false, placement: .local(NodeID(0)), zones: estate.machine.zones, with: estate.context()))
    let place = try #require(estate.ledger.place(of: ticket))
    // Referenced by somebody else it stays, and so do the counters.
    _ = try estate.machine.zones.tryGet(place.head, on: CPUIndex(0))
    #expect(throws: MigrationError.self) {
      try estate.machine.zones.migrate(place, node: NodeID(1), with: estate.context())
    }
    estate.machine.zones.put(place.head, on: CPUIndex(0))
    #expect(estate.totals(.m2) == [3, 0])
    let head = try estate.machine.zones.migrate(place, node: NodeID(1), with: estate.context())
    #expect(estate.node(of: head) == NodeID(1))
    #expect(estate.totals(.m2) == [2, 1])
    try estate.expect(.m2, [3, 2, 0, 0], "moved")
    // A surplus page stays one.
    estate.resize(.m2, 0)
    try estate.expect(.m2, [1, 0, 0, 1], "surplus")
    try estate.machine.zones.migrate(FolioPlace(head: head, order: Order(9)), node: NodeID(0), with: estate.context())
    let surplus = estate.machine.zones.nodes.map { estate.pools.counts(.m2, on: $0).surplus }
    #expect(surplus == [PageCount(1), .zero])
    estate.ledger.free(ticket, to: estate.machine.zones, on: CPUIndex(0))
    try estate.expect(.m2, [1, 0, 0, 1], "waiting for its pool")
    try estate.finish()
  }

  @Test func aFreePageIsReplacedOrStays() throws {
    let estate = try Estate(nodes: [.mebibytes(64), .mebibytes(64)])
    estate.resize(.m2, 2, node: 0)
    let head = try estate.take(.m2)
    let used = FolioPlace(head: head, order: Order(9))
    let isUsedReplaced = estate.pools.replaceFree(used, zones: estate.machine.zones, on: CPUIndex(0))
    #expect(!isUsedReplaced)
    estate.putBack(head)
    try estate.reserve(2, .m2)
    // No block is free anywhere.
    var held: [FolioPlace] = []
    while let folio = try? estate.machine.allocate(Order(9), FrameRequest(.movable, urgency: .emergency)) {
      held.append(FolioPlace(head: folio.head, order: folio.order))
    }
    let isReplaced = estate.pools.replaceFree(used, zones: estate.machine.zones, on: CPUIndex(0))
    #expect(!isReplaced)
    try estate.expect(.m2, [2, 2, 2, 0], "it stays")
    // One on the other node.
    let index = try #require(held.firstIndex { estate.node(of: $0.head) == NodeID(1) })
    try estate.machine.zones.free(at: held[index].head, order: Order(9), on: CPUIndex(0))
    let free = held.remove(at: index)
    // Below the low mark nobody gets it; so more is freed.
    for place in held.filter({ estate.node(of: $0.head) == NodeID(1) }) {
      try estate.machine.zones.free(at: place.head, order: place.order, on: CPUIndex(0))
    }
    held.removeAll { estate.node(of: $0.head) == NodeID(1) }
    let isReplacedNow = estate.pools.replaceFree(used, zones: estate.machine.zones, on: CPUIndex(0))
    #expect(isReplacedNow)
    #expect(estate.totals(.m2) == [1, 1], "\(free)")
    try estate.expect(.m2, [2, 2, 2, 0], "as many as before")
    for place in held { try estate.machine.zones.free(at: place.head, order: place.order, on: CPUIndex(0)) }
    estate.unreserve(2, .m2)
    try estate.finish()
  }

  // MARK: Areas

  @Test func giganticPagesComeFromTheAreaFirst() throws {
    let estate = try Estate(nodes: [.gibibytes(8)])
    let area = FrameRange(start: FrameNumber(0x14_0000), count: FrameCount(0x8_0000))
    let found = estate.machine.zones.zone(of: area.start)
    let zone = try #require(found)
    let bytes = Int(FolioZone.areaStorageBytes(for: area.count).rawValue)
    let storage = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes, alignment: 64)
    defer { storage.deallocate() }
    storage.initializeMemory(as: UInt8.self, repeating: 0)
    try estate.machine.zones[zone].makeArea(area, storage: storage)
    estate.pools.useArea(area, on: NodeID(0))
    #expect(estate.resize(.g1, 3) == 3)
    try estate.expect(.g1, [3, 3, 0, 0], "grown")
    let inside = estate.machine.zones[zone].freeInAreas()
    #expect(inside == .zero, "two of them")
    let heads = try (0..<3).map { _ in try estate.take(.g1) }
    #expect(heads.filter { area.contains($0) }.count == 2)
    for head in heads { estate.putBack(head) }
    #expect(estate.resize(.g1, 0) == 0)
    let back = estate.machine.zones[zone].freeInAreas()
    #expect(back == area.count, "back in the area")
    // Somebody who can move borrows from the area, and gives way.
    var borrowed: [FolioLedger.Ticket] = []
    while estate.machine.zones[zone].freeInAreas() == area.count,
      let folio = try? estate.machine.allocate(Order(9), FrameRequest(.movable, urgency: .emergency))
    {
      borrowed.append(estate.ledger.keep(folio))
    }
    for ticket in borrowed.prefix(1000) { estate.ledger.free(ticket, to: estate.machine.zones, on: CPUIndex(0)) }
    #expect(estate.resize(.g1, 2) >= 2)
    let taken = estate.machine.zones[zone].freeInAreas()
    #expect(taken == .zero)
    try estate.expect(.g1, [2, 2, 0, 0], "both out of the area")
    try estate.finish()
  }
}
