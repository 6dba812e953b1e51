import FrameAllocator
import FrameMap
import HostArena
import Hotplug
import HugePools
import Megalith
import MemoryUnits
import Mobility
import PhysicalLayout
import Synchronization
import TestSupport
import Testing

/// Every way in which memory does not come, or does not go: the machine is as before.
@Suite struct RollbackTests {
  @Test(arguments: Plants.changeable, MemmapPlace.allCases)
  func storageThatFailsLeavesNothingAdded(model: MemoryModel, place: MemmapPlace) throws {
    for hosting in HostingUnit.allCases {
      let plant = try Plants.breaking(model, hosting)
      // No leaf of a table is there yet.
      let range = mebibytes(4352, 4376)
      let added = plant.forced { () throws(HotplugError) in
        try plant.machine.hotplug.add(
          range, node: NodeID(0), memmap: place, map: plant.machine.map, zones: plant.machine.zones, on: CPUIndex(0))
      }
      // A leaf of the table where there are two levels, and descriptors: at once, or for each section.
      #expect(added == (model == .sparse ? 3 : model == .sparseExtreme ? 4 : 2))
      let before = plant.dump
      let removed = plant.forced { () throws(HotplugError) in try plant.machine.remove(range) }
      #expect(removed == 0 && before != plant.dump)
      plant.finish()
    }
  }

  // Two subsections of a section of four go: the section needs bits for its frames, and these need storage.
  @Test func storageThatFailsLeavesEverythingWhereItWas() throws {
    let plant = try Plants.breaking(.vmemmap, .wholeRange, block: .mebibytes(2))
    let range = mebibytes(256, 272)
    try plant.machine.add(range, memmap: .fromRange)
    #expect(plant.forced { () throws(HotplugError) in try plant.machine.remove(mebibytes(262, 266)) } == 2)
    #expect(plant.forced { () throws(HotplugError) in try plant.machine.remove(mebibytes(256, 262)) } == 0)
    #expect(plant.machine.hotplug.blocks.map { $0.state == .holdingMemmap }.prefix(2) == [true, false])
    #expect(plant.forced { () throws(HotplugError) in try plant.machine.add(mebibytes(262, 266)) } == 1)
    try plant.machine.remove(mebibytes(262, 272))
    plant.finish()
  }

  @Test(arguments: Plants.changeable) func whatCannotBeAddedIsNamed(model: MemoryModel) throws {
    let plant = try Plants.plain(model)
    func add(_ range: FrameRange, _ node: UInt32 = 0) -> HotplugError? {
      let refused = refusal { try plant.machine.add(range, node: NodeID(node)) }
      #expect(plant.dump == plant.boot)
      return refused
    }
    let block = FrameCount(2048)
    #expect(add(mebibytes(256, 260)) == .misaligned(mebibytes(256, 260), unit: block))
    #expect(add(mebibytes(258, 266)) == .misaligned(mebibytes(258, 266), unit: block))
    #expect(add(mebibytes(256, 256)) == .misaligned(mebibytes(256, 256), unit: block))
    #expect(add(mebibytes(56, 72)) == .overlaps(FrameNumber(56 << 8)))
    #expect(add(mebibytes(2040, 2056)) == .beyondLimit(mebibytes(2040, 2056), limit: FrameNumber(2048 << 8)))
    #expect(add(mebibytes(256, 264), 7) == .noSuchNode(NodeID(7)))
    try plant.machine.add(mebibytes(256, 272))
    #expect(refusal { try plant.machine.add(mebibytes(264, 280)) } == .overlaps(FrameNumber(264 << 8)))
    #expect(refusal { try plant.machine.add(mebibytes(248, 264)) } == .overlaps(FrameNumber(256 << 8)))
    try plant.machine.remove(mebibytes(256, 272))
    plant.finish()
    // S1.4: not where memory is reached only once it is online.
    var architecture = Plants.architecture()
    architecture.isMemoryAccessibleBeforeOnline = false
    let late = try Plant(Plants.layout(architecture), model, Plants.policy(), HostStorage())
    let range = mebibytes(256, 264)
    #expect(refusal { try late.machine.add(range, memmap: .fromRange) } == .notAccessibleBeforeOnline(range))
    late.finish()
    // A machine without room.
    let fixed = try Plant(Plants.layout(), model, MachinePolicy(), HostStorage())
    #expect(refusal { try fixed.machine.add(range) } == .notPluggable)
    #expect(refusal { try fixed.machine.offline(mebibytes(8, 16)) } == .notPluggable)
    fixed.finish()
  }

