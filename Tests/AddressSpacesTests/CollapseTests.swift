import AddressSpaces
import FrameAllocator
import FrameMap
import HostArena
import HugePools
import Megalith
import MemoryUnits
import Mobility
import PhysicalLayout
import TestSupport
import Testing

/// Small pages made large ones, and everything that keeps them from it.
@Suite struct CollapseTests {
  private static let start = VirtualAddress(1 << 30)

  /// A space with 4 MiB of base pages, of which the first 2 MiB are touched; each with its number as contents.
  private func touched(
    _ world: World<ArenaStorage>, every step: UInt64 = 1
  ) throws -> (AddressSpace, VirtualRange) {
    let space = try world.space()
    let range = try world.map(.anonymous(.small), .mebibytes(4), in: space) { $0.place = .at(Self.start) }
    var page: UInt64 = 0
    while page < 512 {
      try world.write(UInt8(truncatingIfNeeded: page * 7 + 1), at: range.start + .kibibytes(4) * page, in: space)
      page += step
    }
    return (space, range)
  }

  private func world(_ model: MemoryModel, _ size: ByteCount = .mebibytes(64)) throws -> World<ArenaStorage> {
    try World(contents: size, model: model) { $0.transparent = TransparentPolicy([.huge], .advised) }
  }

  /// Everything that a refused collapse must leave alone.
  private func dump<Storage>(_ space: AddressSpace, _ world: World<Storage>) -> [String] {
    var lines = ["\(world.machine.zones.freeFrames()) free, \(world.machine.memory.tableFrames(of: space)) in tables"]
    let all = VirtualRange(start: VirtualAddress(4096), end: VirtualAddress(1 << 40))
    world.machine.memory.forEachPage(in: all, of: space, as: .asMapped) { page in
      let counts = (try? world.machine.zones.folio(containing: page.frames.start)).flatMap { folio in
        world.machine.zones.table.descriptor(folio.head).map { "\($0.pointee.counts)" }
      }
      lines.append("\(page) \(counts ?? "-")")
    }
    return lines
  }

  @Test(arguments: MemoryModel.allCases, [1, 3, 64] as [UInt64]) func contentsComeAlong(model: MemoryModel, step: UInt64) throws {
    let world = try world(model)
    let (space, range) = try touched(world, every: step)
    // Out of order in memory, so that the copy is one of many pieces.
    let isNew = try world.machine.memory.collapse(range.start, to: .huge, in: space, on: world.cpu)
    #expect(isNew)
    try world.check()
    var pages: [MappedPage] = []
    world.machine.memory.forEachPage(in: range, of: space, as: .asMapped) { pages.append($0) }
    #expect(pages.count == 1 && pages[0].size == .huge && pages[0].isWritable)
    for page in 0..<512 as Range<UInt64> {
      let byte = try world.byte(at: range.start + .kibibytes(4) * page, in: space)
      #expect(byte == (page % step == 0 ? UInt8(truncatingIfNeeded: page * 7 + 1) : 0))
    }
    // A second time there is nothing to do.
    let again = try world.machine.memory.collapse(range.start, to: .huge, in: space, on: world.cpu)
    #expect(!again)
    world.end(space)
    try world.finish()
  }

  /// Pages of 64 KiB made of base pages, and a page of 2 MiB of those.
  @Test func sizesInBetween() throws {
    let world = try world(.vmemmap)
    let (space, range) = try touched(world)
    let middle = PageSize(shift: PageShift(16))
    let made = try world.machine.memory.collapse(
      VirtualRange(start: range.start, count: .mebibytes(2)), to: middle, in: space, on: world.cpu)
    #expect(made == PageCount(32))
    try world.check()
    #expect(try world.machine.memory.collapse(range.start, to: .huge, in: space, on: world.cpu))
    try world.check()
    for page in 0..<512 as Range<UInt64> {
      let byte = try world.byte(at: range.start + .kibibytes(4) * page, in: space)
      #expect(byte == UInt8(truncatingIfNeeded: page * 7 + 1))
    }
    world.end(space)
    try world.finish()
  }

