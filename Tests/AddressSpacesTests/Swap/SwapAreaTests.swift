import HostArena
import MemoryUnits
import TestSupport
import Testing

@testable import AddressSpaces

private func slots(_ start: UInt64, _ count: UInt64) -> SlotRange { SlotRange(start: SwapSlot(start), count: SlotCount(count)) }

private func makeArea(_ count: UInt64) -> SwapArea {
  SwapArea(MemorySwapDevice(slots: SlotCount(count), baseShift: PageShift(12)), pause: { HostStorage().pause() })
}

/// The books of slots, and of what is in memory besides.
@Suite struct SwapAreaTests {
  struct Script: Sendable, CustomTestStringConvertible {
    let slots: Int
    let orders: ClosedRange<UInt8>
    let steps: Int
    let seed: UInt64
    var testDescription: String { "\(slots) slots, orders \(orders), seed \(seed)" }
  }

  static let scripts =
    (1...3 as ClosedRange<UInt64>).flatMap { seed in
      [
        Script(slots: 1, orders: 0...1, steps: 50, seed: seed),
        Script(slots: 511, orders: 0...9, steps: 300, seed: seed),
        Script(slots: 512, orders: 0...9, steps: 300, seed: seed),
        // The last cluster is short.
        Script(slots: 3000, orders: 0...11, steps: 500, seed: seed),
        Script(slots: 3000, orders: 8...10, steps: 300, seed: seed),
      ]
    } + [Script(slots: 70_000, orders: 12...16, steps: 24, seed: 5)]

  @Test(arguments: scripts) func slotsAreAsANaiveAccountHasThem(_ script: Script) throws {
    var random = SplitMix(seed: script.seed)
    let area = makeArea(UInt64(script.slots))
    var oracle = SlotOracle(script.slots)
    // Each is held once or more: what one take gave, or a part of it.
    var held: [SlotRange] = []
    for step in 0..<script.steps {
      switch Int.random(in: 0..<10, using: &random) {
      // Fuller and emptier by turns.
      case 0..<(step / 100 % 2 == 0 ? 5 : 2): try take(UInt8.random(in: script.orders, using: &random), area, &oracle, &held)
      case 5: held.randomElement(using: &random).map { retain($0, area, &oracle, &held) }
      case 6: held.randomElement(using: &random).map { cache($0, FrameNumber(UInt64(step)), area, &oracle) }
      case 7: held.randomElement(using: &random).map { uncache($0, area, &oracle) }
      default:
        guard let place = held.indices.randomElement(using: &random) else { break }
        release(place, cut: Bool.random(using: &random), area, &oracle, &held)
      }
      #expect(area.free == oracle.free && area.cached == oracle.cached)
      // Every slot is looked at now and then: that costs most of the time.
      if step % 8 == 0 || script.slots <= 1 { try check(area, oracle) }
    }
    // Some are held by the cache alone.
    uncache(slots(0, UInt64(script.slots)), area, &oracle)
    while !held.isEmpty { release(held.count - 1, cut: false, area, &oracle, &held) }
    try check(area, oracle)
    #expect(area.free == area.slots && area.cached == .zero)
  }

