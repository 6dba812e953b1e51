import FrameAllocator
import FrameMap
import HugePools
import Megalith
import MemoryUnits
import PhysicalLayout
import Testing

@Suite struct ReservationTests {
  private let two = [ByteCount.mebibytes(128), .mebibytes(128)]

  @Test func missingPagesAreGatheredAsSurplus() throws {
    let estate = try Estate(nodes: two)
    estate.resize(.m2, 3)
    #expect(throws: HugePoolError.notEnough(wanted: PageCount(5), available: PageCount(3))) { try estate.reserve(5, .m2) }
    estate.pools.setOvercommit(.m2, to: PageCount(2))
    try estate.reserve(5, .m2)
    try estate.expect(.m2, [5, 5, 5, 2], "two gathered")
    #expect(throws: HugePoolError.notEnough(wanted: PageCount(1), available: .zero)) { try estate.reserve(1, .m2) }
    let heads = try (0..<5).map { _ in try estate.take(.m2, reserved: true) }
    try estate.expect(.m2, [5, 0, 0, 2], "all used")
    for head in heads { estate.putBack(head) }
    try estate.expect(.m2, [3, 3, 0, 0], "surplus has gone")
    try estate.finish()
  }

  @Test func unreservingGivesSurplusBack() throws {
    let estate = try Estate(nodes: two)
    estate.pools.setOvercommit(.m2, to: PageCount(10))
    try estate.reserve(6, .m2)
    try estate.expect(.m2, [6, 6, 6, 6], "all of them gathered")
    estate.unreserve(2, .m2)
    try estate.expect(.m2, [4, 4, 4, 4], "two leave")
    #expect(estate.resize(.m2, 3) == 3)
    try estate.expect(.m2, [4, 4, 4, 1], "three become the size")
    estate.unreserve(4, .m2)
    try estate.expect(.m2, [3, 3, 0, 0], "one leaves")
    estate.pools.setOvercommit(.m2, to: .zero)
    #expect(throws: HugePoolError.notEnough(wanted: PageCount(4), available: PageCount(3))) { try estate.reserve(4, .m2) }
    try estate.finish()
  }

  /// Half of what is missing can be had; it goes back.
  @Test func aGatheringThatFailsHalfWayGoesBack() throws {
    let estate = try Estate(nodes: [.mebibytes(64), .mebibytes(64)])
    estate.pools.setOvercommit(.m2, to: PageCount(1000))
    estate.resize(.m2, 4)
    let before = estate.machine.zones.freeFrames()
    #expect(throws: HugePoolError.notEnough(wanted: PageCount(500), available: PageCount(4))) { try estate.reserve(500, .m2) }
    try estate.expect(.m2, [4, 4, 0, 0], "as before")
    let after = estate.machine.zones.freeFrames()
    #expect(after == before)
    try estate.finish()
  }

  @Test func gatheringGiganticPagesIsAPolicy() throws {
    var policy = HugePoolPolicy()
    policy.allowsGiganticSurplus = false
    for (pools, isAllowed) in [(HugePoolPolicy(), true), (policy, false)] {
      let estate = try Estate(nodes: [.gibibytes(4)], pools: pools)
      estate.pools.setOvercommit(.g1, to: PageCount(2))
      let isReserved = (try? estate.reserve(1, .g1)) != nil
      #expect(isReserved == isAllowed)
      let head = try? estate.take(.g1)
      #expect((head != nil) == isAllowed)
      if let head { estate.putBack(head) }
      if isReserved { estate.unreserve(1, .g1) }
      try estate.finish()
    }
  }

  @Test func aReservationIsRestoredWhereThePageWasNotUsed() throws {
    let estate = try Estate(nodes: two)
    estate.resize(.m2, 2)
    try estate.reserve(1, .m2)
    estate.putBack(try estate.take(.m2, reserved: true), restoring: true)
    try estate.expect(.m2, [2, 2, 1, 0], "restored")
    // A surplus page stays where the restored reservation needs it.
    let heads = [try estate.take(.m2, reserved: true), try estate.take(.m2)]
    estate.resize(.m2, 0)
    try estate.expect(.m2, [2, 0, 0, 2], "both surplus")
    estate.putBack(heads[0], restoring: true)
    try estate.expect(.m2, [2, 1, 1, 2], "kept for its reservation")
    estate.putBack(heads[1])
    estate.unreserve(1, .m2)
    try estate.expect(.m2, [0, 0, 0, 0], "gone")
    try estate.finish()
  }

