import FrameAllocator
import MemoryUnits
import TestSupport
import Testing

/// What searches note as not being there, in zones that are large enough for notes above the leaves.
@Suite struct TreeNotesTests {
  /// Frames as an array, searched one by one.
  private struct Naive {
    let zone: FrameRange
    var isFree: [Bool]

    init(_ zone: FrameRange) {
      self.zone = zone
      isFree = [Bool](repeating: false, count: Int(zone.count.rawValue))
    }

    func find(_ order: Order, _ placement: Placement) -> FrameNumber? {
      let size = Int(order.frames.rawValue)
      let first = Int((zone.start.aligned(to: order.frames, .up) - zone.start).rawValue)
      guard first + size <= isFree.count else { return nil }
      let starts = stride(from: first, through: isFree.count - size, by: size)
      func isWhole(_ start: Int) -> Bool { isFree[start..<(start + size)].allSatisfy { $0 } }
      let found = placement == .lowest ? starts.first(where: isWhole) : starts.reversed().first(where: isWhole)
      return found.map { zone.start + FrameCount(UInt64($0)) }
    }

    mutating func set(_ range: FrameRange, _ value: Bool) {
      let start = Int((range.start - zone.start).rawValue)
      for index in start..<(start + Int(range.count.rawValue)) { isFree[index] = value }
    }
  }

  @Test(arguments: [1, 2, 3] as [UInt64]) func theTreeFindsWhatAnArrayFinds(_ seed: UInt64) throws {
    // Two nodes of leaves, the first of which the zone enters in its middle.
    let zone = frames(0x1_0200, 0x1_0200 + 1 << 18 - 0x200)
    let storage = TreeStorage(zone)
    var naive = Naive(zone)
    var random = SplitMix(seed: seed)
    // Small holes of all sizes, most of them too small for what is sought.
    for _ in 0..<3000 {
      let order = Order(UInt8(random.next() % 4))
      let start = FrameNumber(zone.start.rawValue + random.next() % (zone.count.rawValue - 16)).aligned(to: order.frames, .down)
      let hole = FrameRange(blockAt: start, order: order)
      guard zone.contains(hole), !storage.isFree(hole), (try? storage.release(hole)) != nil else { continue }
      naive.set(hole, true)
    }
    var held: [(FrameNumber, Order)] = []
    for step in 0..<240 {
      let order = Order(UInt8(random.next() % 10))
      let placement: Placement = random.next() % 2 == 0 ? .lowest : .highest
      let found = storage.allocate(order, from: placement)
      #expect((found == nil) == (naive.find(order, placement) == nil), "seed \(seed), step \(step), order \(order)")
      if let found {
        let block = FrameRange(blockAt: found, order: order)
        #expect(naive.isFree[Int((found - zone.start).rawValue)], "seed \(seed), step \(step)")
        naive.set(block, false)
        held.append((found, order))
      }
      // Neighbours of holes become free, so that larger runs come to be where notes say that there are none.
      for _ in 0..<8 {
        let frame = FrameNumber(zone.start.rawValue + random.next() % zone.count.rawValue)
        let one = FrameRange(start: frame, count: FrameCount(1))
        guard !storage.isFree(one) else { continue }
        try storage.release(one)
        naive.set(one, true)
      }
      if step % 3 == 0, let (start, order) = held.popLast(), !naive.isFree[Int((start - zone.start).rawValue)] {
        let block = FrameRange(blockAt: start, order: order)
        if (block.start.rawValue..<block.end.rawValue).allSatisfy({ !naive.isFree[Int($0 - zone.start.rawValue)] }) {
          try storage.free(start, order: order)
          naive.set(block, true)
        }
      }
      if step % 16 == 0 { try storage.checkInvariants() }
    }
    try storage.checkInvariants()
  }

  @Test func aRunThatTwoFreesMakeIsFoundAgain() throws {
    let zone = frames(0, 1 << 18)
    let storage = TreeStorage(zone)
    // Every other frame: no pair anywhere, and everybody knows it.
    for frame in stride(from: UInt64(0), to: 1 << 13, by: 2) { try storage.release(frames(frame, frame + 1)) }
    #expect(storage.allocate(Order(1), from: .lowest) == nil)
    try storage.checkInvariants()
    try storage.release(frames(0x1235, 0x1236))
    #expect(storage.allocate(Order(1), from: .lowest) == FrameNumber(0x1234))
    // A leaf that was full gets its first free frames.
    #expect(storage.allocate(Order(3), from: .highest) == nil)
    try storage.release(frames(0x3_0008, 0x3_0010))
    #expect(storage.allocate(Order(3), from: .highest) == FrameNumber(0x3_0008))
    // A whole leaf that goes up and comes down again forgets what was noted of it.
    try storage.claim(frames(0x1236, 0x1237))
    try storage.release(frames(0x2_0000, 0x2_0200))
    #expect(storage.allocate(Order(0), from: .highest) == FrameNumber(0x2_01ff))
    #expect(storage.allocate(Order(8), from: .lowest) == FrameNumber(0x2_0000))
    try storage.checkInvariants()
  }

  /// Four nodes of leaves, of which a search sees by their bits in the node above which can have what it wants.
  @Test(arguments: [Placement.lowest, .highest]) func nodesOfLeavesAreFoundAgain(_ placement: Placement) throws {
    let node: UInt64 = 1 << 18
    let zone = frames(0, 4 * node)
    let storage = TreeStorage(zone)
    // Something small in each, so that none is passed over for being full.
    for number in 0..<4 as Range<UInt64> { try storage.release(frames(number * node + 0x1001, number * node + 0x1002)) }
    for order in [1, 3, 8, 9, 10, 17] as [UInt8] { #expect(storage.allocate(Order(order), from: placement) == nil) }
    try storage.checkInvariants()
    // What comes is found, and no more than that.
    for (number, order) in [(2, 3), (1, 8), (3, 9), (0, 10)] as [(UInt64, UInt8)] {
      let start = FrameNumber(number * node + 0x1_0000)
      try storage.release(FrameRange(blockAt: start, order: Order(order)))
      #expect(storage.allocate(Order(order + 1), from: placement) == nil)
      try storage.checkInvariants()
      #expect(storage.allocate(Order(order), from: placement) == start)
      #expect(storage.allocate(Order(order), from: placement) == nil)
      try storage.free(start, order: Order(order))
      #expect(storage.allocate(Order(order), from: placement) == start)
      try storage.checkInvariants()
    }
    // Halves that meet make a run that nobody could have had before.
    try storage.release(frames(2 * node + 0x2_0000, 2 * node + 0x2_0008))
    #expect(storage.allocate(Order(4), from: placement) == nil)
    try storage.release(frames(2 * node + 0x2_0008, 2 * node + 0x2_0010))
    #expect(storage.allocate(Order(4), from: placement) == FrameNumber(2 * node + 0x2_0000))
    // Whole leaves, the neighbours of which come later.
    try storage.release(frames(node + 0x2_0000, node + 0x2_0200))
    #expect(storage.allocate(Order(10), from: placement) == nil)
    try storage.release(frames(node + 0x2_0200, node + 0x2_0400))
    #expect(storage.allocate(Order(10), from: placement) == FrameNumber(node + 0x2_0000))
    for number in 0..<4 as Range<UInt64> { try storage.claim(frames(number * node + 0x1001, number * node + 0x1002)) }
    #expect(storage.allocate(Order(0), from: placement) == nil)
    try storage.checkInvariants()
  }
}
