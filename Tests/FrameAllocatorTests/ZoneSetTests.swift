import FrameAllocator
import FrameMap
import MemoryUnits
import PhysicalLayout
import Testing

private let cpu = CPUIndex(0)

extension ZoneSetFixture {
  /// Two pageblocks a zone, and nothing kept back but for lower zones' reserves.
  static func ofThreeNodes(
    topOrder: Order? = nil, distances: NodeDistances = NodeDistances()
  ) throws -> ZoneSetFixture {
    let size = FrameCount(1024)
    let fixture = try ZoneSetFixture(
      [
        (NodeID(0), .dma, size), (NodeID(0), .normal, size), (NodeID(1), .normal, size), (NodeID(1), .movable, size),
        (NodeID(2), .normal, size),
      ], topOrder: topOrder, distances: distances)
    for index in fixture.zones.indices { fixture.zones[index].setWatermarks(.none) }
    return fixture
  }

  func name(_ index: ZoneIndex) -> String {
    let zone = zones.descriptions[Int(index.rawValue)]
    return "\(zone.node)\(zone.kind)"
  }

  func list(_ node: UInt32) -> String {
    zones.list(for: FrameRequest(.movable, node: NodeID(node))).map(name).joined(separator: " ")
  }

  /// Asks until nothing is left; each zone that served, as often as it did so in a row. Leaves nothing held.
  func drawOut(_ order: UInt8, _ request: FrameRequest, cpus: UInt32 = 1) throws -> (served: String, error: FolioError?) {
    var held: [FrameNumber] = []
    var served: [(name: String, times: Int)] = []
    var refusal: FolioError?
    while refusal == nil {
      do throws(FolioError) {
        let folio = try zones.allocate(Order(order), request, on: CPUIndex(UInt32(held.count) % cpus))
        held.append(folio.head)
        let name = name(folio.zone)
        if served.last?.name == name { served[served.count - 1].times += 1 } else { served.append((name, 1)) }
      } catch {
        refusal = error
      }
    }
    for head in held { try zones.free(at: head, order: Order(order), on: cpu) }
    return (served.map { "\($0.name)*\($0.times)" }.joined(separator: " "), refusal)
  }
}

/// Which zone serves a request, and how far down.
@Suite struct ZoneSetTests {
  @Test func nodesAreTriedByDistanceThenByNumber() throws {
    let even = try ZoneSetFixture.ofThreeNodes()
    #expect(even.list(0) == "0Normal 0DMA 1Movable 1Normal 2Normal")
    #expect(even.list(1) == "1Movable 1Normal 2Normal 0Normal 0DMA")
    #expect(even.list(2) == "2Normal 0Normal 0DMA 1Movable 1Normal")
    // A node without memory has the first one's.
    #expect(even.list(7) == even.list(0))
    try even.finish()

    let uneven = try ZoneSetFixture.ofThreeNodes(
      distances: NodeDistances([
        NodeDistances.Entry(from: NodeID(0), to: NodeID(2), distance: 12),
        NodeDistances.Entry(from: NodeID(1), to: NodeID(2), distance: 31),
      ]))
    #expect(uneven.list(0) == "0Normal 0DMA 2Normal 1Movable 1Normal")
    #expect(uneven.list(1) == "1Movable 1Normal 0Normal 0DMA 2Normal")
    #expect(uneven.list(2) == "2Normal 0Normal 0DMA 1Movable 1Normal")
    try uneven.finish()
  }

