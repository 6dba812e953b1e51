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

/// Anonymous memory in larger pages: who gets them, and what becomes of them when a part is changed.
@Suite struct TransparentTests {
  /// What maps a range, as text: `H` an entry above the base level, `b` base pages of a larger folio, `.` base pages, `-` nothing; one
  /// letter for each 2 MiB where they are all alike, `?` where they are not.
  private func drawing<Storage>(_ range: VirtualRange, _ space: AddressSpace, in world: World<Storage>) -> String {
    var letters: [UInt64: Set<Character>] = [:]
    world.machine.memory.forEachPage(in: range, of: space, as: .asMapped) { page in
      let place = (page.address - range.start) / .mebibytes(2)
      let order = (try? world.machine.zones.folio(containing: page.frames.start))?.order ?? Order(0)
      letters[place, default: []].insert(page.size > .small ? "H" : order > Order(0) ? "b" : ".")
    }
    return String(
      (0..<range.count / .mebibytes(2)).map { place in
        let found = letters[place] ?? ["-"]
        return found.count == 1 ? found.first ?? "?" : "?"
      })
  }

  private func huge(_ change: (inout TransparentPolicy) -> Void = { _ in }) -> TransparentPolicy {
    var policy = TransparentPolicy([.huge], .always)
    change(&policy)
    return policy
  }

  private func world(
    _ model: MemoryModel, _ policy: TransparentPolicy, _ size: ByteCount = .gibibytes(1)
  ) throws -> World<HostStorage> {
    try World(.x86_64, size, model: model) { $0.transparent = policy }
  }

  private func pin<Storage>(
    _ range: VirtualRange, _ options: PinOptions, _ space: AddressSpace, in world: World<Storage>
  ) throws -> [FrameNumber] {
    let count = Int((range.count / world.base))
    var frames = [FrameNumber](repeating: FrameNumber(0), count: count)
    var span = frames.mutableSpan
    let pinned = try world.machine.memory.pin(range, options, in: space, into: &span, on: world.cpu)
    #expect(pinned == FrameCount(UInt64(count)))
    return frames
  }

  private func unpin<Storage>(_ frames: [FrameNumber], in world: World<Storage>) throws {
    try world.machine.memory.unpin(frames.span, isDirty: true, on: world.cpu)
  }

  @Test(arguments: MemoryModel.allCases) func aTouchGetsAHugePage(model: MemoryModel) throws {
    let world = try world(model, huge())
    let space = try world.space()
    let range = try world.map(.anonymous(.small), .mebibytes(8), in: space) { $0.place = .at(VirtualAddress(1 << 30)) }
    try world.touch(range.start + .mebibytes(3), .write, in: space)
    #expect(drawing(range, space, in: world) == "-H--")
    try world.check()
    // Where a base page is already, there is no room for a huge one.
    world.machine.memory.setTransparentPolicy(TransparentPolicy())
    try world.touch(range.start, .write, in: space)
    world.machine.memory.setTransparentPolicy(huge())
    try world.touch(range.start + .kibibytes(64), .write, in: space)
    try world.touch(range.start + .mebibytes(6), .read, in: space)
    #expect(drawing(range, space, in: world) == ".H-H")
    try world.check()
    world.end(space)
    try world.finish()
  }

