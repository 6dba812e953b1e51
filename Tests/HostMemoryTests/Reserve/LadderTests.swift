import HostMemory
import MemoryUnits
import PhysicalLayout
import SystemPackage
import TestSupport
import Testing

/// What each step of the ladder brings. Pages are of 16 MiB, eight letters each.
@Suite struct LadderTests {
  @Test func thePoolAloneIsEnough() throws {
    let trial = try ReserveTrial("........mm..............")
    let report = try trial.run("16M:2")
    #expect(report.isMet && report.stop == nil)
    #expect(report.steps.map(\.kind) == [.setPools])
    #expect(trial.gain(report, .setPools) == 2)
    #expect(trial.kernel.writes.map(\.path) == [ReserveTrial.poolPath(SimulatedKernel.gigantic, 0)])
    #expect(report.pools.map(\.after) == [HugePageCount(2)])
  }

  @Test func morePagesThanBefore() throws {
    let trial = try ReserveTrial("Gggggggg................")
    #expect(try trial.run("16M:+1").goals.map(\.after) == [HugePageCount(2)])
    let again = try ReserveTrial("Gggggggg................")
    let report = try again.run("16M:1")
    #expect(report.isMet && report.steps.isEmpty && again.kernel.writes.isEmpty)
  }

  @Test func eachStepBringsItsPart() throws {
    var trial = try ReserveTrial("...H....|...c.s..|...u....|........|...t....|....mm..")
    trial.options.allowed = ReserveTrial.everything
    trial.kernel.stubborn = [40]
    let report = try trial.run("16M:6")
    #expect(!report.isMet && report.stop == nil)
    #expect(report.goals.first?.after == HugePageCount(5))
    #expect(trial.gain(report, .setPools) == 1)
    #expect(trial.gain(report, .shrinkPools) == 1)
    #expect(trial.gain(report, .dropCaches) == 1)
    #expect(trial.gain(report, .compact) == 1)
    #expect(trial.gain(report, .offline) == 1)
    #expect(report.survey?.sizes.first?.blockedRanges == [.pageTables: 1])
    #expect(report.steps.filter { $0.kind == .setPools }.count == 1)
    #expect(report.steps.allSatisfy { $0.outcome != .done || $0.time > .zero || $0.changes.isEmpty })
  }

  @Test func whatIsNotAllowedIsNotDone() throws {
    let trial = try ReserveTrial("...H....|...c.s..|...u....")
    let report = try trial.run("16M:3")
    #expect(report.goals.first?.after == HugePageCount(1))
    #expect(trial.outcome(report, .shrinkPools) == .skipped("needs --allow shrink-pools"))
    #expect(trial.outcome(report, .dropCaches) == .skipped("needs --allow drop-caches"))
    #expect(trial.outcome(report, .offline) == .skipped("needs --allow offline"))
    #expect(trial.outcome(report, .touch) == .skipped("the kernel has handed over all memory"))
    #expect(trial.kernel.picture.contains("H") && trial.kernel.picture.contains("s"))
  }

  @Test func promisedSmallPagesStay() throws {
    var trial = try ReserveTrial("HH......")
    trial.options.allowed = [.shrinkPools]
    trial.kernel.promised = 1
    try trial.kernel.use(0, on: 0)
    _ = try trial.run("16M:1")
    #expect(trial.kernel.pages(SimulatedKernel.huge) == 1)
  }

  @Test func memoryThatWasKeptBackIsTouched() throws {
    let picture = String(repeating: "Z", count: 64) + String(repeating: ".", count: 8)
    var trial = try ReserveTrial(picture) { $0.kept = [64 * HostDrawing.blockFrames] }
    let refused = try trial.run("16M:4")
    #expect(trial.outcome(refused, .touch) == .skipped("needs --allow touch"))
    trial = try ReserveTrial(picture) { $0.kept = [64 * HostDrawing.blockFrames] }
    trial.options.allowed = [.touch]
    let report = try trial.run("16M:4")
    #expect(trial.gain(report, .touch) > 0)
    #expect(report.isMet)
  }