  private func take(_ order: UInt8, _ area: SwapArea, _ oracle: inout SlotOracle, _ held: inout [SlotRange]) throws {
    let blocks = oracle.blocks(Int(order))
    do throws(SwapError) {
      let slot = try area.take(Order(order))
      #expect(blocks.contains(Int(slot.rawValue)))
      if order < 9, !blocks.allSatisfy(oracle.isInWholeCluster) { #expect(!oracle.isInWholeCluster(Int(slot.rawValue))) }
      held.append(SlotRange(start: slot, count: SlotCount(Order(order))))
      oracle.take(oracle.range(held[held.count - 1]))
    } catch {
      #expect(blocks.isEmpty)
      #expect(error == .full(wanted: SlotCount(Order(order)), largestFree: oracle.largest(below: Int(order))))
    }
  }

  private func retain(_ range: SlotRange, _ area: SwapArea, _ oracle: inout SlotOracle, _ held: inout [SlotRange]) {
    area.retain(range)
    oracle.retain(oracle.range(range))
    held.append(range)
  }

  private func release(
    _ place: Int, cut: Bool, _ area: SwapArea, _ oracle: inout SlotOracle, _ held: inout [SlotRange]
  ) {
    let range = held.remove(at: place)
    let half = range.start + SlotCount(range.count.rawValue / 2)
    let part = cut ? SlotRange(start: half, end: range.end) : range
    if cut, half > range.start { held.append(SlotRange(start: range.start, end: half)) }
    #expect(area.release(part) == oracle.release(oracle.range(part)))
  }

  private func cache(_ range: SlotRange, _ head: FrameNumber, _ area: SwapArea, _ oracle: inout SlotOracle) {
    let places = oracle.range(range)
    let there = oracle.heads[places].compactMap { $0 }.first
    #expect(area.setCached(range, head) == there)
    guard there == nil else { return }
    oracle.cache(places, head)
    oracle.retain(places)
    #expect(!area.replaceCached(range, head + FrameCount(1), by: head))
  }

  /// Takes out what is in the cache of a range, wherever its folios begin and end; every other folio is moved first.
  private func uncache(_ range: SlotRange, _ area: SwapArea, _ oracle: inout SlotOracle) {
    for place in oracle.range(range) {
      guard let head = oracle.heads[place] else { continue }
      let one = slots(UInt64(place), 1)
      let moved = place % 2 == 0 ? head : head + FrameCount(1000)
      if moved != head { #expect(area.replaceCached(one, head, by: moved)) }
      oracle.cache(place..<place + 1, nil)
      #expect(area.removeCached(one, moved) == oracle.release(place..<place + 1))
    }
  }

  private func check(_ area: SwapArea, _ oracle: SlotOracle) throws {
    try area.checkInvariants()
    let isEqual = oracle.uses.indices.allSatisfy {
      let slot = SwapSlot(UInt64($0))
      return area.uses(of: slot) == oracle.uses[$0] && area.cached(slot) == oracle.heads[$0]
    }
    #expect(isEqual)
    #expect(area.free == oracle.free && area.used == area.slots - oracle.free && area.cached == oracle.cached)
  }

  @Test func smallBlocksLeaveClustersWhole() throws {
    let area = makeArea(2048)
    let huge = try area.take(Order(9))
    // So many that one cluster holds them all.
    let small = try (0..<128).map { _ in try area.take(Order(2)) }
    let clusters = Set(small.map { $0.rawValue / 512 })
    #expect(clusters.count == 1 && !clusters.contains(huge.rawValue / 512))
    area.release(small[5])
    // Fills the gap, and opens no cluster.
    #expect(try area.take(Order(0)) == small[5])
    #expect(throws: SwapError.full(wanted: SlotCount(2048), largestFree: SlotCount(1024))) { try area.take(Order(11)) }
    #expect(try area.take(Order(10)) == SwapSlot(1024))
    #expect(throws: SwapError.full(wanted: SlotCount(1), largestFree: .zero)) { try area.take(Order(0)) }
    #expect(area.free == .zero)
    try area.checkInvariants()
  }

  @Test func anEmptyDeviceIsFull() throws {
    let area = makeArea(0)
    #expect(throws: SwapError.full(wanted: SlotCount(1), largestFree: .zero)) { try area.take(Order(0)) }
    try area.checkInvariants()
  }

  @Test func theLastUseFreesASlot() throws {
    let area = makeArea(512)
    let slot = try area.take(Order(0))
    area.retain(slot)
    #expect(area.setCached(slots(slot.rawValue, 1), FrameNumber(7)) == nil)
    #expect(area.uses(of: slot) == 3)
    #expect(!area.release(slot))
    #expect(!area.release(slot))
    // Only the cache is left.
    #expect(area.uses(of: slot) == 1 && area.cached(slot) == FrameNumber(7))
    #expect(area.removeCached(slots(slot.rawValue, 1), FrameNumber(7)) == SlotCount(1))
    #expect(area.used == .zero)
    try area.checkInvariants()
  }

  @Test func damageIsFound() throws {
    let area = makeArea(1000)
    _ = try area.take(Order(3))
    typealias Damage = (SwapFault, @Sendable (inout SlotBooks) -> Void)
    let damages: [Damage] = [
      (.uses(SwapSlot(512), 0), { $0.uses[1][0] = 0 }),
      (.uses(SwapSlot(520), 1), { $0.uses[1][8] = 1 }),
      (.cluster(slots(0, 512), free: SlotCount(512)), { $0.whole[ClusterIndex(0)] = false }),
      (.cluster(slots(0, 512), free: SlotCount(512)), { $0.partial[ClusterIndex(0)] = true }),
      (.cluster(slots(512, 488), free: SlotCount(480)), { $0.partial[ClusterIndex(1)] = false }),
      (.cached(SwapSlot(3)), { $0.heads[SlotBooks.page(SwapSlot(3))] = FrameNumber(1) }),
      (.cached(SwapSlot(1000)), { $0.heads[SlotBooks.page(SwapSlot(1001))] = FrameNumber(1) }),
    ]
    for (fault, damage) in damages {
      let books = area.books.withLock { $0 }
      area.books.withLock { damage(&$0) }
      #expect(throws: fault) { try area.checkInvariants() }
      area.books.withLock { $0 = books }
    }
    try area.checkInvariants()
  }

  @Test func misuseTraps() async {
    await #expect(processExitsWith: .failure) { makeArea(8).retain(SwapSlot(0)) }
    await #expect(processExitsWith: .failure) { makeArea(8).release(SwapSlot(0)) }
    await #expect(processExitsWith: .failure) { makeArea(8).retain(SwapSlot(8)) }
    await #expect(processExitsWith: .failure) {
      let area = makeArea(8)
      let slot = try area.take(Order(0))
      _ = area.setCached(SlotRange(start: slot, count: SlotCount(1)), FrameNumber(1))
      area.release(slot)
      // The use that is left is the cache's.
      area.release(slot)
    }
    await #expect(processExitsWith: .failure) {
      try makeArea(8).write(FrameRange(start: FrameNumber(0), count: FrameCount(1)), to: SwapSlot(0), in: nil)
    }
  }

