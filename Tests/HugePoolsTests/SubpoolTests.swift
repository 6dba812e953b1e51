import FrameAllocator
import HugePools
import Megalith
import MemoryUnits
import Testing

@Suite struct SubpoolTests {
  private func subpool(_ estate: Estate, maximum: UInt64?, minimum: UInt64) throws(HugePoolError) -> Subpool {
    try estate.pools.makeSubpool(
      .m2, maximum: maximum.map { PageCount($0) }, minimum: PageCount(minimum), zones: estate.machine.zones,
      with: estate.context())
  }
  private func close(_ subpool: Subpool, _ estate: Estate) {
    estate.pools.close(subpool, zones: estate.machine.zones, on: CPUIndex(0))
  }

  @Test func theMinimumIsKeptInReserve() throws {
    let estate = try Estate(nodes: [.mebibytes(128)])
    estate.resize(.m2, 4)
    #expect(throws: HugePoolError.notEnough(wanted: PageCount(5), available: PageCount(4))) {
      _ = try subpool(estate, maximum: nil, minimum: 5)
    }
    let files = try subpool(estate, maximum: PageCount(6).rawValue, minimum: 2)
    try estate.expect(.m2, [4, 4, 2, 0], "kept", subpools: [files])
    try estate.reserve(1, .m2, files)
    try estate.expect(.m2, [4, 4, 2, 0], "of the minimum", subpools: [files])
    try estate.reserve(2, .m2, files)
    try estate.expect(.m2, [4, 4, 3, 0], "the rest of it, and one of the pool", subpools: [files])
    #expect(files.kept == .zero && files.used == PageCount(3))
    // The pool cannot promise two more; the subpool is as before.
    #expect(throws: HugePoolError.notEnough(wanted: PageCount(2), available: PageCount(1))) { try estate.reserve(2, .m2, files) }
    #expect(files.used == PageCount(3))
    let head = try estate.take(.m2, reserved: true, .local(NodeID(0)), files)
    try estate.expect(.m2, [4, 3, 2, 0], "one used", subpools: [files])
    estate.unreserve(2, .m2, files)
    try estate.expect(.m2, [4, 3, 2, 0], "both are kept again, though one page of the minimum is in use", subpools: [files])
    estate.putBack(head)
    try estate.expect(.m2, [4, 4, 2, 0], "the minimum is whole", subpools: [files])
    close(files, estate)
    try estate.expect(.m2, [4, 4, 0, 0], "ended", subpools: [files])
    try estate.finish()
  }

  @Test func theMaximumHolds() throws {
    let estate = try Estate(nodes: [.mebibytes(128)])
    estate.resize(.m2, 8)
    let files = try subpool(estate, maximum: 3, minimum: 0)
    try estate.reserve(2, .m2, files)
    #expect(throws: HugePoolError.subpoolFull(wanted: PageCount(2), maximum: PageCount(3), used: PageCount(2))) {
      try estate.reserve(2, .m2, files)
    }
    let heads = [
      try estate.take(.m2, reserved: true, .local(NodeID(0)), files), try estate.take(.m2, .local(NodeID(0)), files),
    ]
    #expect(throws: HugePoolError.subpoolFull(wanted: PageCount(1), maximum: PageCount(3), used: PageCount(3))) {
      _ = try estate.take(.m2, .local(NodeID(0)), files)
    }
    try estate.expect(.m2, [8, 6, 1, 0], "full", subpools: [files])
    estate.putBack(heads[1])
    #expect(files.used == PageCount(2))
    estate.putBack(heads[0])
    estate.unreserve(1, .m2, files)
    close(files, estate)
    try estate.expect(.m2, [8, 8, 0, 0], "all back", subpools: [files])
    try estate.finish()
  }

  @Test func aSubpoolEndsWithItsLastPage() throws {
    let estate = try Estate(nodes: [.mebibytes(128)])
    estate.resize(.m2, 4)
    var heads: [FrameNumber] = []
    do {
      let files = try subpool(estate, maximum: 4, minimum: 2)
      // Without a reservation of its own, out of what the subpool kept.
      heads = try (0..<3).map { _ in try estate.take(.m2, .local(NodeID(0)), files) }
      close(files, estate)
      try estate.expect(.m2, [4, 1, 0, 0], "three used", subpools: [files])
    }
    estate.putBack(heads[0])
    try estate.expect(.m2, [4, 2, 0, 0], "more than the minimum is in use")
    estate.putBack(heads[1])
    try estate.expect(.m2, [4, 3, 1, 0], "kept again")
    // Nobody knows the subpool any more but its page.
    estate.putBack(heads[2])
    try estate.expect(.m2, [4, 4, 0, 0], "ended")
    try estate.finish()
  }

  @Test func aTakeThatFailsGivesTheSubpoolItsPageBack() throws {
    let estate = try Estate(nodes: [.mebibytes(128), .mebibytes(128)])
    estate.resize(.m2, 2, node: 0)
    let files = try subpool(estate, maximum: 2, minimum: 1)
    #expect(throws: HugePoolError.noPage(.m2, free: PageCount(2), reserved: PageCount(1))) {
      _ = try estate.take(.m2, .bind([NodeID(1)]), files)
    }
    #expect(files.kept == PageCount(1) && files.used == .zero)
    try estate.expect(.m2, [2, 2, 1, 0], "as before", subpools: [files])
    close(files, estate)
    try estate.finish()
  }
}