  // One in 256 frames of the normal zone is kept in the DMA zone: 4, and so its last block of 512.
  @Test func requestsFallBackToLowerZonesAndOtherNodes() throws {
    let set = try ZoneSetFixture.ofThreeNodes()
    #expect(set.zones.reserve(of: ZoneIndex(0), for: .normal) == FrameCount(4))
    #expect(set.zones.reserve(of: ZoneIndex(0), for: .dma) == .zero)
    #expect(set.zones.reserve(of: ZoneIndex(2), for: .movable) == FrameCount(32))
    #expect(set.zones.reserve(of: ZoneIndex(2), for: .normal) == .zero)
    let none = FolioError.exhausted(wanted: FrameCount(512), largestFree: FrameCount(512))
    func expect(_ served: String, _ error: FolioError, _ request: FrameRequest) throws {
      let found = try set.drawOut(9, request)
      #expect(found.served == served)
      #expect(found.error == error)
    }
    // Movable zones are not for what cannot move.
    try expect("1Normal*2 2Normal*2 0Normal*2 0DMA*1", none, FrameRequest(.unmovable, node: NodeID(1)))
    try expect("1Normal*2 2Normal*2 0Normal*2 0DMA*1", none, FrameRequest(.reclaimable, node: NodeID(1)))
    try expect("1Movable*2 1Normal*1 2Normal*2 0Normal*2 0DMA*1", none, FrameRequest(.movable, node: NodeID(1)))
    try expect("1Movable*2 1Normal*1", none, FrameRequest(.movable, node: NodeID(1), isNodeFixed: true))
    try expect(
      "1Normal*2", .exhausted(wanted: FrameCount(512), largestFree: .zero),
      FrameRequest(.unmovable, node: NodeID(1), isNodeFixed: true))
    try expect(
      "0DMA*2", .exhausted(wanted: FrameCount(512), largestFree: .zero),
      FrameRequest(.movable, node: NodeID(2), highestZone: .dma))
    try expect(
      "", .exhausted(wanted: FrameCount(512), largestFree: .zero), FrameRequest(.unmovable, node: NodeID(7), isNodeFixed: true))
    // What frees more than it takes heeds no reserve, where nothing else is left.
    try expect(
      "2Normal*2 0Normal*2 0DMA*1 1Normal*2 0DMA*1", .exhausted(wanted: FrameCount(512), largestFree: .zero),
      FrameRequest(.unmovable, node: NodeID(2), urgency: .emergency))
    try set.finish()
  }