  @Test(arguments: 0...9 as ClosedRange<UInt8>) func blocksAreFoundWhereTheyAre(order: UInt8) {
    var random = SplitMix(seed: UInt64(order) + 1)
    for _ in 0..<60 {
      let count = UInt64.random(in: 1...1400, using: &random)
      var bits = FreeBits<SwapSlot>(count: SlotCount(count), free: true)
      // Few holes, so that large blocks stay.
      for _ in 0..<Int.random(in: 0...Int(2048 >> order), using: &random) {
        let start = UInt64.random(in: 0..<count, using: &random)
        bits.set(slots(start, UInt64.random(in: 0...min(3, count - start), using: &random)), free: false)
      }
      #expect(bits.free == SlotCount(UInt64((0..<count).count { bits[SwapSlot($0)] })))
      let low = UInt64.random(in: 0...count, using: &random)
      let range = SlotRange(start: SwapSlot(low), end: SwapSlot(UInt64.random(in: low...count, using: &random)))
      let size: UInt64 = 1 << UInt64(order)
      var wanted: SwapSlot?
      for start in stride(from: 0, to: count, by: Int(size)) where wanted == nil && start >= low {
        guard start + size <= range.end.rawValue else { break }
        if (start..<start + size).allSatisfy({ bits[SwapSlot($0)] }) { wanted = SwapSlot(start) }
      }
      #expect(bits.first(Order(order), in: range) == wanted)
      let counted = (low..<range.end.rawValue).count { bits[SwapSlot($0)] }
      #expect(bits.free(in: range) == SlotCount(UInt64(counted)))
    }
  }
}
