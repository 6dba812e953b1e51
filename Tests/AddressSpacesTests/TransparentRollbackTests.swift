import AddressSpaces
import FrameAllocator
import FrameMap
import HostArena
import HugePools
import Megalith
import MemoryUnits
import Mobility
import PhysicalLayout
import Testing

/// Larger pages where memory for them, or for the tables that they keep aside, gives out on the way.
@Suite struct TransparentRollbackTests {
  private static let start = VirtualAddress(4 << 30)

  /// What cannot move has its own small zone, so that it gives out while there is room for pages.
  private func world(_ model: MemoryModel, _ sizes: [PageSize]) throws -> World<HostStorage> {
    try World(.x86_64, .gibibytes(8), model: model, commandLine: "movablecore=6G") {
      $0.transparent = TransparentPolicy(sizes, .always)
    }
  }

  /// Takes all frames that cannot move, and gives `left` of them back.
  private func takeTables(_ world: World<HostStorage>, but left: Int) -> [FrameNumber] {
    var taken: [FrameNumber] = []
    for order in [Order(10), Order(0)] {
      while let folio = try? world.machine.zones.allocate(order, FrameRequest(.unmovable, node: NodeID(0)), on: world.cpu) {
        taken.append(folio.head)
      }
    }
    for _ in 0..<left { if let head = taken.popLast() { world.machine.zones.put(head, on: world.cpu) } }
    return taken
  }

  private func sizes(_ range: VirtualRange, _ space: AddressSpace, _ world: World<HostStorage>) -> [PageSize] {
    var sizes: [PageSize] = []
    world.machine.memory.forEachPage(in: range, of: space, as: .asMapped) { sizes.append($0.size) }
    return sizes
  }

  private func finish(_ world: World<HostStorage>, _ taken: [FrameNumber], _ spaces: [AddressSpace]) throws {
    for head in taken { world.machine.zones.put(head, on: world.cpu) }
    for space in spaces { world.end(space) }
    try world.finish()
  }

  /// A page of 1 GiB keeps 513 tables aside; where there are fewer, the next smaller size is taken, and nothing is lost.
  @Test(arguments: MemoryModel.allCases) func tablesGiveOutAtAFault(model: MemoryModel) throws {
    let world = try world(model, [.gigantic, .huge])
    let space = try world.space()
    let range = try world.map(.anonymous(.small), .gibibytes(2), in: space) { $0.place = .at(Self.start) }
    let taken = takeTables(world, but: 100)
    let free = world.machine.zones.freeFrames()
    try world.touch(range.start, .write, in: space)
    #expect(sizes(range, space, world) == [.huge])
    // Two tables lead there, one is kept aside.
    #expect(free - world.machine.zones.freeFrames() == FrameCount(512 + 3))
    try world.checkStep()
    try finish(world, taken, [space])
  }

  /// A fork that finds no frame for a table at each place where it asks for one: there is no child, and the parent has its pages to itself.
  @Test(arguments: MemoryModel.allCases, [false, true]) func tablesGiveOutInAFork(model: MemoryModel, isSwapped: Bool) throws {
    let world = try world(model, [.huge])
    world.machine.memory.addSwap(MemorySwapDevice(slots: SlotCount(2048), baseShift: PageShift(12)))
    let space = try world.space()
    let range = try world.map(.anonymous(.small), .mebibytes(4), in: space) { $0.place = .at(Self.start) }
    for place in 0..<2 as Range<UInt64> { try world.touch(range.start + .mebibytes(2) * place, .write, in: space) }
    if isSwapped { try world.machine.memory.swapOut(range, in: space, on: world.cpu) }
    var taken = takeTables(world, but: 0)
    var children: [AddressSpace] = []
    var refused = 0
    while children.isEmpty, refused < 20 {
      let free = world.machine.zones.freeFrames()
      do throws(MappingError) {
        children.append(try world.machine.memory.fork(space, on: world.cpu))
      } catch {
        guard case .outOfMemory(FrameCount(1), _) = error else {
          Issue.record("\(error)")
          break
        }
        refused += 1
        #expect(world.machine.zones.freeFrames() == free)
        try world.checkStep()
        if !isSwapped {
          // A write needs no copy: nobody else has the page.
          try world.touch(range.start, .write, in: space)
          #expect(world.machine.zones.freeFrames() == free)
        }
        if let head = taken.popLast() { world.machine.zones.put(head, on: world.cpu) }
      }
    }
    // The root, two tables that lead there, and one kept aside for each page; as many refusals at least.
    #expect(refused >= 5 && children.count == 1)
    try world.checkStep()
    for child in children { world.end(child) }
    try finish(world, taken, [space])
  }