  /// The last reference goes by `put`, where no pool is at hand.
  @Test func aPageThatIsPutComesBackToItsPool() throws {
    let estate = try Estate(nodes: two)
    estate.resize(.m2, 2)
    try estate.reserve(1, .m2)
    let head = try estate.take(.m2, reserved: true)
    let other = try estate.take(.m2)
    estate.pools.setRestoresReservation(head, true, zones: estate.machine.zones)
    // Somebody looks at it meanwhile.
    let seen = try estate.machine.zones.tryGet(head + FrameCount(7), on: CPUIndex(0))
    #expect(seen.head == head)
    estate.machine.zones.put(head, on: CPUIndex(0))
    estate.machine.zones.put(other, on: CPUIndex(0))
    estate.machine.zones.put(head, on: CPUIndex(0))
    try estate.expect(.m2, [2, 0, 0, 0], "kept by the zone")
    estate.pools.collect(estate.machine.zones, on: CPUIndex(0))
    try estate.expect(.m2, [2, 2, 1, 0], "back, with its reservation")
    #expect(throws: FolioError.notAllocated(head)) { _ = try estate.machine.zones.tryGet(head, on: CPUIndex(0)) }
    estate.unreserve(1, .m2)
    try estate.finish()
  }

  // MARK: Placement

  @Test func aBoundPageMayBeMissingThoughReserved() throws {
    let estate = try Estate(nodes: two)
    estate.resize(.m2, 3, node: 0)
    try estate.reserve(2, .m2)
    #expect(throws: HugePoolError.noPage(.m2, free: PageCount(3), reserved: PageCount(2))) {
      _ = try estate.take(.m2, reserved: true, .bind([NodeID(1)]))
    }
    try estate.expect(.m2, [3, 3, 2, 0], "still promised")
    // Within the overcommit limit a page is made there, and the promised one is free again.
    estate.pools.setOvercommit(.m2, to: PageCount(1))
    let head = try estate.take(.m2, reserved: true, .bind([NodeID(1)]))
    #expect(estate.node(of: head) == NodeID(1))
    try estate.expect(.m2, [4, 3, 1, 1], "beyond the size")
    estate.putBack(head)
    let second = try estate.take(.m2, reserved: true, .preferred(NodeID(1)))
    #expect(estate.node(of: second) == NodeID(0), "the next best")
    estate.putBack(second)
    try estate.expect(.m2, [3, 3, 0, 0], "back")
    try estate.finish()
  }

  @Test func interleavedPagesGoByTheirIndex() throws {
    let estate = try Estate(nodes: [.mebibytes(128), .mebibytes(128), .mebibytes(128)])
    estate.resize(.m2, 6)
    let nodes = [NodeID(2), NodeID(0)]
    let heads = try (0..<4).map { try estate.take(.m2, .interleave(nodes, index: PageIndex($0))) }
    #expect(heads.map { estate.node(of: $0) } == [NodeID(2), NodeID(0), NodeID(2), NodeID(0)])
    let rest = try (4..<6).map { try estate.take(.m2, .interleave(nodes, index: PageIndex($0))) }
    #expect(rest.map { estate.node(of: $0) } == [NodeID(1), NodeID(1)], "the nearest that has one")
    for head in heads + rest { estate.putBack(head) }
    try estate.finish()
  }

  @Test func sizesWithoutPoolAreRefused() throws {
    let estate = try Estate(nodes: two)
    let size = PageSize(shift: PageShift(24))
    #expect(throws: HugePoolError.noSuchSize(size)) { try estate.reserve(1, size) }
    #expect(throws: HugePoolError.noSuchSize(size)) { _ = try estate.take(size) }
    #expect(throws: HugePoolError.notDemotable(from: .m2, to: size)) {
      try estate.pools.demote(.m2, to: size, count: PageCount(1), on: nil, zones: estate.machine.zones, on: CPUIndex(0))
    }
    try estate.finish()
  }
}
