import FrameAllocator
import MemoryUnits
import TestSupport
import Testing

@Suite struct FreeTreeTests {
  @Test func aZoneOfZerosHasNothingFree() throws {
    let storage = TreeStorage(frames(0x1000, 0x3000))
    #expect(storage.allocate(Order(0), from: .lowest) == nil)
    #expect(storage.freeFrames() == .zero)
    #expect(storage.largestFreeOrder() == nil)
    try storage.checkInvariants()
  }

  @Test func everyOrderUpToTheZonesSize() throws {
    // Sizes in the middle of every level, zones that fill a node exactly, and starts off any alignment.
    for (start, count) in [(0, 1 << 20), (0, 1 << 18), (1 << 27, 1 << 27), (0, 512), (0, 1), (0x301, 0x5555), (0x3fe00, 1 << 21)]
      as [(UInt64, UInt64)]
    {
      let zone = frames(start, start + count)
      let storage = TreeStorage(zone)
      try storage.release(zone)
      #expect(storage.freeFrames() == zone.count)
      for power in 0...storage.highestOrder.rawValue {
        let order = Order(power)
        let size = order.frames
        let inside = zone.aligned(to: size, .down)
        for placement in [Placement.lowest, .highest] {
          let block = storage.allocate(order, from: placement)
          let expected = inside.isEmpty ? nil : placement == .lowest ? inside.start : inside.end - size
          #expect(block == expected, "order \(order) of \(zone)")
          guard let block else { continue }
          // A recount reads every node: of the large zones only once.
          if count < 1 << 19 { try storage.checkInvariants() }
          #expect(storage.freeFrames() == zone.count - size)
          try storage.free(block, order: order)
          if count < 1 << 19 { try storage.checkInvariants() }
        }
      }
      try storage.checkInvariants()
      #expect(storage.allocate(Order(storage.highestOrder.rawValue + 1), from: .lowest) == nil)
      try storage.claim(zone)
      #expect(storage.freeFrames() == .zero)
    }
  }

  @Test func drawings() throws {
    // `.` free, `#` held; a character is a frame, lowest first.
    let drawn = DrawnTree("..#. .... ....")
    #expect(drawn.storage.allocate(Order(2), from: .lowest) == FrameNumber(0x44))
    #expect(drawn.text == "..#. #### ....")
    #expect(drawn.storage.allocate(Order(1), from: .highest) == FrameNumber(0x4a))
    #expect(drawn.text == "..#. #### ..##")
    #expect(drawn.storage.allocate(Order(0), from: .lowest) == FrameNumber(0x40))
    #expect(drawn.storage.allocate(Order(0), from: .highest) == FrameNumber(0x49))
    #expect(drawn.text == "#.#. #### .###")
    #expect(drawn.storage.allocate(Order(1), from: .lowest) == nil)
    try drawn.storage.free(FrameNumber(0x46), order: Order(1))
    #expect(drawn.text == "#.#. ##.. .###")
    #expect(drawn.storage.largestFreeOrder() == Order(1))
    try drawn.storage.claim(frames(0x46, 0x49))
    #expect(drawn.text == "#.#. #### ####")
    try drawn.storage.checkInvariants()
  }

  @Test func exactRanges() throws {
    let zone = frames(0x301, 0x80301)
    let storage = TreeStorage(zone)
    try storage.release(zone)
    let range = frames(0x1ff, 0x40203)
    #expect(throws: FreeTreeError.outsideZone) { try storage.claim(range) }
    let inner = frames(0x3ff, 0x40203)
    try storage.claim(inner)
    try storage.checkInvariants()
    #expect(!storage.isFree(frames(0x3fe, 0x400)))
    #expect(storage.isFree(frames(0x301, 0x3ff)) && storage.isFree(frames(0x40203, 0x80301)))
    #expect(throws: FreeTreeError.notFree) { try storage.claim(frames(0x350, 0x3ff + 1)) }
    #expect(throws: FreeTreeError.alreadyFree) { try storage.release(frames(0x40000, 0x40204)) }
    #expect(storage.freeFrames() == zone.count - inner.count)
    // Give it back in pieces that have nothing to do with how it was taken.
    try storage.release(frames(0x5000, 0x40203))
    try storage.release(frames(0x3ff, 0x5000))
    #expect(storage.isFree(zone))
    try storage.checkInvariants()
  }

  @Test func wrongFreesAreRefusedAndChangeNothing() throws {
    let zone = frames(0x200, 0x80200)
    let storage = TreeStorage(zone)
    try storage.release(zone)
    try storage.claim(frames(0x40000, 0x40010))
    try storage.claim(frames(0x600, 0x800))
    func refused(_ start: UInt64, _ order: UInt8, _ error: FreeTreeError) throws {
      let before = storage.freeFrames()
      #expect(throws: error) { try storage.free(FrameNumber(start), order: Order(order)) }
      #expect(storage.freeFrames() == before)
      try storage.checkInvariants()
    }
    try refused(0x1ff, 0, .outsideZone)
    try refused(0x80200, 0, .outsideZone)
    try refused(0, 10, .outsideZone)
    try refused(0x40000, 63, .outsideZone)
    try refused(0x40001, 1, .misaligned)
    // Free in its own node, below a wholly free leaf, and below a higher one.
    try refused(0x40010, 0, .alreadyFree)
    try refused(0x800, 0, .alreadyFree)
    try refused(0x20000, 3, .alreadyFree)
    try refused(0x20000, 12, .alreadyFree)
    // Held in part: a wrong order.
    try refused(0x40000, 5, .alreadyFree)
    try refused(0x40000, 9, .alreadyFree)
    try refused(0x40000, 18, .alreadyFree)
    try refused(0x400, 10, .alreadyFree)
    // What is held may go back in pieces.
    try storage.free(FrameNumber(0x40000), order: Order(3))
    try storage.free(FrameNumber(0x40008), order: Order(3))
    try storage.free(FrameNumber(0x600), order: Order(9))
    #expect(storage.isFree(zone))
  }

