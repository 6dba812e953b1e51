import FrameAllocator
import FrameContents
import FrameMap
import HostArena
import Megalith
import MemoryUnits
import Mobility
import PhysicalLayout
import TestSupport
import Testing

private let cpu = CPUIndex(0)

/// Every reason for which a range is refused, and that nothing is lost by it.
@Suite struct ObstacleTests {
  /// 32 MiB in the middle of node 0, all memory.
  static let range = FrameRange(blockAt: FrameNumber(0x4000), order: Order(13))

  /// Asks for `range` and expects the refusal; the population is whole afterwards.
  private func refuses(
    _ kind: Obstacle, at frame: FrameNumber? = nil, count: FrameCount? = nil, in range: FrameRange = range,
    policy: ContiguousPolicy = ContiguousPolicy(), town: Town
  ) throws {
    do throws(ContiguousError) {
      let plan = try town.machine.contiguousRange(range, policy, owner: town.people.ledger)
      Issue.record("the range was had: \(plan)")
    } catch {
      guard case .refused(let refused, let obstacles) = error else {
        Issue.record("\(error)")
        return
      }
      #expect(refused == range)
      #expect(obstacles[kind] > .zero)
      if let frame { #expect(obstacles.first?.frame == frame && obstacles.first?.kind == kind) }
      if let count { #expect(obstacles[kind] == count) }
    }
    try town.check()
  }

  @Test(arguments: MemoryModel.allCases) func whatIsInTheWayIsNamed(model: MemoryModel) throws {
    let town = try Town(model)
    // Somewhere inside a frame is free, and becomes each of these in turn.
    let zone = try town.zone(of: Self.range.start)
    let place = try town.free(in: FrameRange(start: Self.range.start + FrameCount(700), end: Self.range.end))
    for (kind, mobility, obstacle) in [
      (FrameKind.ordinary, FrameMobility.unmovable, Obstacle.unmovable), (.ordinary, .reclaimable, .reclaimable),
      (.pageTable, .unmovable, .pageTable), (.reserved, .unmovable, .reserved), (.memmap, .unmovable, .memmap),
      (.device, .unmovable, .device),
    ] {
      let folio = try town.machine.zones[zone].claimFolio(at: place, order: Order(0), mobility, kind: kind)
      try refuses(obstacle, at: place, count: FrameCount(1), town: town)
      town.machine.free(folio)
    }
    // Claimed by somebody for good: neither free nor a folio.
    let one = FrameRange(start: place, count: FrameCount(1))
    try town.machine.zones[zone].claim(one)
    try refuses(.reserved, at: place, count: FrameCount(1), town: town)
    try town.machine.zones[zone].release(one)
    try town.machine.zones[zone].isolate(town.machine.zones[zone].pageblocks(around: one))
    try refuses(.isolated, town: town)
    town.machine.zones[zone].endIsolation(town.machine.zones[zone].pageblocks(around: one))
    // And without anything in the way it is had.
    let plan = try town.machine.contiguousRange(Self.range, owner: town.people.ledger)
    #expect(plan.moves > .zero)
    try town.check()
    try town.machine.zones[zone].release(Self.range)
    try town.finish()
  }

  @Test(arguments: MemoryModel.allCases) func holesBordersAndDescriptorsAreToldApart(model: MemoryModel) throws {
    let town = try Town(model)
    let shift = PageShift(12)
    // The hole below 1 MiB, in a zone's first frames, and the frames before them.
    try refuses(.hole, in: FrameRange(start: FrameNumber(0x80), end: FrameNumber(0x180)), town: town)
    // 192 MiB belong to the first node.
    let border = FrameNumber(PhysicalAddress(192 << 20), shift, rounded: .down)
    let across = FrameRange(start: border - FrameCount(512), end: border + FrameCount(512))
    try refuses(.border, in: across, town: town)
    let memmap = try #require(town.machine.boot.memmap.first)
    try refuses(.memmap, at: memmap.start, in: FrameRange(start: memmap.start, count: FrameCount(1)), town: town)
    #expect(throws: ContiguousError.noSuchRange(FrameRange(start: border, end: border))) {
      try town.machine.contiguousRange(FrameRange(start: border, end: border), owner: town.people.ledger)
    }
    let beyond = FrameRange(start: FrameNumber(1 << 40), count: FrameCount(1))
    #expect(throws: ContiguousError.noSuchRange(beyond)) { try town.machine.contiguousRange(beyond, owner: town.people.ledger) }
    try town.finish()
  }

  @Test func hugePagesAreLeftAloneOrMoved() throws {
    let town = try Town()
    let zone = try town.zone(of: Self.range.start)
    let block = FrameRange(blockAt: Self.range.start + FrameCount(1024), order: Order(9))
    _ = try town.machine.contiguousRange(block, owner: town.people.ledger)
    let page = try town.machine.zones[zone].folio(ofClaimed: block.start, order: Order(9), .movable, kind: .hugePool)
    try town.people.keep(page, town.machine)
    var policy = ContiguousPolicy()
    policy.hugePages = .refuse
    try refuses(.hugePage, at: block.start, count: FrameCount(512), policy: policy, town: town)
    // What is as large as the range itself is what was wanted.
    try refuses(.hugePage, at: block.start, count: FrameCount(512), in: block, town: town)
    _ = try town.machine.contiguousRange(Self.range, owner: town.people.ledger)
    let moved = try #require(town.people.place(town.people.count - 1))
    #expect(moved.order == Order(9) && !moved.frames.overlaps(Self.range))
    let kind = try #require(town.table.descriptor(moved.head)).pointee.shape.kind
    #expect(kind == .hugePool)
    try town.machine.zones[zone].release(Self.range)
    try town.finish()
  }

  /// What is busy is tried as often as the policy says, then named; what is let go in between is moved.
  @Test func busyFoliosAreTriedAndNamed() throws {
    let town = try Town()
    let zone = try town.zone(of: Self.range.start)
    let victim = try #require(town.people.first(inside: Self.range))
    let descriptor = try #require(town.table.descriptor(victim.head))
    let first = FrameRange(start: victim.head, count: FrameCount(1))
    func pin() { _ = town.machine.zones[zone].pin(first, of: victim, on: CPUIndex(0), pause: {}, while: { true }) }
    func unpin() { _ = town.machine.zones[zone].unpin(first, on: CPUIndex(0), pause: {}) }
    for isPinned in [false, true] {
      if isPinned { pin() } else { descriptor.pointee.take(.references(1)) }
      try refuses(.busy, count: victim.frames.count, town: town)
      #expect(town.people.first(inside: victim.frames) == victim)
      if isPinned { unpin() } else { _ = descriptor.pointee.give(.references(1)) }
      #expect(descriptor.pointee.counts == .references(1))
    }
    // Let go during the second try.
    pin()
    var asked = 0
    var rounds = 0
    _ = try town.machine.contiguousRange(Self.range, owner: town.people.ledger) {
      asked += 1
      if town.people.first(inside: victim.frames) == victim, asked > 1, rounds == 0 {
        var busy = 0
        for index in 0..<town.people.count where town.people.place(index).map({ Self.range.contains($0.frames) }) == true {
          busy += 1
        }
        // Only the pinned one is left: this is a later try.
        if busy == 1 {
          rounds += 1
          unpin()
        }
      }
      return true
    }
    #expect(rounds == 1)
    try town.machine.zones[zone].release(Self.range)
    try town.finish()
  }

  @Test func strangersFoliosAndCancelsPutEverythingBack() throws {
    let town = try Town()
    let zone = try town.zone(of: Self.range.start)
    let isolated = town.machine.zones[zone].freeInTree()
    // Given up before the first move, and after some.
    for limit in [0, 1, 7] {
      var left = limit
      do throws(ContiguousError) {
        try town.machine.contiguousRange(Self.range, owner: town.people.ledger) {
          left -= 1
          return left >= 0
        }
        Issue.record("it went on")
      } catch {
        guard case .cancelled(let moved) = error else { throw error }
        #expect((moved > .zero) == (limit > 0))
      }
      try town.check()
    }
    // A movable folio that the ledger does not know.
    let free = try town.free(in: Self.range)
    let stranger = try town.machine.zones[zone].claimFolio(at: free, order: Order(0), .movable)
    try refuses(.notOwned, count: FrameCount(1), town: town)
    town.machine.free(stranger)
    town.machine.zones.drain()
    let now = town.machine.zones[zone].freeInTree()
    #expect(now == isolated)
    try town.finish()
  }

  @Test func aFullMachineHasNoRoom() throws {
    let town = try Town(.sparse, keeping: 1, seed: 9)
    try refuses(.noRoom, town: town)
    let nothing = #expect(throws: ContiguousError.self) {
      town.machine.free(try town.machine.contiguousBlock(Order(12), FrameRequest(.movable), owner: town.people.ledger))
    }
    guard case .exhausted(let wanted, let best, let obstacles) = nothing else {
      Issue.record("\(nothing as Any)")
      return
    }
    #expect(wanted == FrameCount(4096) && best != nil && !obstacles.isEmpty)
    try town.finish()
  }
}