  /// Without a block of its size what was swapped out whole comes back in base pages.
  @Test(arguments: MemoryModel.allCases) func blocksGiveOutAtTheReturn(model: MemoryModel) throws {
    let world = try World(.x86_64, .mebibytes(256), model: model) { $0.transparent = TransparentPolicy([.huge], .always) }
    world.machine.memory.addSwap(MemorySwapDevice(slots: SlotCount(2048), baseShift: PageShift(12)))
    let space = try world.space()
    let range = try world.map(.anonymous(.small), .mebibytes(2), in: space) { $0.place = .at(Self.start) }
    try world.touch(range.start, .write, in: space)
    #expect(try world.machine.memory.swapOut(range, in: space, on: world.cpu) == FrameCount(512))
    // Half of each free block of 2 MiB is taken: those that the zone kept back at first, too, as the other halves become free.
    var taken: [FrameNumber] = []
    while let block = try? world.machine.zones.allocate(Order(9), FrameRequest(.movable, node: NodeID(0)), on: world.cpu) {
      let head = block.head
      try world.machine.zones.split(block, to: Order(8)) { part in
        let half = part.head
        _ = consume part
        if half == head { taken.append(half) } else { world.machine.zones.put(half, on: world.cpu) }
      }
    }
    for page in 0..<512 as Range<UInt64> { try world.touch(range.start + .kibibytes(4) * page, .read, in: space) }
    #expect(sizes(range, space, world) == [PageSize](repeating: .small, count: 512))
    try world.checkStep()
    try finish(world, taken, [space])
  }

  /// A huge page that one entry maps moves whole, with its bytes.
  @Test(arguments: MemoryModel.allCases) func aHugePageMovesWhole(model: MemoryModel) throws {
    let world = try World(contents: .mebibytes(64), model: model) { $0.transparent = TransparentPolicy([.huge], .always) }
    let space = try world.space()
    let range = try world.map(.anonymous(.small), .mebibytes(2), in: space) { $0.place = .at(Self.start) }
    for page in 0..<512 as Range<UInt64> {
      try world.write(UInt8(truncatingIfNeeded: page * 11 + 3), at: range.start + .kibibytes(4) * page, in: space)
    }
    var pages: [MappedPage] = []
    world.machine.memory.forEachPage(in: range, of: space, as: .asMapped) { pages.append($0) }
    let folio = try world.machine.zones.folio(containing: try #require(pages.first).frames.start)
    let context = world.machine.migration(of: world.machine.memory.owner)
    let head = try world.machine.zones.migrate(folio, node: NodeID(0), with: context)
    #expect(head != folio.head)
    var moved: [MappedPage] = []
    world.machine.memory.forEachPage(in: range, of: space, as: .asMapped) { moved.append($0) }
    #expect(moved.map { $0.frames.start } == [head] && moved.allSatisfy { $0.size == .huge })
    for page in 0..<512 as Range<UInt64> {
      #expect(try world.byte(at: range.start + .kibibytes(4) * page, in: space) == UInt8(truncatingIfNeeded: page * 11 + 3))
    }
    try world.check()
    world.end(space)
    try world.finish()
  }
}