  @Test(arguments: [0, 40])
  func touchingStopsUnderPressure(pressure: Int) throws {
    let picture = String(repeating: "Z", count: 64) + String(repeating: ".", count: 8)
    var trial = try ReserveTrial(picture) { $0.kept = [64 * HostDrawing.blockFrames] }
    trial.options.allowed = [.touch]
    trial.kernel.pressure = pressure
    try trial.kernel.use(0, on: 0)
    let report = try trial.run("16M:4")
    #expect(report.isMet == (pressure == 0))
    let note = report.steps.first { $0.kind == .touch }?.notes.first ?? ""
    #expect(note.contains("tasks waited") == (pressure > 0))
  }

  @Test func aBalloonForbidsTouching() throws {
    let picture = String(repeating: "Z", count: 64) + String(repeating: ".", count: 8)
    for isForced in [false, true] {
      var trial = try ReserveTrial(picture) { $0.kept = [64 * HostDrawing.blockFrames] }
      trial.options.allowed = [.touch]
      trial.options.forcesTouch = isForced
      try trial.kernel.folder.write("sys/bus/virtio/drivers/virtio_balloon/virtio0/features", "0110010100\n")
      let report = try trial.run("16M:4")
      #expect(report.isMet == isForced)
      guard !isForced else { continue }
      #expect(
        trial.outcome(report, .touch)
          == .skipped(
            "refused: a balloon (virtio0) is bound, free pages are reported to the hypervisor; --force-touch does it all the same"
          ))
    }
  }

  @Test func aControlGroupForbidsTouching() throws {
    let picture = String(repeating: "Z", count: 64) + String(repeating: ".", count: 8)
    var trial = try ReserveTrial(picture) { $0.kept = [64 * HostDrawing.blockFrames] }
    trial.options.allowed = [.touch]
    try trial.kernel.folder.write("proc/self/cgroup", "0::/job\n")
    try trial.kernel.folder.write("sys/fs/cgroup/job/memory.max", "\(8 << 20)\n")
    try trial.kernel.folder.write("sys/fs/cgroup/job/memory.current", "\(1 << 20)\n")
    let report = try trial.run("16M:4")
    #expect(trial.outcome(report, .touch) == .skipped("refused: its control group leaves 7M, and 0 of free memory come first"))
  }

  @Test func nodesWithLessToMoveAreAskedFirst() throws {
    let trial = try ReserveTrial("mmmm............|................", nodes: [0, 1])
    let report = try trial.run("16M:2")
    #expect(report.isMet)
    #expect(report.pools.map(\.after) == [.zero, HugePageCount(2)])
  }

  @Test func aNodesRequestStaysOnItsNode() throws {
    let trial = try ReserveTrial("................|...s............", nodes: [0, 1])
    let report = try trial.run("0:16M:1,1:16M:2")
    #expect(report.goals.map(\.obtained) == [HugePageCount(1), HugePageCount(1)])
    #expect(trial.kernel.pages(SimulatedKernel.gigantic, on: 0) == 1)
  }

  @Test func evenlyOverTheNodes() throws {
    var trial = try ReserveTrial("........................|................", nodes: [0, 1])
    trial.options.isEven = true
    let report = try trial.run("16M:3")
    #expect(report.pools.map(\.after) == [HugePageCount(2), HugePageCount(1)])
  }

  @Test func twoSizesLargerFirst() throws {
    let trial = try ReserveTrial("................")
    let report = try trial.run("2M:8,16M:1")
    #expect(report.isMet && trial.kernel.picture.filter { $0 == "H" }.count == 8)
    #expect(trial.kernel.writes.first?.path == ReserveTrial.poolPath(SimulatedKernel.gigantic, 0))
  }

  @Test func theMarginIsKept() throws {
    var trial = try ReserveTrial("................................")
    trial.options.margin = .mebibytes(20)
    trial.options.maxStep = .mebibytes(16)
    let report = try trial.run("16M:4")
    #expect(report.goals.first?.after == HugePageCount(2))
    #expect(report.nodesAtMargin == [NodeID(0)])
    #expect(trial.kernel.writes.filter { $0.path == ReserveTrial.poolPath(SimulatedKernel.gigantic, 0) }.count == 2)
    let plan = try trial.plan("16M:+2")
    #expect(plan.predictions.first?.obtainable == HugePageCount(2) && plan.predictions.first?.aboveMargin == .zero)
  }

  @Test func theDefaultMarginIsOneGibibyteOrAtwentieth() {
    #expect(ReserveOptions.defaultMargin(of: .gibibytes(4)) == .gibibytes(1))
    #expect(ReserveOptions.defaultMargin(of: .gibibytes(100)) == .gibibytes(5))
  }
}
