import FrameAllocator
import FrameMap
import MemoryUnits
import Testing

private let cpu = CPUIndex(0)

/// Pageblocks of every size: smaller than a word of 64 frames, than a leaf of 512, a leaf, and several leaves.
@Suite struct PageblockShapeTests {
  static let orders: [UInt8] = Array(3...13) + [17, 18]

  /// A zone of six pageblocks: it starts and ends inside one, and the fourth has a hole.
  ///
  ///     pageblock   0      1      2      3      4      5
  ///               [  ...][....][....][..  ..][....][.   ]
  struct Zone {
    let size: UInt64
    let machine: MachineFixture

    init(_ order: UInt8, at first: UInt64 = 0, fallback: PageblockPolicy.Fallback = .stealOrPollute) throws {
      size = 1 << UInt64(order)
      let start = first * size
      machine = try MachineFixture(
        .flat,
        memory: [
          frames(start + size * 3 / 8, start + size * 27 / 8), frames(start + size * 29 / 8, start + size * 42 / 8),
        ], policy: PageblockPolicy(order: Order(order), fallback: fallback))
    }

    /// A letter a pageblock: what it is for, and small where nothing of it is held.
    var text: String {
      let span = machine.zone.zone
      let first = span.start.rawValue / size
      return (first..<(span.end.rawValue + size - 1) / size).map { number in
        let range = frames(number * size, number * size + size).intersection(span)
        let mobility = machine.zone.mobility(ofPageblockOf: range.start)
        // What the tests below hold starts at such a place, or lies at an end.
        let step = max(1, size / 64)
        let places = stride(from: range.start.rawValue, to: range.end.rawValue, by: Int(step))
        let isHeld = (Array(places) + [range.end.rawValue - 1]).contains {
          (try? machine.zone.folio(containing: FrameNumber($0))) != nil
        }
        let letter = PageblockDrawing.letters.first { $0.0 == mobility }
        return String((isHeld ? letter?.1 : letter?.2) ?? "?")
      }.joined()
    }
  }

  @Test(arguments: orders) func firstRequestsGoWhereTheyBelong(order: UInt8) throws {
    let zone = try Zone(order)
    let machine = zone.machine
    #expect(zone.text == "mmmmmm")
    let low = try machine.zone.allocate(Order(1), .unmovable, on: cpu)
    #expect(low.head == FrameNumber(zone.size))
    #expect(zone.text == "mUmmmm")
    let next = try machine.zone.allocate(Order(1), .reclaimable, on: cpu)
    #expect(next.head == FrameNumber(zone.size * 2))
    #expect(zone.text == "mURmmm")
    // The last pageblock is cut off, and movable: its end is the zone's.
    let high = try machine.zone.allocate(Order(1), .movable, on: cpu)
    #expect(high.head.rawValue == zone.size * 42 / 8 - 2)
    #expect(zone.text == "mURmmM")
    let second = try machine.zone.allocate(Order(1), .unmovable, on: cpu)
    #expect(second.head == FrameNumber(zone.size + 2))
    // The fourth has a hole, so that the fifth is the last one that is wholly free.
    let large = try machine.zone.allocate(Order(order), .unmovable, on: cpu)
    #expect(large.head == FrameNumber(zone.size * 4))
    #expect(zone.text == "mURmUM")
    #expect(machine.zone.pageblockCounts == PageblockCounts(claimed: 2))
    try machine.zone.checkInvariants()
    for folio in [low.head, next.head, high.head, second.head] { try machine.zone.free(at: folio, order: Order(1), on: cpu) }
    machine.zone.free(large, on: cpu)
    machine.zone.drain()
    try machine.finish()
  }