  @Test(arguments: Plants.changeable) func whatIsNotInThatStateIsNamed(model: MemoryModel) throws {
    let plant = try Plants.plain(model)
    let range = mebibytes(256, 272)
    let (first, second) = (mebibytes(256, 264), mebibytes(264, 272))
    #expect(refusal { try plant.machine.online(range) } == .noSuchBlock(range.start))
    #expect(refusal { try plant.machine.remove(range) } == .noSuchBlock(range.start))
    #expect(refusal { try plant.machine.offline(range) } == .noSuchBlock(range.start))
    try plant.machine.add(range)
    #expect(refusal { try plant.machine.offline(range) } == .notOnline(first))
    #expect(refusal { try plant.machine.online(mebibytes(256, 280)) } == .noSuchBlock(FrameNumber(272 << 8)))
    try plant.machine.online(first, .kernel)
    #expect(refusal { try plant.machine.online(range) } == .alreadyOnline(first))
    #expect(refusal { try plant.machine.offline(range) } == .notOnline(second))
    #expect(refusal { try plant.machine.remove(range) } == .alreadyOnline(first))
    try plant.machine.online(second, .movable)
    #expect(refusal { try plant.machine.offline(range) } == .mixedZones(range))
    plant.check()
    try plant.machine.offline(first)
    try plant.machine.offline(second)
    try plant.machine.remove(range)
    plant.finish()
  }