  @Test func ordersAboveThePolicyAreRefused() throws {
    let set = try ZoneSetFixture.ofThreeNodes(topOrder: Order(9))
    let refusal = #expect(throws: FolioError.self) { _ = try set.zones.allocate(Order(10), FrameRequest(.movable), on: cpu).head }
    #expect(refusal == .aboveTopOrder(Order(10), top: Order(9)))
    let unlimited = try ZoneSetFixture.ofThreeNodes()
    let above = #expect(throws: FolioError.self) {
      _ = try unlimited.zones.allocate(Order(11), FrameRequest(.movable), on: cpu).head
    }
    #expect(above == .aboveTopOrder(Order(11), top: Order(10)))
    #expect(try unlimited.drawOut(10, FrameRequest(.movable)).served == "0Normal*1 1Movable*1 2Normal*1")
    try set.finish()
    try unlimited.finish()
  }

  // A request of two frames is served where one frame less than it takes leaves more than the mark: down to the mark itself.
  @Test(arguments: [(Urgency.ordinary, 100), (.atomic, 38), (.emergency, 0)] as [(Urgency, UInt64)], [1, 8] as [UInt32])
  func urgencyDecidesHowFarDown(_ case: (urgency: Urgency, left: UInt64), cpus: UInt32) throws {
    let set = try ZoneSetFixture([(NodeID(0), .normal, FrameCount(1024))], cpus: cpus)
    set.zones[ZoneIndex(0)].setWatermarks(
      Watermarks(min: FrameCount(100), low: FrameCount(200), high: FrameCount(300)))
    let request = FrameRequest(.movable, urgency: `case`.urgency)
    var held: [FrameNumber] = []
    var next: UInt32 = 0
    while let folio = try? set.zones.allocate(Order(1), request, on: CPUIndex(next % cpus)) {
      held.append(folio.head)
      next += 1
    }
    let left = set.zones.freeFrames()
    #expect(left == FrameCount(`case`.left))
    for head in held { try set.zones.free(at: head, order: Order(1), on: cpu) }
    try set.finish()
  }

  // Both zones stay above their low mark first; then each goes down to its minimum.
  @Test func lowMarksComeBeforeMinimums() throws {
    let set = try ZoneSetFixture(
      [(NodeID(0), .normal, FrameCount(1024)), (NodeID(1), .normal, FrameCount(1024))], cpus: 3)
    let marks = Watermarks(min: FrameCount(100), low: FrameCount(512), high: FrameCount(600))
    for index in set.zones.indices { set.zones[index].setWatermarks(marks) }
    let found = try set.drawOut(1, FrameRequest(.movable), cpus: 3)
    #expect(found.served == "0Normal*256 1Normal*256 0Normal*206 1Normal*206")
    #expect(found.error == .exhausted(wanted: FrameCount(2), largestFree: FrameCount(64)))
    let urgent = try set.drawOut(1, FrameRequest(.movable, urgency: .atomic), cpus: 3)
    #expect(urgent.served == "0Normal*256 1Normal*256 0Normal*237 1Normal*237")
    try set.finish()
  }

  // Single frames come by words: what a cache has is handed out below the mark, and no further word is taken there.
  @Test func cachedFramesAreHandedOutBelowTheMark() throws {
    let set = try ZoneSetFixture([(NodeID(0), .normal, FrameCount(1024))])
    set.zones[ZoneIndex(0)].setWatermarks(
      Watermarks(min: FrameCount(100), low: FrameCount(200), high: FrameCount(300)))
    let found = try set.drawOut(0, FrameRequest(.movable))
    // 15 words: before the last 128 frames were free, after it 64.
    #expect(found.served == "0Normal*960")
    try set.finish()
  }

  //     node 0  [0, 0x200)              [0x400, 0x600)              0x600 is a hole
  //     node 1             [0x200, 0x400)              [0x700, 0x900)
  @Test func framesOfInterleavedNodes() throws {
    let memory = [[frames(0, 0x200), frames(0x400, 0x600)], [frames(0x200, 0x400), frames(0x700, 0x900)]]
    let set = try ZoneSetFixture(
      memory.enumerated().map { number, ranges in
        ZoneDescription(
          node: NodeID(UInt32(number)), kind: .normal, span: FrameRange(start: ranges[0].start, end: ranges[1].end),
          memory: ranges)
      }, policy: PageblockPolicy(order: Order(8)))
    for index in set.zones.indices { set.zones[index].setWatermarks(.none) }
    for (frame, zone) in [
      (0, 0), (0x1ff, 0), (0x200, 1), (0x3ff, 1), (0x400, 0), (0x5ff, 0), (0x600, nil), (0x6ff, nil), (0x700, 1), (0x8ff, 1),
      (0x900, nil), (1 << 40, nil),
    ] as [(UInt64, UInt32?)] {
      #expect(set.zones.zone(of: FrameNumber(frame)) == zone.map { ZoneIndex($0) }, "frame \(frame)")
    }
    for node in 0..<2 as Range<UInt32> {
      var held: [FrameNumber] = []
      while let folio = try? set.zones.allocate(
        Order(4), FrameRequest(.unmovable, node: NodeID(node), isNodeFixed: true), on: cpu)
      {
        #expect(memory[Int(node)].contains { $0.contains(folio.frames) })
        held.append(folio.head)
      }
      #expect(held.count == 64)
      // Known by their numbers only.
      for head in held { try set.zones.free(at: head, order: Order(4), on: cpu) }
    }
    try set.finish()
  }

  @Test func foliosOfAnyZoneAreReachedThroughTheSet() throws {
    let set = try ZoneSetFixture.ofThreeNodes()
    let folio = try set.zones.allocate(Order(4), FrameRequest(.unmovable, node: NodeID(2)), on: cpu)
    let head = folio.head
    #expect(set.name(folio.zone) == "2Normal")
    let inside = head + FrameCount(9)
    #expect(try set.zones.folio(containing: inside) == FolioPlace(head: head, order: Order(4)))
    #expect(try set.zones.tryGet(inside, on: cpu) == FolioPlace(head: head, order: Order(4)))
    #expect(throws: FolioError.busy(head, .references(2), mappings: 0)) {
      try set.zones.free(at: head, order: Order(4), on: cpu)
    }
    set.zones.put(head, on: cpu)
    var parts: [FrameNumber] = []
    try set.zones.split(folio, to: Order(2)) { parts.append($0.head) }
    #expect(parts == (0..<4).map { head + FrameCount(4 * $0) })
    #expect(throws: FolioError.tail(inside, head: parts[2])) { _ = try set.zones.adopt(inside).head }
    for part in parts { set.zones.free(try set.zones.adopt(part), on: cpu) }
    // 2^18 frames a zone, of which each has 1024.
    let nowhere = FrameNumber(5000)
    #expect(throws: FolioError.noSuchFrame(nowhere)) { try set.zones.free(at: nowhere, order: Order(0), on: cpu) }
    #expect(throws: FolioError.noSuchFrame(nowhere)) { _ = try set.zones.adopt(nowhere).head }
    #expect(throws: FolioError.noSuchFrame(nowhere)) { _ = try set.zones.tryGet(nowhere, on: cpu) }
    #expect(throws: FolioError.noSuchFrame(nowhere)) { _ = try set.zones.folio(containing: nowhere) }
    #expect(throws: FolioError.notAllocated(inside)) { _ = try set.zones.folio(containing: inside) }
    try set.finish()
  }
}
