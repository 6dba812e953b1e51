import FrameAllocator
import Synchronization
import TestSupport
import Testing

@Suite struct GuardedTests {
  private struct Sums: ~Copyable, Sendable {
    var first: UInt64 = 0
    var second: UInt64 = 0
    let ended: Ended?
    deinit { ended?.count.wrappingAdd(1, ordering: .relaxed) }
  }

  private final class Ended: Sendable {
    let count = Atomic<Int>(0)
  }

  private struct Refusal: Error, Equatable {}

  @Test func oneThreadAtATimeIsInside() {
    let guarded = Shared(ended: nil)
    concurrently(4) { _ in
      for _ in 0..<5000 {
        guarded.sums.withLock {
          #expect($0.first == $0.second)
          $0.first += 1
          $0.second += 1
        }
      }
    }
    let sums = guarded.sums.withLock { [$0.first, $0.second] }
    #expect(sums == [20_000, 20_000])
  }

  private final class Shared: Sendable {
    let sums: Guarded<Sums>
    init(ended: Ended?) { sums = Guarded(Sums(ended: ended)) {} }
  }

  @Test func whoTriesIsTurnedAwayWhileSomebodyIsInside() {
    let guarded = Shared(ended: nil)
    let inner: Bool? = guarded.sums.withLock { _ in guarded.sums.tryWithLock { _ in true } }
    #expect(inner == nil)
    let after: Bool? = guarded.sums.tryWithLock { _ in true }
    #expect(after == true)
  }

  @Test func aBodyThatThrowsLeavesTheLock() {
    let guarded = Shared(ended: nil)
    #expect(throws: Refusal.self) { try guarded.sums.withLock { _ throws(Refusal) in throw Refusal() } }
    let isOpen: Bool? = guarded.sums.tryWithLock { _ in true }
    #expect(isOpen == true)
  }

  @Test func theStateEndsWithTheLock() {
    let ended = Ended()
    do { _ = Shared(ended: ended) }
    #expect(ended.count.load(ordering: .relaxed) == 1)
  }
}