  /// Notes of what was not found must never hide what was freed since.
  @Test func blocksAreFoundAgainInATornZone() throws {
    let zone = frames(0, 1 << 18)
    let storage = TreeStorage(zone)
    try storage.release(zone)
    // Every other pair of frames is held: no block above order 1.
    for frame in stride(from: UInt64(0), to: zone.end.rawValue, by: 4) { try storage.claim(frames(frame, frame + 2)) }
    for _ in 0..<3 {
      for order in (2...17 as ClosedRange<UInt8>).reversed() { #expect(storage.allocate(Order(order), from: .lowest) == nil) }
      try storage.checkInvariants()
    }
    try storage.free(FrameNumber(0x1_2344), order: Order(1))
    #expect(storage.allocate(Order(3), from: .lowest) == nil)
    #expect(storage.allocate(Order(2), from: .lowest) == FrameNumber(0x1_2344))
    #expect(storage.allocate(Order(2), from: .highest) == nil)
    try storage.free(FrameNumber(0x1_2344), order: Order(2))
    try storage.free(FrameNumber(0x1_2340), order: Order(1))
    #expect(storage.allocate(Order(3), from: .highest) == FrameNumber(0x1_2340))
    try storage.checkInvariants()
  }

  @Test func metadataIsAtMostThreeBitsAFrame() {
    for power in UInt64(15)...36 {
      let tree = FreeTree.storageBytes(for: FrameCount(1 << power)).rawValue * 8
      #expect(Double(tree) / Double(UInt64(1) << power) < 1.3)
    }
  }
}

@Suite struct FreeTreeOracleTests {
  /// Random work of mixed orders on zones of odd sizes with holes, each step compared with an array of booleans.
  @Test(arguments: 0..<24) func againstTheOracle(seed: UInt64) throws {
    var random = SplitMix(seed: seed)
    let count = UInt64.random(in: 1...(seed % 3 == 0 ? 700 : 6000), using: &random)
    let start = UInt64.random(in: 0..<3000, using: &random) + (seed % 4 == 0 ? 1 << 18 - 1000 : 0)
    let zone = frames(start, start + count)
    let storage = TreeStorage(zone)
    var oracle = FrameOracle(zone)
    // Holes: what is never released.
    var place = start
    while place < zone.end.rawValue {
      let piece = frames(place, min(zone.end.rawValue, place + .random(in: 1...2000, using: &random)))
      if Int.random(in: 0..<5, using: &random) != 0 {
        try storage.release(piece)
        oracle.set(piece, free: true)
      }
      place = piece.end.rawValue
    }
    var held: [(FrameNumber, Order)] = []
    for step in 0..<400 {
      switch Int.random(in: 0..<10, using: &random) {
      case 0..<5:
        let order = Order(UInt8.random(in: 0...UInt8.random(in: 0...12, using: &random), using: &random))
        let placement = Bool.random(using: &random) ? Placement.lowest : .highest
        let expected = oracle.allocate(order, placement)
        #expect(storage.allocate(order, from: placement) == expected, "seed \(seed) step \(step) order \(order)")
        if let expected { held.append((expected, order)) }
      case 5..<8:
        guard !held.isEmpty else { continue }
        let (block, order) = held.remove(at: Int.random(in: 0..<held.count, using: &random))
        try storage.free(block, order: order)
        oracle.set(FrameRange(blockAt: block, order: order), free: true)
        #expect(throws: FreeTreeError.alreadyFree) { try storage.free(block, order: order) }
      default:
        let first = UInt64.random(in: start...zone.end.rawValue, using: &random)
        let last = UInt64.random(in: first...min(zone.end.rawValue, first + 1500), using: &random)
        let range = frames(first, last)
        let isFree = oracle.isFree(range)
        #expect(storage.isFree(range) == isFree)
        if isFree {
          try storage.claim(range)
          // Frame by frame and as a range, so that release meets both.
          if Bool.random(using: &random) {
            try storage.release(range)
          } else {
            for frame in first..<last { try storage.free(FrameNumber(frame), order: Order(0)) }
          }
        } else {
          #expect(throws: FreeTreeError.notFree) { try storage.claim(range) }
        }
      }
      try storage.checkInvariants()
      #expect(storage.freeFrames() == oracle.freeFrames)
      #expect(storage.largestFreeOrder() == oracle.largestFreeOrder)
    }
    for (block, order) in held { try storage.free(block, order: order) }
    try storage.checkInvariants()
  }
}
