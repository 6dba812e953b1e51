import HostArena
import MemoryUnits
import TestSupport
import Testing

@testable import AddressSpaces

/// Threads that take slots, share them and put folios into the cache, on one area.
@Suite struct SwapThreadTests {
  @Test func slotsAreOneThreadsAtATime() throws {
    let device = MemorySwapDevice(slots: SlotCount(2100), baseShift: PageShift(12))
    let area = SwapArea(device, pause: { HostStorage().pause() })
    let cached = Tally()
    // Everybody's, in and out of the cache.
    let shared = SlotRange(start: try area.take(Order(2)), count: SlotCount(4))
    concurrently(3) { thread in
      var random = SplitMix(seed: UInt64(thread))
      for round in 0..<400 {
        let order = Order(UInt8.random(in: 0...9, using: &random))
        let head = FrameNumber(UInt64(thread * 1000 + round))
        area.retain(shared)
        if area.setCached(shared, head) == nil {
          cached.add(1)
          area.removeCached(shared, head)
        }
        area.release(shared)
        guard let slot = try? area.take(order) else { continue }
        let range = SlotRange(start: slot, count: SlotCount(order))
        // Nobody else has them: they are in no cache, and have one use.
        precondition(area.uses(of: slot) == 1 && area.setCached(range, head) == nil, "slots of two threads")
        area.release(range)
        precondition(area.removeCached(range, head) == range.count, "a slot that did not become free")
      }
    }
    #expect(cached.value > 0)
    #expect(area.release(shared) == SlotCount(4) && area.free == area.slots && area.cached == .zero)
    try area.checkInvariants()
  }
}
