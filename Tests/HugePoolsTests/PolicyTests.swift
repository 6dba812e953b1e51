import FrameAllocator
import FrameContents
import FrameMap
import HostArena
import HugePools
import Megalith
import MemoryUnits
import Mobility
import PhysicalLayout
import TestSupport
import Testing

@Suite struct PolicyTests {
  @Test func whatIsTriedWhereNoBlockIsFree() throws {
    let nothing = try Estate.scattered(.nothing)
    #expect(nothing.resize(.m2, .max) == 0)
    try nothing.finish()
    let compaction = try Estate.scattered(.compaction)
    let compacted = compaction.resize(.m2, .max)
    #expect(compacted > 20 && compaction.moved.value > 20)
    try compaction.finish()
    let ranges = try Estate.scattered(.contiguousRange)
    // The watermarks keep nobody from contiguous ranges.
    let ranged = ranges.resize(.m2, .max)
    #expect(ranged >= compacted && ranges.moved.value > 20, "\(ranged), \(compacted)")
    try ranges.finish()
  }

  /// Gigantic pages stay out of movable zones unless the policy says otherwise; others go there.
  @Test(arguments: [HugePoolPolicy.Movable.none, .ordinarySizes, .allSizes])
  func movableZonesAreForWhatMayMove(movable: HugePoolPolicy.Movable) throws {
    let line = KernelCommandLine(parsing: Array("kernelcore=2G".utf8))
    let memory = try PhysicalMemory(total: .gibibytes(8))
    var policy = HugePoolPolicy()
    policy.movable = movable
    let estate = try Estate(try BootLayout(of: memory.boot(commandLine: line)), pools: policy)
    func isInMovable(_ head: FrameNumber) -> Bool {
      let zone = estate.machine.zones.zone(of: head)
      return zone.map { estate.machine.zones.descriptions[Int($0.rawValue)].kind == .movable } ?? false
    }
    estate.resize(.m2, 1)
    let small = try estate.take(.m2)
    #expect(isInMovable(small) == (movable != .none))
    estate.resize(.g1, .max)
    var heads: [FrameNumber] = []
    while let head = try? estate.take(.g1) { heads.append(head) }
    #expect(heads.contains { isInMovable($0) } == (movable == .allSizes), "\(heads)")
    for head in heads + [small] { estate.putBack(head) }
    try estate.finish()
  }

  /// An owner that gives up what a page holds.
  private struct Dropper: FolioOwner {
    let dropped = Tally()
    func detach(_ folio: FolioPlace) -> FrameCounts? { .references(1) }
    func attach(_ folio: FolioPlace, to head: FrameNumber) { preconditionFailure("what is dropped does not move") }
    func canDrop(_ folio: FolioPlace) -> Bool { true }
    func drop(_ folio: FolioPlace) { dropped.add(1) }
  }

  @Test func aPageThatIsDroppedComesBackToItsPool() throws {
    let estate = try Estate(nodes: [.mebibytes(64)])
    estate.resize(.m2, 2)
    let head = try estate.take(.m2)
    let owner = Dropper()
    try estate.machine.zones.drop(FolioPlace(head: head, order: Order(9)), with: estate.machine.migration(of: owner))
    #expect(owner.dropped.value == 1)
    estate.pools.collect(estate.machine.zones, on: CPUIndex(0))
    try estate.expect(.m2, [2, 2, 0, 0], "free again")
    try estate.finish()
  }

  @Test func misuseTraps() async throws {
    func said(_ result: ExitTest.Result?) throws -> String {
      String(decoding: try #require(result).standardErrorContent, as: UTF8.self)
    }
    let twice = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      let estate = try Estate(nodes: [.mebibytes(64)])
      estate.resize(.m2, 1)
      let head = try estate.take(.m2)
      estate.putBack(head)
      estate.pools.putBack(head, zones: estate.machine.zones, on: CPUIndex(0))
    }
    #expect(try said(twice).contains("a page came back that is free"))
    let promise = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      let estate = try Estate(nodes: [.mebibytes(64)])
      estate.resize(.m2, 1)
      estate.unreserve(1, .m2)
    }
    #expect(try said(promise).contains("a reservation ends that nobody made"))
    let reservation = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      let estate = try Estate(nodes: [.mebibytes(64)])
      estate.resize(.m2, 1)
      _ = try estate.take(.m2, reserved: true)
    }
    #expect(try said(reservation).contains("a reservation was used that nobody made"))
  }
}