  // Marks of neighbours share words; those of a zone that does not begin at a node of 512 leaves lie elsewhere in them.
  @Test(arguments: orders) func zonesMayStartAnywhere(order: UInt8) throws {
    let zone = try Zone(order, at: 13)
    let folio = try zone.machine.zone.allocate(Order(2), .unmovable, on: cpu)
    #expect(folio.head == FrameNumber(zone.size * 14))
    #expect(zone.text == "mUmmmm")
    zone.machine.zone.free(folio, on: cpu)
    #expect(zone.text == "mummmm")
    zone.machine.zone.drain()
    try zone.machine.finish()
  }

  /// Whoever asks gets every frame in the end, in pageblocks of others' too.
  @Test(arguments: orders.filter { $0 <= 11 }, [FrameMobility.unmovable, .reclaimable, .movable])
  func everyFrameCanBeHad(order: UInt8, mobility: FrameMobility) throws {
    let zone = try Zone(order)
    let machine = zone.machine
    // Something of another mobility in the way.
    let other: FrameMobility = mobility == .movable ? .unmovable : .movable
    let stranger = try machine.zone.allocate(Order(2), other, on: cpu)
    var held: [FrameNumber] = []
    while let folio = try? machine.zone.allocate(Order(0), mobility, on: cpu) { held.append(folio.head) }
    #expect(FrameCount(UInt64(held.count)) == machine.total - FrameCount(4))
    #expect(Set(held).count == held.count)
    try machine.zone.checkInvariants()
    for head in held { try machine.zone.free(at: head, order: Order(0), on: cpu) }
    machine.zone.free(stranger, on: cpu)
    machine.zone.drain()
    try machine.finish()
  }

  /// Only pageblocks that were wholly free serve what may not fall back: three of six.
  @Test(arguments: orders.filter { $0 <= 11 }) func withoutFallbackOnlyWholePageblocksServe(order: UInt8) throws {
    let zone = try Zone(order, fallback: .never)
    let machine = zone.machine
    var held: [FrameNumber] = []
    while let folio = try? machine.zone.allocate(Order(0), .unmovable, on: cpu) { held.append(folio.head) }
    #expect(UInt64(held.count) == 3 * zone.size)
    #expect(zone.text == "mUUmUm")
    for head in held { try machine.zone.free(at: head, order: Order(0), on: cpu) }
    machine.zone.drain()
    try machine.finish()
  }

  // Nothing of it is a whole pageblock: it stays movable, and what cannot move pollutes it.
  @Test func aZoneSmallerThanAPageblock() throws {
    let machine = try MachineFixture(.flat, memory: [frames(40, 140)], policy: PageblockPolicy(order: Order(9)))
    let low = try machine.zone.allocate(Order(1), .unmovable, on: cpu)
    #expect(machine.zone.mobility(ofPageblockOf: FrameNumber(40)) == .movable)
    #expect(machine.zone.pageblockCounts == PageblockCounts(polluted: 1))
    let high = try machine.zone.allocate(Order(2), .movable, on: cpu)
    #expect(high.head == FrameNumber(136))
    machine.zone.free(low, on: cpu)
    machine.zone.free(high, on: cpu)
    try machine.finish()

    // More than half of one, and so worth stealing.
    let larger = try MachineFixture(.flat, memory: [frames(100, 400)], policy: PageblockPolicy(order: Order(9)))
    let folio = try larger.zone.allocate(Order(1), .unmovable, on: cpu)
    #expect(larger.zone.mobility(ofPageblockOf: FrameNumber(399)) == .unmovable)
    #expect(larger.zone.pageblockCounts == PageblockCounts(stolen: 1))
    larger.zone.free(folio, on: cpu)
    try larger.finish()

    let strict = try MachineFixture(
      .flat, memory: [frames(40, 140)], policy: PageblockPolicy(order: Order(9), fallback: .never))
    #expect(throws: FolioError.exhausted(wanted: FrameCount(1), largestFree: FrameCount(64))) {
      _ = try strict.zone.allocate(Order(0), .unmovable, on: cpu).head
    }
    try strict.finish()
  }
}