  @Test func aGigabyteOfHugePages() throws {
    let world = try World(.x86_64, .gibibytes(4)) { $0.transparent = TransparentPolicy([.huge], .always) }
    let space = try world.space()
    let range = try world.map(.anonymous(.small), .gibibytes(1), in: space) { $0.place = .at(Self.start) }
    for place in 0..<512 as Range<UInt64> { try world.touch(range.start + .mebibytes(2) * place, .write, in: space) }
    #expect(try world.machine.memory.collapse(range.start, to: .gigantic, in: space, on: world.cpu))
    try world.check()
    // One of level 1 for it, 512 of level 0 for what that could become, and two that lead there.
    #expect(world.machine.memory.tableFrames(of: space) == FrameCount(2))
    try world.unmap(VirtualRange(start: range.start + .mebibytes(6), count: .kibibytes(4)), in: space)
    try world.check()
    world.end(space)
    try world.finish()
  }

  // What keeps it from happening: state as before, and the reason with its numbers.

  private func refused(
    _ expected: (AddressSpace, VirtualRange) -> CollapseError,
    _ prepare: (World<ArenaStorage>, AddressSpace, VirtualRange) throws -> Void,
    _ undo: (World<ArenaStorage>, AddressSpace, VirtualRange) throws -> Void = { _, _, _ in }, every step: UInt64 = 1
  ) throws {
    for model in [MemoryModel.sparse, .vmemmap] {
      let world = try world(model)
      let (space, range) = try touched(world, every: step)
      try prepare(world, space, range)
      let before = dump(space, world)
      #expect(throws: expected(space, range)) {
        try world.machine.memory.collapse(range.start, to: .huge, in: space, on: world.cpu)
      }
      #expect(dump(space, world) == before)
      try world.check()
      try undo(world, space, range)
      world.end(space)
      try world.finish()
    }
  }

  @Test func tooManyHoles() throws {
    try refused(
      { _, _ in .tooEmpty(empty: PageCount(511), most: PageCount(510)) },
      { world, _, _ in
        var policy = TransparentPolicy([.huge], .always)
        policy.mostEmpty = PageCount(510)
        world.machine.memory.setTransparentPolicy(policy)
      }, every: 512)
  }

  @Test func nothingThere() throws {
    try refused(
      { _, range in .noMapping(range.start) },
      { world, space, range in
        try world.unmap(VirtualRange(start: range.start + .mebibytes(1), count: .kibibytes(4)), in: space)
      })
  }

  @Test func itsOwnerRefuses() throws {
    try refused(
      { _, range in .unsuitable(VirtualRange(start: range.start, count: .mebibytes(2))) },
      { world, space, range in try world.machine.memory.advise(range, .hugePages(false), in: space, on: world.cpu) })
  }

  @Test func aPageIsShared() throws {
    var child: AddressSpace?
    try refused(
      { _, range in .shared(range.start, mappings: 2) },
      { world, space, _ in child = try world.machine.memory.fork(space, on: world.cpu) },
      { world, _, _ in if let child { world.end(child) } })
  }

  @Test func aPageIsPinned() throws {
    var frames = [FrameNumber(0)]
    try refused(
      { _, range in .busy(range.start + .kibibytes(40), .references(1) + .pins(1)) },
      { world, space, range in
        let part = VirtualRange(start: range.start + .kibibytes(40), count: .kibibytes(4))
        var span = frames.mutableSpan
        _ = try world.machine.memory.pin(part, [], in: space, into: &span, on: world.cpu)
      },
      { world, _, _ in try world.machine.memory.unpin(frames.span, on: world.cpu) })
  }

  @Test func somebodyLooksAtAPage() throws {
    var held: FrameNumber?
    try refused(
      { _, range in .busy(range.start + .mebibytes(1), .references(2)) },
      { world, space, range in
        var pages: [MappedPage] = []
        world.machine.memory.forEachPage(in: range, of: space, as: .asMapped) { pages.append($0) }
        let frame = pages[256].frames.start
        held = try world.machine.zones.tryGet(frame, on: world.cpu).head
      },
      { world, _, _ in if let held { world.machine.zones.put(held, on: world.cpu) } })
  }

  /// No free block of 512 frames is left.
  @Test func noBlock() throws {
    let world = try world(.vmemmap, .mebibytes(32))
    let (space, range) = try touched(world)
    let taken = take([Order(9), Order(0)], .movable, world)
    try expectNoMemory(FrameCount(512), space, range, world)
    for head in taken { world.machine.zones.put(head, on: world.cpu) }
    world.end(space)
    try world.finish()
  }

  /// There is a block, where only what moves may be, and no frame for the table that is kept aside.
  @Test func noTable() throws {
    let world = try World(contents: .mebibytes(64), commandLine: "movablecore=32M") {
      $0.transparent = TransparentPolicy([.huge], .advised)
    }
    let (space, range) = try touched(world)
    let taken = take([Order(9), Order(0)], .unmovable, world)
    try expectNoMemory(FrameCount(1), space, range, world)
    for head in taken { world.machine.zones.put(head, on: world.cpu) }
    world.end(space)
    try world.finish()
  }

  private func take(_ orders: [Order], _ mobility: FrameMobility, _ world: World<ArenaStorage>) -> [FrameNumber] {
    var taken: [FrameNumber] = []
    let request = FrameRequest(mobility, node: NodeID(0))
    for order in orders {
      while let folio = try? world.machine.zones.allocateAnyOrder(order, request, on: world.cpu) { taken.append(folio.head) }
    }
    return taken
  }

  private func expectNoMemory(
    _ count: FrameCount, _ space: AddressSpace, _ range: VirtualRange, _ world: World<ArenaStorage>
  ) throws {
    let before = dump(space, world)
    #expect {
      try world.machine.memory.collapse(range.start, to: .huge, in: space, on: world.cpu)
    } throws: { error in
      guard case CollapseError.outOfMemory(let wanted, let largest) = error else { return false }
      return wanted == count && (count == FrameCount(1) || largest < count)
    }
    #expect(dump(space, world) == before)
    try world.check()
  }

  @Test func noSuchSize() throws {
    let world = try world(.vmemmap)
    let (space, range) = try touched(world)
    for size in [PageSize.small, PageSize(shift: PageShift(55))] {
      #expect(throws: CollapseError.noSuchSize(size)) {
        try world.machine.memory.collapse(range.start, to: size, in: space, on: world.cpu)
      }
    }
    world.end(space)
    try world.finish()
  }

  /// The scanner goes over all spaces, at the pace that it is asked for, and finds only what the policy means.
  @Test(arguments: [MemoryModel.discontiguous, .vmemmap]) func theScanner(model: MemoryModel) throws {
    let world = try world(model, .mebibytes(128))
    let (first, range) = try touched(world)
    let (second, _) = try touched(world, every: 5)
    let (third, _) = try touched(world)
    for space in [first, second] { try world.machine.memory.advise(range, .hugePages(true), in: space, on: world.cpu) }
    var scanner = CollapseScanner(.huge)
    var collapsed = PageCount.zero
    var steps = 0
    var refused = PageCount.zero
    while true {
      let progress = scanner.step(frames: FrameCount(512), of: world.machine.memory, on: world.cpu)
      collapsed += progress.collapsed
      refused += progress.refused
      steps += 1
      if progress.endsPass { break }
      #expect(progress.scanned == FrameCount(512))
    }
    // Of each of the two spaces the second half is empty.
    #expect(collapsed == PageCount(2) && refused == PageCount(2) && steps == 5)
    try world.check()
    // From the beginning again: nothing is left to do.
    let progress = scanner.step(frames: FrameCount(4096), of: world.machine.memory, on: world.cpu)
    #expect(progress.collapsed == .zero && progress.endsPass && progress.scanned == FrameCount(2048))
    guard case .tooEmpty? = progress.lastRefusal else {
      Issue.record("the empty half was refused for \(String(describing: progress.lastRefusal))")
      return
    }
    for space in [first, second, third] { world.end(space) }
    try world.finish()
  }

  /// Who knows base pages only sees base pages, split on demand; who knows huge ones sees them whole.
  @Test(arguments: MemoryModel.allCases) func whatAWalkerKnows(model: MemoryModel) throws {
    let world = try world(model)
    let (space, range) = try touched(world)
    try world.machine.memory.collapse(range.start, to: .huge, in: space, on: world.cpu)
    var whole: [MappedPage] = []
    world.machine.memory.forEachPage(in: range, of: space, as: .asMapped) { whole.append($0) }
    #expect(whole.map { $0.size } == [.huge])
    var some: [MappedPage] = []
    let part = VirtualRange(start: range.start + .mebibytes(1), count: .kibibytes(8))
    world.machine.memory.forEachPage(in: part, of: space, as: .basePages) { some.append($0) }
    #expect(some.map { $0.address } == [part.start, part.start + .kibibytes(4)] && some.allSatisfy { $0.size == .small })
    #expect(some[0].frames.start == whole[0].frames.start + FrameCount(256))
    try world.check()
    // The folio is whole: it can be mapped as one again.
    #expect(try world.machine.zones.folio(containing: some[0].frames.start).order == Order(9))
    world.end(space)
    try world.finish()
  }
}
