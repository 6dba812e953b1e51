import FrameAllocator
import HugePools
import Megalith
import MemoryUnits
import Testing

/// What others do while a page is looked for, so that it is one too many when it comes.
@Suite struct RollbackTests {
  @Test func theLimitFallsWhileAUserWaits() throws {
    let estate = try Estate.scattered(.compaction)
    estate.pools.setOvercommit(.m2, to: PageCount(1))
    let before = estate.machine.zones.freeFrames()
    estate.meanwhile.withLock { $0 = { estate.pools.setOvercommit(.m2, to: .zero) } }
    #expect(throws: HugePoolError.noPage(.m2, free: .zero, reserved: .zero)) { _ = try estate.take(.m2) }
    #expect(estate.moved.value > 0)
    try estate.expect(.m2, [0, 0, 0, 0], "as before")
    let after = estate.machine.zones.freeFrames()
    #expect(after == before)
    try estate.finish()
  }

  @Test func theLimitFallsWhilePagesAreGathered() throws {
    let estate = try Estate.scattered(.compaction)
    estate.pools.setOvercommit(.m2, to: PageCount(3))
    let before = estate.machine.zones.freeFrames()
    estate.meanwhile.withLock { $0 = { estate.pools.setOvercommit(.m2, to: PageCount(2)) } }
    #expect(throws: HugePoolError.notEnough(wanted: PageCount(3), available: .zero)) { try estate.reserve(3, .m2) }
    #expect(estate.moved.value > 0)
    try estate.expect(.m2, [0, 0, 0, 0], "as before")
    let after = estate.machine.zones.freeFrames()
    #expect(after == before)
    try estate.finish()
  }

  /// Pages come free while others are gathered: what is too much goes back.
  @Test func pagesComeFreeWhileOthersAreGathered() throws {
    let estate = try Estate.scattered(.compaction)
    estate.pools.setOvercommit(.m2, to: PageCount(4))
    #expect(estate.resize(.m2, 1) == 1)
    let head = try estate.take(.m2)
    estate.meanwhile.withLock { $0 = { estate.putBack(head) } }
    try estate.reserve(2, .m2)
    #expect(estate.moved.value > 0)
    try estate.expect(.m2, [2, 2, 2, 1], "one of the two was needed")
    estate.unreserve(2, .m2)
    try estate.expect(.m2, [1, 1, 0, 0], "and has gone")
    try estate.finish()
  }

  @Test func thePoolIsLargeEnoughBeforeThePageComes() throws {
    let estate = try Estate.scattered(.compaction)
    let folio = try estate.machine.zones.allocate(
      Order(9), FrameRequest(.movable), with: estate.context(), rounds: .init(1), reclaim: { _ in .zero })
    let head = folio.head
    estate.meanwhile.withLock {
      $0 = {
        guard let folio = try? estate.machine.zones.adopt(head) else { return }
        estate.pools.adopt(folio, .m2, on: NodeID(0), zones: estate.machine.zones)
      }
    }
    #expect(estate.resize(.m2, 1) == 1)
    try estate.expect(.m2, [1, 1, 0, 0], "the adopted one")
    try estate.finish()
  }
}
