import AddressSpaces
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

/// What else can end a change half-way; `RollbackTests` has the rest, and Docs/Hotplug.md the list. Each time all is as before.
@Suite struct FailurePointTests {
  private let cpu = CPUIndex(0)
  private let huge = PageSize(shift: PageShift(21))

  /// Runs `body`, which is to be refused, and says how.
  private func refused<Storage>(
    _ plant: Plant<Storage>, _ place: SourceLocation = #_sourceLocation, _ body: () throws -> Void
  ) -> HotplugError? {
    let before = plant.dump
    let error = refusal(body)
    #expect(error != nil, sourceLocation: place)
    let now = plant.dump
    #expect(now == before, sourceLocation: place)
    plant.check(place)
    return error
  }

  // MARK: Add

  @Test(arguments: Plants.changeable, [HostingUnit.eachBlock, .wholeRange])
  func descriptorsThatShareAFrameStayElsewhere(model: MemoryModel, hosting: HostingUnit) throws {
    var architecture = Plants.architecture()
    architecture.descriptorSize = ByteCount(33)
    let plant = try Plant(Plants.layout(architecture), model, Plants.policy(hosting), HostStorage())
    let range = mebibytes(256, 264)
    let error = refused(plant) { try plant.machine.add(range, memmap: .fromRange) }
    #expect(error == .memmapNotWhole(ByteCount(33 * 2048)))
    try plant.machine.add(range, memmap: .elsewhere)
    try plant.machine.remove(range)
    plant.finish()
  }

  /// The machine has frames for the descriptors of two blocks and a half.
  @Test(arguments: Plants.changeable) func framesForDescriptorsGiveOutInTheMiddle(model: MemoryModel) throws {
    let plant = try Plants.plain(model)
    var heads: [FrameNumber] = []
    while let folio = try? plant.machine.allocate(Order(0), FrameRequest(.unmovable, urgency: .emergency)) {
      heads.append(folio.head)
      folio.forget()
    }
    var had = FrameCount.zero
    while had < FrameCount(40) {
      for _ in 0..<8 { plant.machine.zones.put(heads.removeLast(), on: cpu) }
      plant.machine.zones.drain()
      let error = refused(plant) { try plant.machine.add(mebibytes(256, 280)) }
      guard case .noRoomForMemmap(FrameCount(96), let missing) = error else {
        Issue.record("\(error as Any)")
        break
      }
      had = FrameCount(96) - missing
    }
    try plant.machine.add(mebibytes(256, 264))
    try plant.machine.remove(mebibytes(256, 264))
    for head in heads { plant.machine.zones.put(head, on: cpu) }
    plant.finish()
  }

  /// A range that begins and ends inside sections, and lies in two leaves of the table.
  @Test(arguments: MemmapPlace.allCases, HostingUnit.allCases)
  func storageGivesOutAtEachStepOfAnAdd(place: MemmapPlace, hosting: HostingUnit) throws {
    let plant = try Plants.breaking(.vmemmap, hosting, block: .mebibytes(2))
    let range = mebibytes(4090, 4106)
    let added = plant.forced { () throws(HotplugError) in try plant.machine.add(range, memmap: place) }
    // Bits of the first and the last section, leaves, descriptors.
    #expect(added >= 4)
    try plant.machine.remove(range)
    // Leaves stay.
    let again = plant.forced { () throws(HotplugError) in try plant.machine.addDevice(range, memmap: place) }
    #expect(again == 3)
    try plant.machine.remove(range)
    plant.finish()
  }

  /// The last user of a shared memmap takes along the block that holds it, which lies apart: the second of two ranges fails.
  @Test func storageGivesOutAtTheSecondRangeOfARemoval() throws {
    let plant = try Plants.breaking(.vmemmap, .wholeRange, block: .mebibytes(2))
    let range = mebibytes(256, 268)
    try plant.machine.add(range, memmap: .fromRange)
    try plant.machine.remove(mebibytes(256, 266))
    // What has gone comes again beside the block that is held, so that its section is whole again.
    try plant.machine.add(mebibytes(258, 266), memmap: .elsewhere)
    try plant.machine.add(mebibytes(268, 272), memmap: .elsewhere)
    let removed = plant.forced { () throws(HotplugError) in try plant.machine.remove(mebibytes(266, 268)) }
    #expect(removed == 2)
    let left = plant.machine.hotplug.blocks.map { $0.range.start }
    #expect(left.first == FrameNumber(258 << 8))
    try plant.machine.remove(mebibytes(258, 266))
    try plant.machine.remove(mebibytes(268, 272))
    plant.finish()
  }

  // MARK: Online

