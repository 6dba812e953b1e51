import FrameAllocator
import FrameMap
import HugePools
import Megalith
import MemoryUnits
import PhysicalLayout
import Testing

/// Steps and the counters after each: size, free, reserved, surplus.
@Suite struct SizeTests {
  @Test(arguments: MemoryModel.allCases) func aPoolGrowsAndShrinks(model: MemoryModel) throws {
    let estate = try Estate(nodes: [.mebibytes(256)], model: model)
    try estate.expect(.m2, [0, 0, 0, 0], "empty")
    #expect(estate.resize(.m2, 10) == 10)
    try estate.expect(.m2, [10, 10, 0, 0], "grow")
    #expect(estate.resize(.m2, 4) == 4)
    try estate.expect(.m2, [4, 4, 0, 0], "shrink")
    let heads = try (0..<3).map { _ in try estate.take(.m2) }
    try estate.expect(.m2, [4, 1, 0, 0], "three in use")
    #expect(estate.resize(.m2, 1) == 1)
    try estate.expect(.m2, [3, 0, 0, 2], "below what is in use")
    estate.putBack(heads[0])
    try estate.expect(.m2, [2, 0, 0, 1], "a surplus page leaves")
    #expect(estate.resize(.m2, 2) == 2)
    try estate.expect(.m2, [2, 0, 0, 0], "the other becomes one of the set size")
    estate.putBack(heads[1])
    estate.putBack(heads[2])
    try estate.expect(.m2, [2, 2, 0, 0], "all are back")
    try estate.finish()
  }

  @Test func aPoolGrowsAsFarAsThereIsMemory() throws {
    let estate = try Estate(nodes: [.mebibytes(128)])
    let reached = estate.resize(.m2, .max)
    // The low marks, the first megabyte and the descriptors are not to be had.
    #expect(reached >= 40 && reached < 64)
    try estate.expect(.m2, [reached, reached, 0, 0], "as far as it goes")
    #expect(estate.resize(.m2, 3) == 3)
    try estate.finish()
  }

  @Test func whoeverDoesNotWantToGoOnKeepsWhatIsThere() throws {
    let estate = try Estate(nodes: [.mebibytes(128)])
    var left = 5
    let reached = estate.pools.setSize(.m2, to: PageCount(20), zones: estate.machine.zones, with: estate.context()) {
      left -= 1
      return left >= 0
    }
    #expect(reached == PageCount(5))
    try estate.finish()
  }

  @Test func whatIsPromisedStays() throws {
    let estate = try Estate(nodes: [.mebibytes(128)])
    estate.resize(.m2, 6)
    try estate.reserve(4, .m2)
    try estate.expect(.m2, [6, 6, 4, 0], "four promised")
    #expect(estate.resize(.m2, 0) == 0)
    try estate.expect(.m2, [4, 4, 4, 4], "the promised are surplus")
    estate.unreserve(3, .m2)
    try estate.expect(.m2, [1, 1, 1, 1], "three leave")
    let head = try estate.take(.m2, reserved: true)
    try estate.expect(.m2, [1, 0, 0, 1], "one used")
    estate.putBack(head)
    try estate.expect(.m2, [0, 0, 0, 0], "nothing is left")
    try estate.finish()
  }

  // MARK: Nodes

  @Test func nodesGrowAndShrinkByTurns() throws {
    let estate = try Estate(nodes: [.mebibytes(128), .mebibytes(128), .mebibytes(128)])
    estate.resize(.m2, 7)
    #expect(estate.totals(.m2) == [3, 2, 2])
    estate.resize(.m2, 8)
    #expect(estate.totals(.m2) == [3, 3, 2], "the turns go on")
    estate.resize(.m2, 5)
    #expect(estate.totals(.m2) == [2, 2, 1])
    #expect(estate.resize(.m2, 9, on: [NodeID(2)]) == 9)
    #expect(estate.totals(.m2) == [2, 2, 5], "only where it may")
    try estate.finish()
  }

  @Test func aSmallNodeIsMadeUpForByOthers() throws {
    let estate = try Estate(nodes: [.mebibytes(256), .mebibytes(32)])
    #expect(estate.resize(.m2, 60) == 60)
    let totals = estate.totals(.m2)
    #expect(totals[1] < 16 && totals[0] + totals[1] == 60, "\(totals)")
    try estate.expect(.m2, [60, 60, 0, 0], "grown")
    try estate.finish()
  }

  @Test func aNodesOwnSizeLeavesTheOthers() throws {
    let estate = try Estate(nodes: [.mebibytes(128), .mebibytes(128)])
    estate.resize(.m2, 8)
    #expect(estate.resize(.m2, 7, node: 1) == 7)
    #expect(estate.totals(.m2) == [4, 7])
    #expect(estate.resize(.m2, 1, node: 0) == 1)
    #expect(estate.totals(.m2) == [1, 7])
    let heads = try (0..<5).map { _ in try estate.take(.m2, .bind([NodeID(1)])) }
    #expect(estate.resize(.m2, 0, node: 1) == 0)
    #expect(estate.totals(.m2) == [1, 5])
    try estate.expect(.m2, [6, 1, 0, 5], "in use beyond the node's size")
    for head in heads { estate.putBack(head) }
    try estate.expect(.m2, [1, 1, 0, 0], "all left")
    #expect(estate.resize(.m2, .max, node: 1) > 20)
    #expect(estate.totals(.m2)[0] == 1)
    try estate.finish()
  }

  // MARK: Boot

  @Test func pagesOfTheBootAreAdopted() throws {
    let line = KernelCommandLine(parsing: Array("hugepagesz=1G hugepages=3".utf8))
    let memory = try PhysicalMemory(total: .gibibytes(8), nodes: [.gibibytes(4), .gibibytes(4)])
    let boot = memory.boot(commandLine: line)
    let estate = try Estate(try BootLayout(of: boot), commandLine: line)
    try estate.expect(.g1, [3, 3, 0, 0], "adopted")
    #expect(estate.totals(.g1) == [2, 1])
    let head = try estate.take(.g1, .local(NodeID(1)))
    #expect(estate.node(of: head) == NodeID(1))
    estate.putBack(head)
    // The pages of the boot were not free before.
    let frames = estate.resize(.g1, 0) == 0 ? estate.machine.zones.freeFrames() : .zero
    #expect(frames == estate.free + PageSize.g1.order(baseShift: PageShift(12)).frames * 3)
    try estate.expect(.g1, [0, 0, 0, 0], "given back")
    let held = try estate.machine.checkInvariants()
    #expect(held == .zero)
  }
}