  @Test func whoAsksAndWhoRefuses() throws {
    let world = try World(.x86_64, .gibibytes(1))
    let memory = { world.machine.memory.transparentPolicy }
    #expect(memory()[.huge] == .advised && memory()[.gigantic] == .never)
    let space = try world.space()
    let range = try world.map(.anonymous(.small), .mebibytes(8), in: space) { $0.place = .at(VirtualAddress(1 << 30)) }
    let half = VirtualRange(start: range.start, count: .mebibytes(4))
    try world.machine.memory.advise(half, .hugePages(true), in: space, on: world.cpu)
    for place in 0..<4 as Range<UInt64> { try world.touch(range.start + .mebibytes(2) * place, .write, in: space) }
    #expect(drawing(range, space, in: world) == "HH..")
    try world.machine.memory.advise(range, .notNeeded, in: space, on: world.cpu)
    world.machine.memory.setTransparentPolicy(TransparentPolicy([.huge], .always))
    try world.machine.memory.advise(half, .hugePages(false), in: space, on: world.cpu)
    for place in 0..<4 as Range<UInt64> { try world.touch(range.start + .mebibytes(2) * place, .write, in: space) }
    #expect(drawing(range, space, in: world) == "..HH")
    let object = try world.machine.memory.makeObject(.small, size: PageCount(512))
    let shared = try world.map(.shared(object, from: PageIndex(0)), .mebibytes(2), in: space)
    #expect(throws: MappingError.unsuitable(shared)) {
      try world.machine.memory.advise(shared, .hugePages(true), in: space, on: world.cpu)
    }
    world.machine.memory.delete(object, on: world.cpu)
    world.end(space)
    try world.finish()
  }

  /// The command line decides unless the machine's maker does.
  @Test func theCommandLineDecides() throws {
    for (word, use) in [("always", TransparentPolicy.Use.always), ("madvise", .advised), ("never", .never)] {
      let world = try World(.x86_64, .gibibytes(1), commandLine: "transparent_hugepage=\(word)")
      #expect(world.machine.memory.transparentPolicy[.huge] == use)
    }
  }

  /// Sizes in between are mapped by base pages of one folio, 1 GiB by one entry, and what has no room gets the next smaller size.
  @Test func everySizeAndTheNextSmallerOne() throws {
    let sizes: [PageSize] = [.gigantic, .huge, PageSize(shift: PageShift(16))]
    let world = try world(.vmemmap, TransparentPolicy(sizes, .always), .gibibytes(4))
    let space = try world.space()
    let range = try world.map(.anonymous(.small), .gibibytes(3), in: space) { $0.place = .at(VirtualAddress(1 << 30)) }
    try world.touch(range.start, .write, in: space)
    #expect(drawing(VirtualRange(start: range.start, count: .mebibytes(2)), space, in: world) == "H")
    let small = try world.map(.anonymous(.small), .mebibytes(4), in: space) { $0.place = .at(VirtualAddress(3 << 40)) }
    let tail = VirtualRange(start: small.start + .mebibytes(1), count: .mebibytes(3))
    try world.unmap(VirtualRange(start: small.start, count: .mebibytes(1)), in: space)
    try world.touch(tail.start, .write, in: space)
    try world.touch(tail.start + .mebibytes(1), .write, in: space)
    #expect(drawing(small, space, in: world) == "bH")
    try world.check()
    // A folio of 16 base pages, wherever in it was touched.
    var pages: [MappedPage] = []
    world.machine.memory.forEachPage(in: tail, of: space, as: .asMapped) { pages.append($0) }
    #expect(pages.filter { $0.size == .small }.count == 16)
    // The second gigabyte finds no such block behind what was taken; the next size does.
    var gigantic = 0
    for place in 1..<3 as Range<UInt64> {
      try world.touch(range.start + .gibibytes(1) * place, .write, in: space)
      world.machine.memory.forEachPage(in: range, of: space, as: .asMapped) { gigantic += $0.size == .gigantic ? 1 : 0 }
    }
    #expect(gigantic > 0)
    try world.check()
    world.end(space)
    try world.finish()
  }

  /// A change of a part splits the entry and leaves the folio; the tables for it are there.
  @Test(arguments: MemoryModel.allCases) func partsAreChanged(model: MemoryModel) throws {
    let world = try world(model, huge())
    let space = try world.space()
    let range = try world.map(.anonymous(.small), .mebibytes(8), in: space) { $0.place = .at(VirtualAddress(1 << 30)) }
    for place in 0..<4 as Range<UInt64> { try world.touch(range.start + .mebibytes(2) * place, .write, in: space) }
    #expect(drawing(range, space, in: world) == "HHHH")
    try world.machine.memory.protect(
      VirtualRange(start: range.start + .kibibytes(8), count: .kibibytes(4)), .read, in: space, on: world.cpu)
    try world.check()
    #expect(drawing(range, space, in: world) == "bHHH")
    #expect(throws: FaultError.protection(range.start + .kibibytes(8), .write)) {
      try world.touch(range.start + .kibibytes(8), .write, in: space)
    }
    try world.unmap(VirtualRange(start: range.start + .mebibytes(3), count: .mebibytes(2)), in: space)
    try world.check()
    #expect(drawing(range, space, in: world) == "bbbH")
    try world.machine.memory.advise(
      VirtualRange(start: range.start + .mebibytes(7), count: .kibibytes(4)), .notNeeded, in: space, on: world.cpu)
    try world.check()
    #expect(drawing(range, space, in: world) == "bbbb")
    // What is unmapped of a folio is free once it is taken apart.
    let before = world.machine.zones.freeFrames()
    let split = world.machine.memory.splitDeferred(on: world.cpu)
    #expect(split == FolioCount(3))
    try world.check()
    #expect(world.machine.zones.freeFrames() == before + FrameCount(513))
    #expect(drawing(range, space, in: world) == "b...")
    world.end(space)
    try world.finish()
  }

  @Test func aMovedMappingKeepsItsPages() throws {
    let world = try world(.sparse, huge())
    let space = try world.space()
    let range = try world.map(.anonymous(.small), .mebibytes(8), in: space) { $0.place = .at(VirtualAddress(1 << 30)) }
    for place in 0..<4 as Range<UInt64> { try world.touch(range.start + .mebibytes(2) * place, .write, in: space) }
    let aligned = try world.machine.memory.remap(
      range, to: .mebibytes(8), .at(VirtualAddress(2 << 30)), in: space, on: world.cpu)
    #expect(drawing(aligned, space, in: world) == "HHHH")
    try world.check()
    let crooked = try world.machine.memory.remap(
      aligned, to: .mebibytes(7), .at(VirtualAddress(3 << 30) + .kibibytes(4)), in: space, on: world.cpu)
    try world.check()
    let drawn = drawing(VirtualRange(start: crooked.start, count: .mebibytes(6)), space, in: world)
    #expect(drawn == "bbb")
    // Its folios can still be found and moved.
    var moved = 0
    var pages: [MappedPage] = []
    world.machine.memory.forEachPage(in: crooked, of: space, as: .asMapped) { pages.append($0) }
    for head in Set(pages.compactMap { try? world.machine.zones.folio(containing: $0.frames.start) }) {
      try world.machine.zones.migrate(head, node: NodeID(0), with: world.machine.migration(of: world.machine.memory.owner))
      moved += 1
    }
    #expect(moved == 4)
    try world.check()
    world.end(space)
    try world.finish()
  }

  /// Parent and child share a huge page; who writes copies the one base page; the last one has it for itself again.
  @Test(arguments: MemoryModel.allCases) func forks(model: MemoryModel) throws {
    let world = try world(model, huge())
    let space = try world.space()
    let range = try world.map(.anonymous(.small), .mebibytes(4), in: space) { $0.place = .at(VirtualAddress(1 << 30)) }
    try world.touch(range.start, .write, in: space)
    try world.touch(range.start + .mebibytes(2), .write, in: space)
    let child = try world.machine.memory.fork(space, on: world.cpu)
    #expect(drawing(range, child, in: world) == "HH")
    try world.check()
    let free = world.machine.zones.freeFrames()
    try world.touch(range.start + .kibibytes(40), .write, in: child)
    try world.check()
    #expect(world.machine.zones.freeFrames() == free - FrameCount(1))
    #expect(drawing(range, child, in: world) == "?H" && drawing(range, space, in: world) == "HH")
    world.end(child)
    try world.touch(range.start + .kibibytes(40), .write, in: space)
    try world.touch(range.start + .mebibytes(2), .write, in: space)
    #expect(drawing(range, space, in: world) == "HH")
    try world.check()
    world.end(space)
    try world.finish()
  }

  /// The parent's entry is gone to pieces, and all pieces are its own again when the child has gone.
  @Test func piecesComeBackToTheLastOne() throws {
    let world = try world(.vmemmap, huge())
    let space = try world.space()
    let range = try world.map(.anonymous(.small), .mebibytes(2), in: space) { $0.place = .at(VirtualAddress(1 << 30)) }
    try world.touch(range.start, .write, in: space)
    let child = try world.machine.memory.fork(space, on: world.cpu)
    try world.touch(range.start, .write, in: space)
    #expect(drawing(range, space, in: world) == "?")
    world.end(child)
    let free = world.machine.zones.freeFrames()
    try world.touch(range.start + .kibibytes(4), .write, in: space)
    #expect(world.machine.zones.freeFrames() == free)
    try world.check()
    world.end(space)
    try world.finish()
  }

  @Test(arguments: MemoryModel.allCases) func forksOfPinnedPagesCopyWhatIsPinned(model: MemoryModel) throws {
    let world = try world(model, huge())
    let space = try world.space()
    let range = try world.map(.anonymous(.small), .mebibytes(4), in: space) { $0.place = .at(VirtualAddress(1 << 30)) }
    let frames = try pin(VirtualRange(start: range.start + .kibibytes(20), count: .kibibytes(12)), .write, space, in: world)
    try world.touch(range.start + .mebibytes(2), .write, in: space)
    let free = world.machine.zones.freeFrames()
    let child = try world.machine.memory.fork(space, on: world.cpu)
    try world.check()
    // Root, tables of three levels below, one kept aside, and three copies.
    #expect(free - world.machine.zones.freeFrames() == FrameCount(4 + 1 + 3))
    #expect(drawing(range, child, in: world) == "?H" && drawing(range, space, in: world) == "bH")
    // What is pinned stayed with the parent.
    let again = try pin(VirtualRange(start: range.start + .kibibytes(20), count: .kibibytes(12)), .write, space, in: world)
    #expect(again == frames)
    try unpin(frames, in: world)
    try unpin(again, in: world)
    world.end(child)
    world.end(space)
    try world.finish()
  }

  /// Pins on any subpages, by list and by range; the folio is taken apart below them, and each stays where it was.
  @Test(arguments: MemoryModel.allCases) func pinsSurviveTheSplit(model: MemoryModel) throws {
    let world = try world(model, huge())
    let space = try world.space()
    let range = try world.map(.anonymous(.small), .mebibytes(2), in: space) { $0.place = .at(VirtualAddress(1 << 30)) }
    try world.touch(range.start, .write, in: space)
    let frames = try pin(VirtualRange(start: range.start + .kibibytes(400), count: .kibibytes(400)), [], space, in: world)
    let folio = try world.machine.zones.folio(containing: frames[0])
    #expect(folio.order == Order(9))
    try world.machine.memory.split(folio, to: Order(0), on: world.cpu)
    try world.check()
    #expect(drawing(range, space, in: world) == ".")
    for frame in frames { #expect(world.machine.zones.pins(on: frame, pause: {}) == 1) }
    // Unmapped, the pinned ones stay until they are given back.
    world.end(space)
    try world.check()
    #expect(throws: PinError.notPinned(folio.head, wanted: 1, pins: 0)) {
      try world.machine.memory.unpin(FrameRange(start: folio.head, count: FrameCount(1)), on: world.cpu)
    }
    try unpin(frames.reversed(), in: world)
    #expect(throws: PinError.self) { try unpin(frames, in: world) }
    try world.finish()
  }

  @Test func aMappingOfPinnedPagesIsUnmapped() throws {
    let world = try world(.vmemmap, huge())
    let space = try world.space()
    let range = try world.map(.anonymous(.small), .mebibytes(2), in: space) { $0.place = .at(VirtualAddress(1 << 30)) }
    let frames = try pin(VirtualRange(start: range.start, count: .kibibytes(8)), [], space, in: world)
    world.end(space)
    // The pins hold all of it, until it is taken apart.
    let folio = try world.machine.zones.folio(containing: frames[0])
    #expect(folio.order == Order(9))
    try world.machine.memory.split(folio, to: Order(0), on: world.cpu)
    try world.check()
    try unpin(frames, in: world)
    try world.finish()
  }

  /// Memory of which only parts are mapped is had back when a fault finds none.
  @Test func aFaultTakesBackWhatIsNotMapped() throws {
    let world = try world(.vmemmap, huge(), .mebibytes(256))
    let space = try world.space()
    let range = try world.map(.anonymous(.small), .mebibytes(512), in: space) { $0.place = .at(VirtualAddress(1 << 30)) }
    for place in 0..<4 as Range<UInt64> { try world.touch(range.start + .mebibytes(2) * place, .write, in: space) }
    var taken: [FrameNumber] = []
    let request = FrameRequest(.movable, node: NodeID(0))
    while let folio = try? world.machine.zones.allocate(Order(0), request, on: world.cpu) { taken.append(folio.head) }
    #expect(throws: FaultError.self) { try world.touch(range.end - .kibibytes(4), .write, in: space) }
    // Half of one is unmapped: its frames are as good as free.
    try world.unmap(VirtualRange(start: range.start, count: .mebibytes(1)), in: space)
    #expect(world.machine.memory.deferredFolios == FolioCount(1))
    try world.touch(range.end - .kibibytes(4), .write, in: space)
    #expect(world.machine.memory.deferredFolios == .zero)
    try world.check()
    for head in taken { world.machine.zones.put(head, on: world.cpu) }
    world.end(space)
    try world.finish()
  }

  /// Every size of every preset that fits: a touch, a part that goes, a fork with a write, a swap, a pin, a split and a collapse.
  @Test(arguments: Architecture.allPresets) func everySizeOfEveryPreset(architecture: Architecture) throws {
    let shape = TableShape(architecture)
    for leaf in shape.leaves where leaf.order > Order(1) && leaf.size.bytes <= .gibibytes(2) {
      let world = try World(architecture, max(.gibibytes(1), leaf.size.bytes * 4)) {
        $0.transparent = TransparentPolicy([leaf.size], .always)
        $0.topOrder = .unlimited
      }
      world.machine.memory.addSwap(MemorySwapDevice(slots: SlotCount(leaf.order.frames * 2), baseShift: architecture.baseShift))
      let space = try world.space()
      let base = PageSize(shift: architecture.baseShift)
      let start = VirtualAddress(0) + leaf.size.bytes * 2
      let range = try world.map(.anonymous(base), leaf.size.bytes * 2, in: space) { $0.place = .at(start) }
      try world.touch(range.start + world.base, .write, in: space)
      let memory = { (range: VirtualRange) -> [MappedPage] in
        var pages: [MappedPage] = []
        world.machine.memory.forEachPage(in: range, of: space, as: .asMapped) { pages.append($0) }
        return pages
      }
      let page = VirtualRange(start: range.start, count: leaf.size.bytes)
      let mapped = memory(page)
      let folio = try world.machine.zones.folio(containing: try #require(mapped.first).frames.start)
      #expect(folio.order == leaf.order && mapped.allSatisfy { $0.size <= leaf.size }, "\(leaf.size)")
      try world.checkStep()
      let child = try world.machine.memory.fork(space, on: world.cpu)
      try world.touch(range.start, .write, in: child)
      try world.checkStep()
      world.end(child)
      let swapped = try world.machine.memory.swapOut(page, in: space, on: world.cpu)
      #expect(swapped == leaf.order.frames, "\(leaf.size)")
      try world.checkStep()
      try world.touch(range.start, .write, in: space)
      let part = VirtualRange(start: range.start, count: world.base * 2)
      let frames = try pin(part, .write, space, in: world)
      try world.unmap(VirtualRange(start: page.end - world.base, count: world.base), in: space)
      try world.checkStep()
      if let first = try? world.machine.zones.folio(containing: frames[0]), first.order > Order(0) {
        // All the way down is checked with smaller ones.
        let order = Order(first.order > Order(13) ? first.order.rawValue - 9 : 0)
        try world.machine.memory.split(first, to: order, on: world.cpu)
      }
      try world.checkStep()
      try unpin(frames, in: world)
      // The other page, of base pages, made large.
      world.machine.memory.setTransparentPolicy(TransparentPolicy())
      let other = VirtualRange(start: page.end, count: leaf.size.bytes)
      try world.touch(other.start + world.base, .write, in: space)
      var policy = TransparentPolicy([leaf.size], .always)
      policy.mostEmpty = PageCount(leaf.order.frames.rawValue)
      world.machine.memory.setTransparentPolicy(policy)
      #expect(try world.machine.memory.collapse(other.start, to: leaf.size, in: space, on: world.cpu))
      try world.checkStep()
      world.end(space)
      world.machine.memory.splitDeferred(on: world.cpu)
      try world.finish()
    }
  }
}
