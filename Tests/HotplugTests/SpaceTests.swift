import AddressSpaces
import FrameAllocator
import FrameMap
import HostArena
import Hotplug
import Megalith
import MemoryUnits
import Mobility
import PhysicalLayout
import TestSupport
import Testing

/// Memory that address spaces use.
@Suite struct SpaceTests {
  private let cpu = CPUIndex(0)

  /// Pages move with their mappings, pinned ones keep their block online; base pages and huge ones.
  @Test(arguments: Plants.changeable, [12, 21] as [UInt8]) func mappedPagesMoveAway(model: MemoryModel, shift: UInt8) throws {
    let plant = try Plants.plain(model)
    let range = mebibytes(256, 272)
    try plant.machine.add(range, memmap: .fromRange)
    try plant.machine.online(range, .movable)
    let size = PageSize(shift: PageShift(shift))
    if shift > 12 {
      plant.machine.memory.pools.setSize(
        size, to: PageCount(2), zones: plant.machine.zones, with: plant.machine.migration(of: plant.machine.memory.owner))
    }
    let space = try plant.machine.memory.makeSpace(on: cpu)
    let mapped = try plant.machine.memory.map(.anonymous(size), .mebibytes(2), in: space, MappingOptions(), on: cpu)
    try plant.machine.memory.fault(mapped.start, .write, in: space, on: cpu)
    plant.check()
    // Movable requests are served from the movable zone, and huge pages of the pool lie where they were found.
    let movable = plant.zone(.movable)
    let used = plant.machine.zones[movable].managed - plant.machine.zones[movable].freeFrames()
    #expect(used > .zero || shift > 12)
    try plant.machine.offline(range)
    plant.check()
    #expect(plant.machine.hotplug.blocks.allSatisfy { $0.state == .offline })
    // The mapping is whole: it faults no more, and the page goes with it.
    try plant.machine.memory.fault(mapped.start, .read, in: space, on: cpu)
    plant.machine.memory.destroy(space, on: cpu)
    plant.machine.memory.pools.drain(zones: plant.machine.zones, on: cpu)
    try plant.machine.remove(range)
    plant.finish()
  }

  // S1.4: descriptors that lie elsewhere come in pieces as large as the tables map, or smaller ones where there are none.
  @Test func descriptorsElsewhereComeInLargePieces() throws {
    var architecture = Architecture.x86_64
    architecture.addressLimit = PhysicalAddress(16 << 30)
    let plant = try Plant(
      Plants.layout(nodes: [.mebibytes(256)], architecture), .vmemmap, Plants.policy(limit: .gibibytes(8)), HostStorage())
    let range = mebibytes(4096, 4224)
    try plant.machine.add(range)
    guard case .folios(let whole) = plant.machine.hotplug.blocks[0].home else {
      Issue.record("no folios")
      return
    }
    #expect(whole.map { $0.order } == [Order(9)])
    try plant.machine.remove(range)
    // Every pageblock has a frame in use, so that no large piece is free.
    let dma32 = plant.zone(.dma32)
    let dma = plant.zone(.dma)
    var held: [FrameNumber] = []
    for index in [dma, dma32] {
      let span = plant.machine.zones[index].zone
      var frame = span.start.aligned(to: FrameCount(512), .up) + FrameCount(7)
      while frame < span.end {
        if let folio = try? plant.machine.zones[index].claimFolio(at: frame, order: Order(0), .unmovable) {
          held.append(folio.head)
          folio.forget()
        }
        frame += FrameCount(512)
      }
    }
    try plant.machine.add(range)
    guard case .folios(let pieces) = plant.machine.hotplug.blocks[0].home else {
      Issue.record("no folios")
      return
    }
    #expect(pieces.reduce(FrameCount.zero) { $0 + $1.frames.count } == FrameCount(512))
    #expect(pieces.allSatisfy { $0.order < Order(9) })
    try plant.machine.remove(range)
    for head in held { plant.machine.zones.put(head, on: cpu) }
    plant.finish()
  }
}
