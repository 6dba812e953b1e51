import FrameAllocator
import MemoryUnits
import Synchronization
import TestSupport
import Testing

/// Says of each frame whether someone holds it: two threads that are given one frame are found at once.
final class HolderMap: Sendable {
  private let zone: FrameRange
  nonisolated(unsafe) private let isHeld: UnsafeMutablePointer<Atomic<UInt8>>

  init(_ zone: FrameRange) {
    self.zone = zone
    isHeld = .allocate(capacity: Int(zone.count.rawValue))
    for index in 0..<Int(zone.count.rawValue) { (isHeld + index).initialize(to: Atomic(0)) }
  }

  deinit { isHeld.deallocate() }

  /// False where a frame of the range is held already, or outside.
  func take(_ range: FrameRange) -> Bool { zone.contains(range) && exchange(range, from: 0, to: 1) }
  /// False where a frame of the range is not held.
  func give(_ range: FrameRange) -> Bool { exchange(range, from: 1, to: 0) }

  private func exchange(_ range: FrameRange, from old: UInt8, to new: UInt8) -> Bool {
    let first = Int((range.start - zone.start).rawValue)
    return (first..<(first + Int(range.count.rawValue))).allSatisfy {
      isHeld[$0].exchange(new, ordering: .relaxed) == old
    }
  }
}

@Suite(.serialized) struct ThreadTests {
  /// Random orders, single frames, ranges and drains, on a zone that is small enough to be exhausted all the time.
  @Test(arguments: [(2, 2000), (2, 300_000), (4, 5000), (8, 20_000)] as [(Int, UInt64)])
  func mixedWork(threads: Int, size: UInt64) throws {
    let zone = frames(0x333, 0x333 + size)
    let caches = try CacheStorage(zone, cpus: UInt32(threads))
    let holders = HolderMap(zone)
    let faults = Tally()
    concurrently(threads) { thread in faults.add(work(caches, holders, thread: UInt32(thread), steps: 4000)) }
    #expect(faults.value == 0)
    try caches.finish()
  }

  /// Two owners that never leave their open words, and a drainer that takes them away all the time.
  @Test func drainsAgainstOwners() throws {
    let zone = frames(0, 40_000)
    let caches = try CacheStorage(zone, cpus: 2)
    let holders = HolderMap(zone)
    let faults = Tally()
    let running = Tally(2)
    concurrently(3) { thread in
      let cpu = UInt32(thread)
      guard thread < 2 else {
        while running.value != 0 {
          caches.cache.drain()
          // Leaves the owners some time between two drains.
          for _ in 0..<2000 { _ = running.value }
        }
        return
      }
      for _ in 0..<30_000 {
        guard let frame = caches.allocate(on: cpu) else { continue }
        let range = FrameRange(blockAt: frame, order: Order(0))
        if !holders.take(range) || !holders.give(range) { faults.add(1) }
        do { try caches.free(frame, on: cpu) } catch { faults.add(1) }
      }
      running.add(-1)
    }
    #expect(faults.value == 0)
    try caches.finish()
  }

  /// Nothing but splits and merges: every thread takes single frames and whole leaves of one gigantic block.
  @Test func splitsAgainstMerges() throws {
    let zone = frames(0, 512 * 520)
    let tree = TreeStorage(zone)
    try tree.release(zone)
    let faults = Tally()
    concurrently(3) { thread in
      let orders = [[0, 9, 18], [3, 12, 8], [17, 0, 5]][thread].map { Order($0) }
      for step in 0..<5000 {
        let order = orders[step % 3]
        guard let block = tree.allocate(order, from: step % 2 == 0 ? .lowest : .highest) else {
          // While order 18 is held only eight leaves are left, so that order 12 and above can be missing.
          if order < Order(12) { faults.add(1) }
          continue
        }
        do { try tree.free(block, order: order) } catch { faults.add(1) }
      }
    }
    #expect(faults.value == 0)
    #expect(tree.isFree(zone))
    try tree.checkInvariants()
  }
}

/// One thread's random steps; returns how many faults it saw. Ends with nothing held.
private func work(_ caches: CacheStorage, _ holders: HolderMap, thread: UInt32, steps: Int) -> Int {
  var random = SplitMix(seed: UInt64(thread) + 1)
  var faults = 0
  var held: [(range: FrameRange, order: Order?)] = []
  func giveBack(_ index: Int) {
    let (range, order) = held.remove(at: index)
    if !holders.give(range) { faults += 1 }
    do {
      if order == nil {
        try caches.free(range.start, range.start.rawValue & 1 == 0 ? .movable : .unmovable, on: thread)
      } else {
        try caches.cache.tree.release(range)
      }
    } catch { faults += 1 }
  }
  func keep(_ range: FrameRange, _ order: Order?) {
    if !holders.take(range) { faults += 1 }
    held.append((range, order))
  }
  for _ in 0..<steps {
    switch Int.random(in: 0..<20, using: &random) {
    case 0..<6:
      if let frame = caches.allocate(Bool.random(using: &random) ? .movable : .unmovable, on: thread) {
        keep(FrameRange(blockAt: frame, order: Order(0)), nil)
      }
    case 6..<9:
      let order = Order(UInt8.random(in: 0...11, using: &random))
      if let block = caches.cache.tree.allocate(order, from: Bool.random(using: &random) ? .lowest : .highest) {
        keep(FrameRange(blockAt: block, order: order), order)
      }
    case 9:
      let zone = caches.cache.tree.zone
      let start = FrameNumber(UInt64.random(in: zone.start.rawValue..<zone.end.rawValue, using: &random))
      let end = min(zone.end, start + FrameCount(UInt64.random(in: 1...700, using: &random)))
      let range = FrameRange(start: start, end: end)
      do {
        try caches.cache.tree.claim(range)
        keep(range, Order(0))
      } catch { continue }
    case 10 where Int.random(in: 0..<20, using: &random) == 0: caches.cache.drain()
    default:
      if !held.isEmpty { giveBack(.random(in: 0..<held.count, using: &random)) }
    }
  }
  while !held.isEmpty { giveBack(held.count - 1) }
  return faults
}