  @Test(arguments: Plants.changeable) func zonesThatCannotHaveARangeAreNamed(model: MemoryModel) throws {
    let plant = try Plants.plain(model, nodes: [.mebibytes(32), .mebibytes(32)])
    try plant.machine.add(mebibytes(256, 264), node: NodeID(0))
    try plant.machine.add(mebibytes(264, 272), node: NodeID(1))
    let mixed = mebibytes(256, 272)
    #expect(refused(plant) { try plant.machine.online(mixed) } == .mixedNodes(mixed))
    try plant.machine.remove(mixed)
    plant.finish()
  }

  /// Where memory of the boot was, the zone that booted there is asked first; it does not reach further.
  @Test(arguments: Plants.changeable) func aZoneThatEndsInsideIsNamed(model: MemoryModel) throws {
    var policy = Plants.policy()
    // The last block holds no descriptors of the boot.
    policy.memmap = .elsewhere
    let plant = try Plant(Plants.layout(), model, policy, HostStorage())
    try plant.machine.offline(mebibytes(56, 64))
    try plant.machine.remove(mebibytes(56, 64))
    let range = mebibytes(56, 72)
    try plant.machine.add(range)
    #expect(refused(plant) { try plant.machine.online(range, .kernel) } == .beyondLimit(range, limit: FrameNumber(64 << 8)))
    try plant.machine.online(range, .movable)
    try plant.machine.offline(range)
    try plant.machine.remove(range)
    plant.check()
  }

  // MARK: Offline

