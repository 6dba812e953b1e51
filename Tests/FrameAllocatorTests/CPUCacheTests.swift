import CBaselines
import FrameAllocator
import MemoryUnits
import FrameMap
import TestSupport
import Testing

/// Caches over a tree, with storage of their own, all of the zone free.
final class CacheStorage: Sendable {
  nonisolated(unsafe) private let storage: [UnsafeMutableRawBufferPointer]
  let cache: CPUCache

  init(_ zone: FrameRange, cpus: UInt32) throws {
    storage = [zeroed(FreeTree.storageBytes(for: zone.count)), zeroed(CPUCache.storageBytes(cpus: cpus))]
    _ = megalith_register_barrier()
    cache = CPUCache(
      tree: FreeTree(zone: zone, storage: storage[0]), cpus: cpus, storage: storage[1],
      barrier: { precondition(megalith_barrier() == 0, "the kernel refuses membarrier") })
    try cache.tree.release(zone)
  }

  deinit { for part in storage { part.deallocate() } }

  func allocate(_ mobility: FrameMobility = .unmovable, on cpu: UInt32 = 0) -> FrameNumber? {
    cache.allocate(mobility, on: CPUIndex(cpu))
  }
  func free(_ frame: FrameNumber, _ mobility: FrameMobility = .unmovable, on cpu: UInt32 = 0) throws(FreeTreeError) {
    try cache.free(frame, mobility, on: CPUIndex(cpu))
  }
  func freeFrames() -> FrameCount { cache.tree.freeFrames() }
  func cachedFrames() -> FrameCount { cache.cachedFrames() }

  /// Drains, and expects that all of the zone is free.
  func finish() throws {
    cache.drain()
    try cache.checkInvariants()
    #expect(freeFrames() == cache.tree.zone.count)
    #expect(cachedFrames() == .zero)
  }
}

@Suite struct CPUCacheTests {
  let zone = frames(0x8000, 0x48000)

  @Test func mobilitiesGrowTowardsEachOther() throws {
    let caches = try CacheStorage(zone, cpus: 1)
    let low = try #require(caches.allocate(.unmovable))
    let high = try #require(caches.allocate(.movable))
    #expect(low == FrameNumber(0x8000))
    #expect(high >= FrameNumber(0x48000 - 64))
    #expect(caches.cachedFrames() == FrameCount(126))
    try caches.cache.checkInvariants()
    try caches.free(low)
    try caches.free(high, .movable)
    try caches.finish()
  }

  @Test func processorsWorkInDifferentNeighbourhoods() throws {
    let caches = try CacheStorage(zone, cpus: 4)
    var held: [FrameNumber] = []
    for _ in 0..<1000 {
      for cpu in 0..<4 as Range<UInt32> { held.append(try #require(caches.allocate(on: cpu))) }
    }
    for (index, frame) in held.enumerated() {
      // 2^14 frames share the line of their leaves' counts.
      #expect(frame.rawValue >> 14 == 2 + UInt64(index % 4))
    }
    #expect(Set(held).count == held.count)
    for (index, frame) in held.enumerated() { try caches.free(frame, on: UInt32(index % 3)) }
    try caches.finish()
  }

  @Test func everyFrameCanBeHad() throws {
    // The last frames lie in another processor's cache, and an allocation drains them.
    for size in [1, 63, 65, 500, 5000] as [UInt64] {
      let zone = frames(0x1ff, 0x1ff + size)
      let caches = try CacheStorage(zone, cpus: 3)
      var held: [FrameNumber] = []
      var cpu: UInt32 = 0
      while let frame = caches.allocate(cpu == 0 ? .movable : .unmovable, on: cpu) {
        held.append(frame)
        cpu = (cpu + 1) % 3
      }
      #expect(Set(held).count == Int(size) && held.count == Int(size))
      #expect(held.allSatisfy { zone.contains($0) })
      try caches.cache.checkInvariants()
      for frame in held { try caches.free(frame, on: cpu) }
      try caches.finish()
    }
  }

  @Test func doubleFreesThatCanBeSeenAreRefused() throws {
    let caches = try CacheStorage(zone, cpus: 2)
    let held = (0..<200).compactMap { _ in caches.allocate() }
    #expect(throws: FreeTreeError.outsideZone) { try caches.free(FrameNumber(0x7fff)) }
    #expect(throws: FreeTreeError.outsideZone) { try caches.free(zone.end) }
    // Free in the tree: below a wholly free ancestor, and in a leaf.
    #expect(throws: FreeTreeError.alreadyFree) { try caches.free(FrameNumber(0x40000)) }
    #expect(throws: FreeTreeError.alreadyFree) { try caches.free(FrameNumber(0x81ff)) }
    // In the own open word, and in the own returned word.
    try caches.free(held[199])
    #expect(throws: FreeTreeError.alreadyFree) { try caches.free(held[199]) }
    try caches.free(held[0])
    #expect(throws: FreeTreeError.alreadyFree) { try caches.free(held[0]) }
    // Back in the leaf, by another processor, while the own open word is of the same 64 frames.
    try caches.free(held[198], on: 1)
    try caches.free(held[1], on: 1)
    #expect(throws: FreeTreeError.alreadyFree) { try caches.free(held[198]) }
    for frame in held[2..<198] { try caches.free(frame) }
    try caches.finish()
  }

  @Test func freedFramesComeBackFirst() throws {
    let caches = try CacheStorage(zone, cpus: 1)
    let held = (0..<64).compactMap { _ in caches.allocate() }
    try caches.free(held[17])
    #expect(caches.allocate() == held[17])
    for frame in held { try caches.free(frame) }
    try caches.finish()
  }

  @Test(arguments: 0..<8) func randomWork(seed: UInt64) throws {
    var random = SplitMix(seed: seed)
    let zone = frames(0x1234, 0x1234 + .random(in: 600...9000, using: &random))
    let caches = try CacheStorage(zone, cpus: 3)
    var held: Set<FrameNumber> = []
    for step in 0..<6000 {
      let mobility = FrameMobility.allCases.randomElement(using: &random) ?? .movable
      let cpu = UInt32.random(in: 0..<3, using: &random)
      // The held part swells and shrinks over the whole zone's size.
      if Int.random(in: 0..<10, using: &random) < (step / 1500 % 2 == 0 ? 7 : 3) {
        guard let frame = caches.allocate(mobility, on: cpu) else {
          #expect(held.count == Int(zone.count.rawValue), "seed \(seed) step \(step)")
          continue
        }
        #expect(held.insert(frame).inserted && zone.contains(frame), "seed \(seed) step \(step)")
      } else if let frame = held.randomElement(using: &random) {
        held.remove(frame)
        try caches.free(frame, mobility, on: cpu)
      }
      if step % 50 == 0 {
        try caches.cache.checkInvariants()
        #expect(caches.freeFrames() + caches.cachedFrames() + FrameCount(UInt64(held.count)) == zone.count)
      }
      if step % 777 == 0 { caches.cache.drain() }
    }
    for frame in held { try caches.free(frame) }
    try caches.finish()
  }
}
