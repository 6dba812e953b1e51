import FrameAllocator
import MemoryUnits
import TestSupport
import Testing

/// A head map with storage of its own.
final class HeadStorage: Sendable {
  nonisolated(unsafe) private let storage: UnsafeMutableRawBufferPointer
  let heads: HeadMap

  init(_ zone: FrameRange) {
    storage = zeroed(HeadMap.storageBytes(for: zone.count))
    heads = HeadMap(zone: zone, storage: storage)
  }

  deinit { storage.deallocate() }

  func set(_ frame: FrameNumber) -> Bool { heads.set(frame) }
  func clear(_ frame: FrameNumber) -> Bool { heads.clear(frame) }
  func contains(_ frame: FrameNumber) -> Bool { heads.contains(frame) }
  func candidate(_ frame: FrameNumber) -> FrameNumber? { heads.candidate(containing: frame) }
  func count() -> UInt64 { heads.count() }
}

@Suite struct HeadMapTests {
  @Test func aGiganticBlockIsFoundFromItsLastFrame() throws {
    let zone = frames(0x40000, 0x40000 + 1 << 28)
    let map = HeadStorage(zone)
    // 16 GiB and 1 GiB and 2 MiB and one frame.
    for (start, order) in [(1 << 23, 22), (1 << 18, 18), (0x8000_200, 9), (0x8000_401, 0)] as [(UInt64, UInt8)] {
      #expect(map.set(FrameNumber(start)))
      let last = FrameNumber(start) + Order(order).frames - FrameCount(1)
      #expect(map.candidate(last) == FrameNumber(start))
      #expect(map.candidate(FrameNumber(start)) == FrameNumber(start))
    }
    try map.heads.checkInvariants()
    #expect(map.count() == 4)
    #expect(!map.set(FrameNumber(1 << 18)))
    #expect(map.clear(FrameNumber(1 << 18)))
    #expect(!map.clear(FrameNumber(1 << 18)) && !map.contains(FrameNumber(1 << 18)))
    #expect(map.candidate(FrameNumber(0x7_ffff)) == nil)
    try map.heads.checkInvariants()
  }

  /// Blocks from a tree of the same zone; the map finds each from each of its frames.
  @Test(arguments: 0..<8) func againstTheBlocksThemselves(seed: UInt64) throws {
    var random = SplitMix(seed: seed)
    let start = UInt64.random(in: 0..<1 << 19, using: &random)
    let zone = frames(start, start + .random(in: 1...1 << 20, using: &random))
    let (tree, map) = (TreeStorage(zone), HeadStorage(zone))
    try tree.release(zone)
    var orders: [FrameNumber: Order] = [:]
    for _ in 0..<600 {
      if Int.random(in: 0..<3, using: &random) != 0 {
        let order = Order(UInt8.random(in: 0...UInt8.random(in: 0...19, using: &random), using: &random))
        guard let block = tree.allocate(order, from: Bool.random(using: &random) ? .lowest : .highest) else { continue }
        #expect(map.set(block))
        orders[block] = order
      } else if let (block, order) = orders.randomElement(using: &random) {
        #expect(map.clear(block))
        orders[block] = nil
        try tree.free(block, order: order)
      }
      for (block, order) in orders.shuffled(using: &random).prefix(4) {
        let inside = block + FrameCount(UInt64.random(in: 0..<order.frames.rawValue, using: &random))
        #expect(map.candidate(inside) == block, "seed \(seed)")
        #expect(map.contains(inside) == (inside == block))
      }
      let anywhere = FrameNumber(UInt64.random(in: zone.start.rawValue..<zone.end.rawValue, using: &random))
      let found = map.candidate(anywhere).flatMap { head in
        orders[head].flatMap { FrameRange(blockAt: head, order: $0).contains(anywhere) ? head : nil }
      }
      let expected = orders.first { FrameRange(blockAt: $0.key, order: $0.value).contains(anywhere) }?.key
      #expect(found == expected, "seed \(seed)")
    }
    #expect(map.count() == UInt64(orders.count))
    try map.heads.checkInvariants()
  }

  @Test func oneOfSeveralThreadsFrees() {
    let zone = frames(0, 1 << 14)
    let map = HeadStorage(zone)
    for frame in zone.start.rawValue..<zone.end.rawValue { #expect(map.set(FrameNumber(frame))) }
    let freed = Tally()
    concurrently(3) { _ in
      for frame in zone.start.rawValue..<zone.end.rawValue where map.clear(FrameNumber(frame)) { freed.add(1) }
    }
    #expect(freed.value == 1 << 14)
    #expect(map.count() == 0)
  }

  @Test func treeAndMapTakeLessThanThreeBitsAFrame() {
    for power in UInt64(14)...36 {
      let frames = FrameCount(1 << power)
      let bytes = FreeTree.storageBytes(for: frames) + HeadMap.storageBytes(for: frames)
      #expect(bytes.rawValue * 8 < frames.rawValue * 3)
    }
  }
}
