import FrameAllocator
import FrameMap
import HostArena
import Hotplug
import HugePools
import Megalith
import MemoryUnits
import Mobility
import PhysicalLayout
import TestSupport
import Testing

/// Folios that are larger than sections and blocks.
@Suite struct CrossingTests {
  private func plant(_ model: MemoryModel) throws -> Plant<HostStorage> {
    var policy = Plants.policy()
    policy.topOrder = .unlimited
    policy.checksEveryStep = true
    return try Plant(Plants.layout(nodes: [.mebibytes(128)]), model, policy, HostStorage())
  }

  // S3.2: the top order is above the section; a folio lies in four blocks, and one of them goes.
  @Test(arguments: Plants.changeable) func aFolioOverSeveralBlocksMovesAsOne(model: MemoryModel) throws {
    let plant = try plant(model)
    let range = mebibytes(256, 320)
    try plant.machine.add(range)
    try plant.machine.online(range, .movable)
    let ticket = try plant.movable(Order(13), at: FrameNumber(256 << 8))
    let small = try plant.movable(Order(0), at: FrameNumber(300 << 8))
    let block = mebibytes(264, 272)
    let plan = try plant.machine.offline(block, owner: PlantOwner(plant: plant))
    #expect(plan.moves == Order(13).frames)
    let place = plant.ledger.place(of: ticket)
    #expect(place?.order == Order(13) && place.map { !$0.frames.overlaps(block) } ?? false)
    // What it held beside the block is free.
    let movable = plant.zone(.movable)
    let taken = place.map { range.contains($0.head) } ?? false ? Order(13).frames : .zero
    let free = plant.machine.zones[movable].freeFrames()
    #expect(free == range.count - block.count - FrameCount(1) - taken)
    for ticket in [ticket, small] { plant.ledger.free(ticket, to: plant.machine.zones, on: CPUIndex(0)) }
    try plant.machine.online(block, .movable)
    try plant.machine.offline(range, owner: plant.ledger)
    try plant.machine.remove(range)
    plant.finish()
  }

  // A page of a pool over four blocks: in use it moves, free it is replaced.
  @Test(arguments: Plants.changeable, [true, false]) func aPageOfAPoolOverSeveralBlocks(model: MemoryModel, isUsed: Bool) throws {
    let plant = try plant(model)
    let owner = PlantOwner(plant: plant)
    let range = mebibytes(256, 288)
    try plant.machine.add(range)
    try plant.machine.online(range, .kernel)
    let size = PageSize(shift: PageShift(25))
    let normal = plant.zone(.normal)
    let page = try plant.machine.zones[normal].claimFolio(
      at: range.start, order: Order(13), .unmovable, kind: .hugePool)
    plant.machine.memory.pools.adopt(page, size, on: NodeID(0), zones: plant.machine.zones)
    var ticket: FolioLedger.Ticket?
    if isUsed {
      let folio = try plant.machine.memory.pools.take(
        size, reserved: false, placement: .preferred(NodeID(0)), zones: plant.machine.zones,
        with: plant.machine.migration(of: owner))
      ticket = plant.ledger.keep(folio)
    }
    let before = plant.machine.memory.pools.counts(size)
    try plant.machine.offline(mebibytes(272, 280), owner: owner)
    #expect(plant.machine.memory.pools.counts(size) == before)
    if let ticket {
      let place = plant.ledger.place(of: ticket)
      #expect(place?.order == Order(13) && place.map { !range.overlaps($0.frames) } ?? false)
      plant.ledger.free(ticket, to: plant.machine.zones, on: CPUIndex(0))
    }
    plant.machine.memory.pools.drain(zones: plant.machine.zones, on: CPUIndex(0))
    try plant.machine.online(mebibytes(272, 280), .kernel)
    try plant.machine.offline(range, owner: owner)
    try plant.machine.remove(range)
    plant.finish()
  }
}
