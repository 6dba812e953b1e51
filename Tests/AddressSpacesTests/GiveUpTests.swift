import FrameAllocator
import FrameMap
import HostArena
import HugePools
import Megalith
import MemoryUnits
import Mobility
import PhysicalLayout
import Testing

@testable import AddressSpaces

/// Splits and collapses that come as far as they can before they are refused: what they began is put back.
@Suite struct GiveUpTests {
  private let start = VirtualAddress(1 << 30)

  private func world(_ model: MemoryModel, _ use: TransparentPolicy.Use) throws -> World<HostStorage> {
    try World(.x86_64, .gibibytes(1), model: model) { $0.transparent = TransparentPolicy([.huge], use) }
  }

  private func dump(_ space: AddressSpace, _ world: World<HostStorage>) -> [String] {
    let walk = world.machine.memory.walk
    var lines = ["\(world.machine.zones.freeFrames()) free, \(world.machine.memory.tableFrames(of: space)) in tables"]
    let all = VirtualRange(start: VirtualAddress(0), end: walk.shape.end)
    walk.forEachLeaf(space.root, in: all, unit: ByteCount(1)) { place, entry in
      let folio = try? world.machine.zones.folio(containing: entry.frame)
      let counts = folio.flatMap { walk.frames.descriptor($0.head) }.map { "\($0.pointee.counts)" }
      lines.append("\(place.address) \(entry.kind) \(entry.frame) \(entry.marks.rawValue): \(counts ?? "-")")
    }
    return lines
  }

  /// A pin without a lock comes between the plan and the freeze of its page; those before it were frozen already.
  @Test(arguments: MemoryModel.allCases, [0, 1, 300, 511] as [UInt64])
  func aPinComesInBetween(model: MemoryModel, page: UInt64) throws {
    let world = try world(model, .never)
    let space = try world.space()
    try world.map(.anonymous(.small), .mebibytes(2), in: space) { $0.place = .at(self.start) }
    for page in 0..<512 as Range<UInt64> { try world.touch(start + .kibibytes(4) * page, .write, in: space) }
    let pinned = VirtualRange(start: start + .kibibytes(4) * page, count: .kibibytes(4))
    var frames = [FrameNumber(0)]
    let before = dump(space, world)
    var doomed = DoomedTables()
    let error = try space.state.withLock { state -> CollapseError? in
      let found = try world.machine.memory.plan(start, .huge, TransparentPolicy(), in: space, state)
      guard let plan = found else { return nil }
      var span = frames.mutableSpan
      let count = world.machine.memory.pinMapped(pinned, [], in: space, into: &span, on: CPUIndex(1))
      #expect(count == FrameCount(1))
      do throws(CollapseError) {
        try world.machine.memory.collapse(plan, in: space, &state, &doomed, on: world.cpu)
      } catch {
        return error
      }
      return nil
    }
    world.machine.memory.free(doomed, on: world.cpu)
    #expect(error == .busy(pinned.start, .references(1) + .pins(1)))
    try world.machine.memory.unpin(frames.span, on: world.cpu)
    #expect(dump(space, world) == before)
    try world.check()
    #expect(try world.machine.memory.collapse(start, to: .huge, in: space, on: world.cpu))
    world.end(space)
    try world.finish()
  }

  private func refused(
    _ prepare: (World<HostStorage>, AddressSpace, FolioPlace) throws -> Void,
    _ undo: (World<HostStorage>, AddressSpace, FolioPlace) throws -> Void,
    _ split: (World<HostStorage>, AddressSpace, FolioPlace) -> SplitError?, _ expected: (FolioPlace) -> SplitError
  ) throws {
    for model in MemoryModel.allCases {
      let world = try world(model, .always)
      let space = try world.space()
      try world.map(.anonymous(.small), .mebibytes(2), in: space) { $0.place = .at(self.start) }
      try world.touch(start, .write, in: space)
      // By pieces, so that many entries wait.
      try world.machine.memory.protect(
        VirtualRange(start: start, count: .kibibytes(4)), .read, in: space, on: world.cpu)
      var head: FrameNumber?
      world.machine.memory.forEachPage(
        in: VirtualRange(start: start, count: .kibibytes(4)), of: space, as: .asMapped
      ) { head = $0.frames.start }
      let folio = try world.machine.zones.folio(containing: try #require(head))
      try prepare(world, space, folio)
      let before = dump(space, world)
      #expect(split(world, space, folio) == expected(folio))
      #expect(dump(space, world) == before)
      try world.check()
      try undo(world, space, folio)
      world.end(space)
      try world.finish()
    }
  }

  private func split(_ folio: FolioPlace, to order: Order, in world: World<HostStorage>) -> SplitError? {
    do throws(SplitError) {
      try world.machine.memory.split(folio, to: order, on: world.cpu)
      return nil
    } catch {
      return error
    }
  }

  @Test func somebodyRefersToIt() throws {
    try refused(
      { world, _, folio in _ = try world.machine.zones.tryGet(folio.head, on: world.cpu) },
      { world, _, folio in world.machine.zones.put(folio.head, on: world.cpu) },
      { world, _, folio in self.split(folio, to: Order(0), in: world) },
      { .busy($0.head, .references(513), mappings: 512) })
  }

  @Test func itsSpaceIsAtWork() throws {
    try refused(
      { _, _, _ in }, { _, _, _ in },
      { world, space, folio in space.state.withLock { _ in self.split(folio, to: Order(4), in: world) } },
      { .contended($0.head) })
  }

  @Test func oneOfItsSpacesIsAtWork() throws {
    var child: AddressSpace?
    try refused(
      { world, space, _ in child = try world.machine.memory.fork(space, on: world.cpu) },
      { world, _, _ in if let child { world.end(child) } },
      { world, _, folio in child?.state.withLock { _ in self.split(folio, to: Order(4), in: world) } },
      { .contended($0.head) })
  }

  @Test func itIsNotWhatWasSaid() throws {
    try refused(
      { _, _, _ in }, { _, _, _ in },
      { world, _, folio in self.split(FolioPlace(head: folio.head, order: Order(10)), to: Order(0), in: world) },
      { .gone($0.head) })
    try refused(
      { _, _, _ in }, { _, _, _ in }, { world, _, folio in self.split(folio, to: Order(9), in: world) },
      { .notSmaller(Order(9), than: $0.order) })
  }

  @Test func aPageOfAPoolStaysWhole() throws {
    let world = try world(.vmemmap, .never)
    world.grow(.huge, to: 1)
    let space = try world.space()
    let range = try world.map(.anonymous(.huge), .mebibytes(2), in: space)
    try world.touch(range.start, .write, in: space)
    var head: FrameNumber?
    world.machine.memory.forEachPage(in: range, of: space, as: .basePages) { page in
      #expect(page.size == .huge)
      head = page.frames.start
    }
    let folio = FolioPlace(head: try #require(head), order: Order(9))
    #expect(split(folio, to: Order(0), in: world) == .unsuitable(folio.head))
    try world.check()
    world.end(space)
    try world.finish()
  }
}
