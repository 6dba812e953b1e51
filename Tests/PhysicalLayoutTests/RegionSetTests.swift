import MemoryUnits
import PhysicalLayout
import TestSupport
import Testing

func range(_ start: UInt64, _ end: UInt64) -> PhysicalRange {
  PhysicalRange(start: PhysicalAddress(start), end: PhysicalAddress(end))
}

@Suite struct RegionSetTests {
  @Test func neighboursJoinOnlyWhereNodeAndKindAgree() throws {
    var set = RegionSet()
    set.add(range(0, 10), node: NodeID(0))
    set.add(range(10, 20), node: NodeID(0))
    set.add(range(20, 30), node: NodeID(1))
    set.add(range(30, 40), node: NodeID(1), kind: .hotpluggable)
    #expect(
      set.memory == [
        MemoryRegion(range(0, 20), node: NodeID(0)), MemoryRegion(range(20, 30), node: NodeID(1)),
        MemoryRegion(range(30, 40), node: NodeID(1), kind: .hotpluggable),
      ])
    set.setNode(NodeID(0), over: range(15, 30))
    #expect(set.memory.first == MemoryRegion(range(0, 30), node: NodeID(0)))
    try set.checkInvariants()
  }

  @Test func whatIsMemoryAlreadyKeepsItsNode() {
    var set = RegionSet()
    set.add(range(10, 20), node: NodeID(1))
    set.add(range(0, 30), node: NodeID(0))
    #expect(set.memory.map(\.node) == [NodeID(0), NodeID(1), NodeID(0)])
  }

  @Test func allocatesFromEitherEnd() throws {
    var set = RegionSet()
    set.add(range(0x1000, 0x10000))
    set.reserve(range(0x3000, 0x4000))
    #expect(try set.allocate(ByteCount(0x1000), alignment: ByteCount(0x2000), from: .bottomUp) == range(0x2000, 0x3000))
    #expect(try set.allocate(ByteCount(0x1800), alignment: ByteCount(0x1000), from: .topDown) == range(0xe000, 0xf800))
    #expect(throws: RegionAllocationError.exhausted(wanted: ByteCount(0xb000), largestFree: ByteCount(0xa000))) {
      try set.allocate(ByteCount(0xb000), alignment: ByteCount(1), from: .topDown)
    }
    #expect(throws: RegionAllocationError.emptyRequest) {
      try set.allocate(.zero, alignment: ByteCount(1), from: .topDown)
    }
    #expect(throws: RegionAllocationError.alignmentNotPowerOfTwo(ByteCount(3))) {
      try set.allocate(ByteCount(1), alignment: ByteCount(3), from: .topDown)
    }
  }

  @Test func allocationIsBoundToNodeAndBounds() throws {
    var set = RegionSet()
    set.add(range(0, 0x10000), node: NodeID(0))
    set.add(range(0x10000, 0x20000), node: NodeID(1))
    let one = ByteCount(0x1000)
    #expect(try set.allocate(one, alignment: one, from: .bottomUp, on: NodeID(1)) == range(0x10000, 0x11000))
    #expect(try set.allocate(one, alignment: one, from: .topDown, in: range(0, 0x8000)) == range(0x7000, 0x8000))
    #expect(throws: RegionAllocationError.exhausted(wanted: one, largestFree: .zero)) {
      try set.allocate(one, alignment: one, from: .topDown, on: NodeID(7))
    }
  }

  @Test func trimsCapsAndLimits() {
    var set = RegionSet()
    set.add(range(0x100, 0x9fc00))
    set.add(range(0xa0100, 0xa0200))
    set.trim(to: ByteCount(0x1000))
    #expect(set.memory.map(\.range) == [range(0x1000, 0x9f000)])
    set.limit(to: ByteCount(0x10000))
    #expect(set.memory.map(\.range) == [range(0x1000, 0x11000)])
    set.cap(to: range(0x2000, 0x3000))
    #expect(set.memorySize == ByteCount(0x1000))
  }

  @Test func endOfTheAddressSpaceDoesNotTrap() throws {
    var set = RegionSet()
    set.add(range(UInt64.max - 10, UInt64.max))
    set.trim(to: ByteCount(4096))
    #expect(set.memory.isEmpty)
    set.add(range(0, UInt64.max))
    #expect(
      try set.allocate(ByteCount(4096), alignment: ByteCount(4096), from: .topDown)
        == range(UInt64.max - 8191, UInt64.max - 4095))
  }

  /// One cell a byte: -1 no memory, else the node times two plus the kind.
  struct Oracle {
    var memory = [Int](repeating: -1, count: 256)
    var reserved = [Bool](repeating: false, count: 256)

    func free(on node: UInt32?) -> [PhysicalRange] {
      var found: [PhysicalRange] = []
      var start: Int?
      for cell in 0...256 {
        let isFree = cell < 256 && memory[cell] >= 0 && !reserved[cell] && (node == nil || memory[cell] / 2 == Int(node ?? 0))
        if let open = start, !isFree || memory[cell] != memory[open] {
          found.append(range(UInt64(open), UInt64(cell)))
          start = nil
        }
        if isFree, start == nil { start = cell }
      }
      return found
    }

    func place(_ size: Int, _ alignment: Int, _ direction: AllocationDirection, on node: UInt32?) -> Int? {
      let ranges = free(on: node)
      let fits = stride(from: 0, to: 256, by: alignment).filter { start in
        ranges.contains { $0.start.rawValue <= start && UInt64(start + size) <= $0.end.rawValue }
      }
      return direction == .bottomUp ? fits.first : fits.last
    }
  }

  @Test(arguments: UInt64(1)...40) func agreesWithABitmap(seed: UInt64) throws {
    var random = SplitMix(seed: seed)
    var set = RegionSet()
    var oracle = Oracle()
    for step in 0..<300 {
      let start = Int.random(in: 0...255, using: &random)
      let end = Int.random(in: start...min(256, start + 60), using: &random)
      let bytes = range(UInt64(start), UInt64(end))
      let node = UInt32.random(in: 0...2, using: &random)
      let isHotpluggable = Bool.random(using: &random)
      let code = Int(node) * 2 + (isHotpluggable ? 1 : 0)
      switch Int.random(in: 0...7, using: &random) {
      case 0, 1:
        set.add(bytes, node: NodeID(node), kind: isHotpluggable ? .hotpluggable : .ordinary)
        for cell in start..<end where oracle.memory[cell] < 0 { oracle.memory[cell] = code }
      case 2:
        set.remove(bytes)
        for cell in start..<end { oracle.memory[cell] = -1 }
      case 3:
        set.reserve(bytes)
        for cell in start..<end { oracle.reserved[cell] = true }
      case 4:
        set.unreserve(bytes)
        for cell in start..<end { oracle.reserved[cell] = false }
      case 5:
        set.setNode(NodeID(node), over: bytes)
        for cell in start..<end where oracle.memory[cell] >= 0 { oracle.memory[cell] = Int(node) * 2 + oracle.memory[cell] % 2 }
      default:
        let alignment = 1 << Int.random(in: 0...4, using: &random)
        let size = Int.random(in: 1...40, using: &random)
        let direction: AllocationDirection = Bool.random(using: &random) ? .topDown : .bottomUp
        let wanted = Bool.random(using: &random) ? node : nil
        let expected = oracle.place(size, alignment, direction, on: wanted)
        let place = try? set.allocate(
          ByteCount(UInt64(size)), alignment: ByteCount(UInt64(alignment)), from: direction, on: wanted.map { NodeID($0) })
        #expect(place?.start.rawValue == expected.map { UInt64($0) }, "seed \(seed), step \(step)")
        if let expected { for cell in expected..<(expected + size) { oracle.reserved[cell] = true } }
      }
      try set.checkInvariants()
      #expect(set.freeRanges() == oracle.free(on: nil), "seed \(seed), step \(step)")
      #expect(set.freeRanges(on: NodeID(node)) == oracle.free(on: node), "seed \(seed), step \(step)")
      #expect(set.memorySize.rawValue == UInt64(oracle.memory.count { $0 >= 0 }), "seed \(seed), step \(step)")
      #expect(set.reservedSize.rawValue == UInt64(oracle.reserved.count { $0 }), "seed \(seed), step \(step)")
    }
  }
}