  /// A free page of a pool lies in the range, is promised to somebody, and has no other place.
  @Test(arguments: Plants.changeable) func promisedPagesKeepTheirBlock(model: MemoryModel) throws {
    let plant = try Plants.plain(model)
    // Its first table does not lie in what is to go.
    let space = try plant.machine.memory.makeSpace(on: cpu)
    let range = mebibytes(256, 264)
    try plant.machine.add(range)
    try plant.machine.online(range, .kernel)
    let page = try plant.machine.zones[plant.zone(.normal)].claimFolio(
      at: range.start, order: Order(9), .unmovable, kind: .hugePool)
    plant.machine.memory.pools.adopt(page, huge, on: NodeID(0), zones: plant.machine.zones)
    // Who maps one has it promised.
    try plant.machine.memory.map(.anonymous(huge), .mebibytes(2), in: space, MappingOptions(), on: cpu)
    let promised = HugePoolError.reservedByOthers(huge, wanted: PageCount(1), free: PageCount(1), reserved: PageCount(1))
    // The ledger replaces no page of a pool.
    #expect(refused(plant) { try plant.machine.offline(range, owner: plant.ledger) } == .promised(promised))
    let part = mebibytes(256, 258)
    #expect(
      refused(plant) {
        try plant.machine.hotplug.withhold(
          part, zones: plant.machine.zones, pools: plant.machine.memory.pools, with: plant.machine.migration(of: plant.ledger))
      } == .promised(promised))
    plant.machine.memory.destroy(space, on: cpu)
    try plant.machine.offline(range, owner: plant.ledger)
    #expect(plant.machine.memory.pools.counts(huge).total == .zero)
    try plant.machine.remove(range)
    plant.finish()
  }

  /// Cancelled at the first question, the second and so on. Somebody holds a folio, so that a page of a pool is given up on the way: it is
  /// made again.
  @Test(arguments: Plants.changeable) func anOfflineIsCancelledAtEachQuestion(model: MemoryModel) throws {
    let plant = try Plants.plain(model)
    let range = mebibytes(256, 264)
    try plant.machine.add(range)
    try plant.machine.online(range, .kernel)
    let page = try plant.machine.zones[plant.zone(.normal)].claimFolio(
      at: FrameNumber(260 << 8), order: Order(9), .unmovable, kind: .hugePool)
    plant.machine.memory.pools.adopt(page, huge, on: NodeID(0), zones: plant.machine.zones)
    let ticket = try plant.movable(Order(0), at: range.start)
    _ = try plant.machine.zones.tryGet(range.start, on: cpu)
    var cancelled = 0
    while cancelled < 100 {
      var asked = 0
      let error = refused(plant) {
        try plant.machine.offline(range, owner: plant.ledger) {
          asked += 1
          return asked <= cancelled
        }
      }
      guard error == .cancelled(moved: .zero) else { break }
      cancelled += 1
    }
    // Five tries for the folio and the page, then five for the folio.
    #expect(cancelled == 15)
    plant.machine.zones.put(range.start, on: cpu)
    try plant.machine.offline(range, owner: plant.ledger)
    #expect(plant.machine.memory.pools.counts(huge).total == .zero)
    plant.ledger.free(ticket, to: plant.machine.zones, on: cpu)
    try plant.machine.remove(range)
    plant.finish()
  }

  /// Counts how often a folio is asked for, and lets go of it after some tries.
  private final class Reluctant: FolioOwner {
    let ledger: FolioLedger
    let asked = Tally()
    let yieldsAfter: Int
    init(_ ledger: FolioLedger, yieldsAfter: Int) {
      self.ledger = ledger
      self.yieldsAfter = yieldsAfter
    }
    func detach(_ folio: FolioPlace) -> FrameCounts? {
      asked.add(1)
      // One reference more than there are: as if somebody else had dropped his.
      return asked.value > yieldsAfter ? ledger.detach(folio) : .references(2)
    }
    func attach(_ folio: FolioPlace, to head: FrameNumber) {
      if asked.value > yieldsAfter { ledger.attach(folio, to: head) }
    }
  }

  @Test(arguments: Plants.changeable, [1, 3, 5] as [UInt64]) func triesAreBounded(model: MemoryModel, tries: UInt64) throws {
    var policy = Plants.policy()
    policy.hotplug?.policy.tries = TryCount(tries)
    let plant = try Plant(Plants.layout(), model, policy, HostStorage())
    let range = mebibytes(256, 264)
    try plant.machine.add(range)
    try plant.machine.online(range, .movable)
    let ticket = try plant.movable(Order(0), at: range.start)
    let never = Reluctant(plant.ledger, yieldsAfter: .max)
    let error = refused(plant) { try plant.machine.offline(range, owner: never) }
    guard case .busy(range, let obstacles) = error else {
      Issue.record("it went offline")
      return
    }
    #expect(never.asked.value == Int(tries) && obstacles[.busy] == FrameCount(1) && obstacles.total == FrameCount(1))
    // Whoever lets go at the last try is in time.
    let late = Reluctant(plant.ledger, yieldsAfter: Int(tries) - 1)
    try plant.machine.offline(range, owner: late)
    #expect(late.asked.value == Int(tries))
    plant.ledger.free(ticket, to: plant.machine.zones, on: cpu)
    try plant.machine.remove(range)
    plant.finish()
  }

  // MARK: Parts, and failed frames

  @Test(arguments: Plants.changeable) func partsThatCannotComeOrGoAreNamed(model: MemoryModel) throws {
    let plant = try Plants.plain(model)
    let range = mebibytes(256, 272)
    let (part, second) = (mebibytes(258, 260), mebibytes(266, 272))
    func withhold(_ range: FrameRange, goesOn: Bool = true) -> HotplugError? {
      refused(plant) {
        try plant.machine.hotplug.withhold(
          range, zones: plant.machine.zones, pools: plant.machine.memory.pools, with: plant.machine.migration(of: plant.ledger)
        ) { goesOn }
      }
    }
    func supply(_ range: FrameRange) -> HotplugError? {
      refused(plant) { try plant.machine.hotplug.supply(range, zones: plant.machine.zones) }
    }
    func poison(_ frame: FrameNumber) -> HotplugError? {
      refused(plant) { try plant.machine.hotplug.poison(frame, zones: plant.machine.zones) }
    }
    #expect(withhold(part) == .noSuchBlock(part.start) && supply(part) == .noSuchBlock(part.start))
    try plant.machine.add(range, memmap: .fromRange)
    #expect(withhold(part) == .notOnline(part) && supply(part) == .notOnline(part))
    try plant.machine.online(mebibytes(256, 264), .movable)
    #expect(supply(part) == .alreadyOnline(part))
    // Descriptors, two blocks, nothing.
    for bad in [mebibytes(256, 258), mebibytes(262, 266), FrameRange(start: part.start, end: part.start)] {
      #expect(withhold(bad) == .noSuchBlock(bad.start))
    }
    #expect(withhold(second) == .notOnline(second))
    let ticket = try plant.movable(Order(0), at: part.start)
    #expect(withhold(part, goesOn: false) == .cancelled(moved: .zero))
    let fixed = try plant.machine.zones[plant.zone(.movable)].claimFolio(
      at: part.start + FrameCount(9), order: Order(0), .unmovable)
    if case .busy(part, _) = withhold(part) {} else { Issue.record("an unmovable frame went") }
    #expect(poison(part.start) == .notFree(part.start))
    #expect(poison(range.start) == .notFree(range.start) && poison(second.end) == .notFree(second.end))
    plant.machine.free(fixed)
    plant.ledger.free(ticket, to: plant.machine.zones, on: cpu)
    try plant.machine.hotplug.withhold(
      part, zones: plant.machine.zones, pools: plant.machine.memory.pools, with: plant.machine.migration(of: plant.ledger))
    #expect(withhold(part) == .notOnline(part) && poison(part.start) == .notFree(part.start))
    #expect(supply(mebibytes(258, 262)) == .alreadyOnline(mebibytes(258, 262)))
    try plant.machine.hotplug.supply(part, zones: plant.machine.zones)
    try plant.machine.offline(mebibytes(256, 264))
    try plant.machine.remove(range)
    plant.finish()
  }
}