  /// S3.5: memory with holes, or of several nodes or zones, does not go offline.
  @Test(arguments: MemoryModel.allCases) func mixedBlocksAreNamed(model: MemoryModel) throws {
    var architecture = Architecture.x86_64
    architecture.addressLimit = PhysicalAddress(16 << 30)
    let memory = try PhysicalMemory(
      total: .mebibytes(640), nodes: [.mebibytes(320), .mebibytes(320)], architecture: architecture)
    let plant = try Plant(BootLayout(of: memory.boot()), model, Plants.policy(limit: .gibibytes(8)), HostStorage())
    // The first block has the legacy hole, and two zones; the third two nodes.
    let legacy = mebibytes(0, 128)
    if case .hasHoles(legacy, _) = refusal({ try plant.machine.offline(legacy) }) {} else { Issue.record("no hole was found") }
    #expect(refusal { try plant.machine.offline(mebibytes(256, 384)) } == .mixedNodes(mebibytes(256, 384)))
    #expect(
      refusal { try plant.machine.offline(mebibytes(512, 768)) } == .hasHoles(mebibytes(512, 768), first: FrameNumber(640 << 8)))
    plant.finish()
  }

  /// What listeners were told.
  private final class Log: Sendable {
    private let state = Mutex<[String]>([])
    var lines: [String] { state.withLock { $0 } }
    func add(_ line: String) { state.withLock { $0.append(line) } }
    func clear() { state.withLock { $0 = [] } }
  }

  @Test(arguments: [0, 1, 2]) func anyListenerMayRefuse(who: Int) throws {
    let plant = try Plants.plain(.vmemmap)
    let log = Log()
    let refused = Mutex<Set<HotplugEvent.Step>>([])
    let numbers = (0..<3).map { number in
      plant.machine.hotplug.register { event in
        log.add("\(number) \(event.step)")
        return !(number == who && refused.withLock { $0.contains(event.step) })
      }
    }
    let range = mebibytes(256, 272)
    try plant.machine.add(range)
    let added = plant.dump
    refused.withLock { $0 = [.goingOnline] }
    #expect(refusal { try plant.machine.online(range, .movable) } == .vetoed(by: numbers[who]))
    #expect(plant.dump == added)
    #expect(log.lines == (0...who).map { "\($0) goingOnline" } + (0..<who).map { "\($0) onlineCancelled" })
    refused.withLock { $0 = [] }
    log.clear()
    try plant.machine.online(range, .movable)
    #expect(log.lines == (0..<3).map { "\($0) goingOnline" } + (0..<3).map { "\($0) online" })
    let online = plant.dump
    refused.withLock { $0 = [.goingOffline] }
    log.clear()
    #expect(refusal { try plant.machine.offline(range) } == .vetoed(by: numbers[who]))
    #expect(plant.dump == online)
    #expect(log.lines == (0...who).map { "\($0) goingOffline" } + (0..<who).map { "\($0) offlineCancelled" })
    refused.withLock { $0 = [] }
    plant.machine.hotplug.unregister(numbers[who])
    // All are told when it fails later.
    log.clear()
    let folio = try plant.movable(Order(0), at: range.start)
    let counts = refusal { try plant.machine.offline(range, owner: NoOwner()) }
    guard case .busy(range, let obstacles) = counts else {
      Issue.record("\(counts as Any)")
      return
    }
    #expect(obstacles.first?.frame == range.start && obstacles[.notOwned] == FrameCount(1))
    let others = (0..<3).filter { $0 != who }
    #expect(log.lines == others.map { "\($0) goingOffline" } + others.map { "\($0) offlineCancelled" })
    plant.ledger.free(folio, to: plant.machine.zones, on: CPUIndex(0))
    #expect(plant.dump == online)
    try plant.machine.offline(range)
    try plant.machine.remove(range)
    plant.finish()
  }

  @Test(arguments: Plants.changeable, HostingUnit.allCases)
  func anOfflineThatIsCancelledPutsEverythingBack(model: MemoryModel, hosting: HostingUnit) throws {
    let plant = try Plants.plain(model, hosting)
    let range = mebibytes(256, 272)
    try plant.machine.add(range, memmap: .fromRange)
    try plant.machine.online(range, .movable)
    let tickets = try (0..<8).map { try plant.movable(Order(3), at: range.start + FrameCount(256 + 64 * $0)) }
    let counters = { [plant] in plant.dump.zones.map { [$0.managed.rawValue, UInt64(bitPattern: $0.present)] } }
    let before = counters()
    for stop in 0..<8 {
      var asked = 0
      let refused = refusal {
        _ = try plant.machine.offline(range, owner: plant.ledger) {
          asked += 1
          return asked <= 1
        }
      }
      // One folio more moves each time, until none is left.
      #expect(refused == (stop < 7 ? .cancelled(moved: FrameCount(8)) : nil))
      plant.check()
      guard refused != nil else { break }
      #expect(counters() == before)
    }
    #expect(plant.machine.hotplug.blocks.allSatisfy { $0.state == .offline })
    for ticket in tickets { plant.ledger.free(ticket, to: plant.machine.zones, on: CPUIndex(0)) }
    try plant.machine.remove(range)
    plant.finish()
  }

  /// What is pinned, unmovable, or has no room elsewhere keeps a block online.
  @Test(arguments: Plants.changeable) func busyFramesAreNamed(model: MemoryModel) throws {
    let plant = try Plants.plain(model)
    let range = mebibytes(256, 264)
    try plant.machine.add(range)
    try plant.machine.online(range, .kernel)
    let zone = plant.zone(.normal)
    func obstacles() -> Obstacles {
      let before = plant.dump
      guard case .busy(range, let found) = refusal({ try plant.machine.offline(range, owner: plant.ledger) }) else {
        Issue.record("it went offline")
        return Obstacles()
      }
      #expect(plant.dump == before)
      plant.check()
      return found
    }
    let pinned = try plant.movable(Order(2), at: range.start + FrameCount(64))
    _ = try plant.machine.zones.tryGet(range.start + FrameCount(64), on: CPUIndex(0))
    let busy = obstacles()
    #expect(busy.total == FrameCount(4) && busy[.busy] == FrameCount(4))
    plant.machine.zones.put(range.start + FrameCount(64), on: CPUIndex(0))
    let fixed = try plant.machine.zones[zone].claimFolio(at: range.start + FrameCount(512), order: Order(0), .unmovable)
    let unmovable = obstacles()
    #expect(unmovable[.unmovable] == FrameCount(1) && unmovable.total == FrameCount(1))
    plant.machine.free(fixed)
    try plant.machine.offline(range, owner: plant.ledger)
    plant.ledger.free(pinned, to: plant.machine.zones, on: CPUIndex(0))
    try plant.machine.remove(range)
    plant.finish()
  }
}
