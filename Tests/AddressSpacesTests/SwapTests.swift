import AddressSpaces
import FrameAllocator
import FrameContents
import FrameMap
import HostArena
import HugePools
import Megalith
import MemoryUnits
import Mobility
import PhysicalLayout
import TestSupport
import Testing

/// Anonymous memory that leaves for a swap device, and comes back.
@Suite struct SwapTests {
  private static let start = VirtualAddress(1 << 30)

  /// A machine of 64 MiB with a device of `slots`, and a space with 4 MiB of touched memory.
  private struct Trial {
    let world: World<ArenaStorage>
    let device: FaultyDevice<MemorySwapDevice>
    let area: SwapArea
    let space: AddressSpace
    let range: VirtualRange

    init(_ model: MemoryModel, slots: UInt64 = 4096, _ policy: TransparentPolicy = TransparentPolicy([.huge], .always)) throws {
      world = try World(contents: .mebibytes(64), model: model) { $0.transparent = policy }
      let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: Int(slots) * 4096, alignment: 4096)
      nonisolated(unsafe) let lent = bytes
      device = FaultyDevice(MemorySwapDevice(bytes, baseShift: PageShift(12)) { lent.deallocate() })
      area = world.machine.memory.addSwap(device)
      space = try world.space()
      range = try world.map(.anonymous(.small), .mebibytes(4), in: space) { $0.place = .at(SwapTests.start) }
      for page in 0..<1024 as Range<UInt64> { try world.write(byte(page), at: address(page), in: space) }
    }

    func address(_ page: UInt64) -> VirtualAddress { SwapTests.start + .kibibytes(4) * page }
    func byte(_ page: UInt64) -> UInt8 { UInt8(truncatingIfNeeded: page &* 13 &+ page >> 6 &+ 5) }
    func pages(_ first: UInt64, _ count: UInt64) -> VirtualRange {
      VirtualRange(start: address(first), count: .kibibytes(4) * count)
    }

    func swapOut(_ first: UInt64, _ count: UInt64) throws -> FrameCount {
      try world.machine.memory.swapOut(pages(first, count), in: space, on: world.cpu)
    }

    /// Whether every page but those named has what was written into it, in a space.
    func expectContents(of other: AddressSpace? = nil, but changed: [UInt64: UInt8] = [:]) throws {
      for page in 0..<1024 as Range<UInt64> {
        let found = try world.byte(at: address(page), in: other ?? space)
        #expect(found == changed[page] ?? byte(page), "page \(page)")
      }
    }

    func sizes() -> [PageSize] {
      var sizes: [PageSize] = []
      world.machine.memory.forEachPage(in: range, of: space, as: .asMapped) { sizes.append($0.size) }
      return sizes
    }

    func finish() throws {
      world.end(space)
      try world.check()
      #expect(area.used == .zero && area.cached == .zero)
      try world.finish()
    }
  }

  @Test(arguments: MemoryModel.allCases) func hugePagesGoAndComeWhole(model: MemoryModel) throws {
    let trial = try Trial(model)
    let free = trial.world.machine.zones.freeFrames()
    #expect(try trial.swapOut(0, 1024) == FrameCount(1024))
    #expect(trial.world.machine.zones.freeFrames() == free + FrameCount(1024))
    #expect(trial.area.used == SlotCount(1024) && trial.device.state.writes == 2)
    #expect(trial.sizes() == [])
    try trial.world.check()
    try trial.expectContents()
    #expect(trial.sizes() == [.huge, .huge] && trial.device.state.reads == 2 && trial.area.used == .zero)
    try trial.world.check()
    try trial.finish()
  }

  @Test(arguments: MemoryModel.allCases) func orInPieces(model: MemoryModel) throws {
    var policy = TransparentPolicy([.huge], .always)
    policy.splitsBeforeSwap = true
    let trial = try Trial(model, policy)
    #expect(try trial.swapOut(0, 512) == FrameCount(512))
    #expect(trial.device.state.writes == 512 && trial.area.used == SlotCount(512))
    try trial.world.check()
    try trial.expectContents()
    #expect(trial.sizes().count == 513)
    // And one again.
    #expect(try trial.world.machine.memory.collapse(trial.range.start, to: .huge, in: trial.space, on: trial.world.cpu))
    try trial.expectContents()
    try trial.finish()
  }

  /// Where slots are not side by side the folio is taken apart; where none are left it stays, as it was.
  @Test func aDeviceThatIsNearlyFull() throws {
    let trial = try Trial(.vmemmap, slots: 700)
    // The last cluster is short: whole folios do not fit into it.
    #expect(try trial.swapOut(0, 512) == FrameCount(512))
    #expect(try trial.swapOut(512, 512) == FrameCount(188))
    #expect(trial.area.free == .zero)
    try trial.world.check()
    #expect(throws: SwapOutError.full(.full(wanted: SlotCount(1), largestFree: .zero))) { try trial.swapOut(1000, 1) }
    try trial.world.check()
    try trial.expectContents()
    try trial.finish()
  }

  @Test(arguments: [false, true]) func aWriteThatFails(splits: Bool) throws {
    var policy = TransparentPolicy([.huge], .always)
    policy.splitsBeforeSwap = splits
    let trial = try Trial(.sparse, policy)
    trial.device.failWrite(at: 0)
    #expect(throws: SwapOutError.self) { try trial.swapOut(0, 1024) }
    #expect(trial.area.used == .zero)
    try trial.world.check()
    try trial.expectContents()
    #expect(try trial.swapOut(0, 1024) == FrameCount(1024))
    try trial.expectContents()
    try trial.finish()
  }

  @Test(arguments: [MemoryModel.flat, .vmemmap]) func aReadThatFails(model: MemoryModel) throws {
    let trial = try Trial(model)
    _ = try trial.swapOut(0, 1024)
    trial.device.failRead(at: 0)
    let free = trial.world.machine.zones.freeFrames()
    #expect(
      throws: FaultError.unreadable(trial.address(700), .failed(SwapSlot(512 + 256), code: FaultyDevice<MemorySwapDevice>.code))
    ) {
      try trial.world.touch(trial.address(700), .read, in: trial.space)
    }
    #expect(trial.world.machine.zones.freeFrames() == free && trial.area.used == SlotCount(1024))
    try trial.world.check()
    // Pins, populating and a collapse meet the same.
    trial.device.failRead(at: 0)
    var frames = [FrameNumber(0)]
    var span = frames.mutableSpan
    var met = 0
    do throws(PinError) {
      _ = try trial.world.machine.memory.pin(trial.pages(1, 1), [], in: trial.space, into: &span, on: trial.world.cpu)
    } catch {
      if case .fault(.unreadable) = error { met += 1 }
    }
    trial.device.failRead(at: 0)
    do throws(MappingError) {
      try trial.world.machine.memory.advise(trial.range, .needed, in: trial.space, on: trial.world.cpu)
    } catch {
      if case .unreadable = error { met += 1 }
    }
    #expect(met == 2)
    try trial.expectContents()
    try trial.finish()
  }

  /// Both have the slots; who comes first reads, the other finds the page in the cache; who writes has a copy.
  @Test(arguments: MemoryModel.allCases) func forksShareSlots(model: MemoryModel) throws {
    var policy = TransparentPolicy([.huge], .always)
    policy.splitsBeforeSwap = true
    let trial = try Trial(model, policy)
    _ = try trial.swapOut(0, 512)
    let child = try trial.world.machine.memory.fork(trial.space, on: trial.world.cpu)
    try trial.world.check()
    #expect(trial.area.used == SlotCount(512))
    let before = trial.device.state.reads
    try trial.world.touch(trial.address(3), .read, in: child)
    #expect(trial.area.cached == SlotCount(1))
    try trial.world.check()
    try trial.world.touch(trial.address(3), .read, in: trial.space)
    #expect(trial.area.cached == .zero && trial.device.state.reads == before + 1)
    try trial.world.check()
    try trial.world.write(200, at: trial.address(4), in: child)
    try trial.world.write(201, at: trial.address(3), in: trial.space)
    try trial.world.check()
    try trial.expectContents(but: [3: 201])
    try trial.expectContents(of: child, but: [4: 200])
    // What is in the cache goes out again without a write, and moves like anything else.
    _ = try trial.swapOut(100, 8)
    let again = try trial.world.machine.memory.fork(trial.space, on: trial.world.cpu)
    try trial.world.touch(trial.address(100), .read, in: again)
    try trial.world.touch(trial.address(101), .read, in: again)
    let writes = trial.device.state.writes
    var heads: [FrameNumber] = []
    trial.world.machine.memory.forEachPage(in: trial.pages(100, 2), of: again, as: .asMapped) { heads.append($0.frames.start) }
    try trial.world.machine.zones.migrate(
      FolioPlace(head: heads[1], order: Order(0)), node: NodeID(0),
      with: trial.world.machine.migration(of: trial.world.machine.memory.owner))
    try trial.world.check()
    #expect(try trial.world.machine.memory.swapOut(trial.pages(100, 2), in: again, on: trial.world.cpu) == FrameCount(2))
    #expect(trial.device.state.writes == writes)
    try trial.world.check()
    try trial.world.touch(trial.address(101), .read, in: again)
    trial.world.end(again)
    try trial.world.check()
    trial.world.end(child)
    try trial.world.check()
    try trial.expectContents(but: [3: 201])
    try trial.finish()
  }

  /// A whole huge page that two spaces have on the device comes back page by page.
  @Test func forksOfWholePages() throws {
    let trial = try Trial(.vmemmap)
    _ = try trial.swapOut(0, 1024)
    let child = try trial.world.machine.memory.fork(trial.space, on: trial.world.cpu)
    try trial.world.check()
    try trial.expectContents(of: child)
    try trial.world.check()
    try trial.expectContents()
    #expect(trial.area.used == .zero)
    trial.world.end(child)
    try trial.finish()
  }

  /// What is done to a range that is partly, or wholly, on the device.
  @Test(arguments: MemoryModel.allCases) func changesOfWhatIsAway(model: MemoryModel) throws {
    let trial = try Trial(model)
    _ = try trial.swapOut(0, 1024)
    let memory = trial.world.cpu
    try trial.world.machine.memory.protect(trial.pages(8, 8), .read, in: trial.space, on: memory)
    try trial.world.check()
    #expect(throws: FaultError.protection(trial.address(9), .write)) {
      try trial.world.touch(trial.address(9), .write, in: trial.space)
    }
    try trial.world.machine.memory.protect(trial.pages(8, 8), [.read, .write], in: trial.space, on: memory)
    try trial.world.unmap(trial.pages(1000, 24), in: trial.space)
    #expect(trial.area.used == SlotCount(1000))
    try trial.world.machine.memory.advise(trial.pages(20, 4), .notNeeded, in: trial.space, on: memory)
    #expect(trial.area.used == SlotCount(996))
    try trial.world.check()
    let elsewhere = try trial.world.machine.memory.remap(
      trial.pages(512, 300), to: .kibibytes(1200), .at(VirtualAddress(3 << 30) + .kibibytes(12)), in: trial.space, on: memory)
    try trial.world.check()
    for page in 512..<812 as Range<UInt64> {
      #expect(try trial.world.byte(at: elsewhere.start + .kibibytes(4) * (page - 512), in: trial.space) == trial.byte(page))
    }
    for page in 0..<512 as Range<UInt64> {
      let expected = (20..<24).contains(page) ? 0 : trial.byte(page)
      #expect(try trial.world.byte(at: trial.address(page), in: trial.space) == expected)
    }
    try trial.world.check()
    try trial.finish()
  }

  @Test func aCollapseReadsIn() throws {
    let trial = try Trial(.vmemmap, TransparentPolicy())
    #expect(try trial.swapOut(0, 64) == FrameCount(64))
    #expect(try trial.world.machine.memory.collapse(trial.range.start, to: .huge, in: trial.space, on: trial.world.cpu))
    #expect(try trial.swapOut(512, 65) == FrameCount(65))
    #expect(throws: CollapseError.tooMuchSwapped(swapped: PageCount(65), most: PageCount(64))) {
      try trial.world.machine.memory.collapse(trial.address(512), to: .huge, in: trial.space, on: trial.world.cpu)
    }
    try trial.world.touch(trial.address(512), .read, in: trial.space)
    trial.device.failRead(at: 3)
    #expect(throws: CollapseError.self) {
      try trial.world.machine.memory.collapse(trial.address(512), to: .huge, in: trial.space, on: trial.world.cpu)
    }
    try trial.world.check()
    try trial.expectContents()
    try trial.finish()
  }

  @Test func whatStays() throws {
    let trial = try Trial(.sparseExtreme)
    let memory = trial.world.cpu
    var frames = [FrameNumber(0)]
    do {
      var span = frames.mutableSpan
      _ = try trial.world.machine.memory.pin(trial.pages(5, 1), [], in: trial.space, into: &span, on: memory)
    }
    let folio = try trial.world.machine.zones.folio(containing: frames[0])
    #expect(throws: SwapOutError.busy(folio.head, .references(1) + .pins(1))) {
      try trial.world.machine.memory.swapOut(folio, on: memory)
    }
    try trial.world.machine.memory.unpin(frames.span, on: memory)
    let gone = FolioPlace(head: folio.head, order: Order(3))
    #expect(throws: SwapOutError.gone(folio.head)) { try trial.world.machine.memory.swapOut(gone, on: memory) }
    let table = try trial.world.machine.zones.allocate(Order(0), FrameRequest(.unmovable, node: NodeID(0)), on: memory)
    let head = table.head
    #expect(throws: SwapOutError.unsuitable(head)) {
      try trial.world.machine.memory.swapOut(FolioPlace(head: head, order: Order(0)), on: memory)
    }
    trial.world.machine.zones.free(table, on: memory)
    try trial.finish()
    let none = try World(.x86_64, .mebibytes(512))
    #expect(throws: SwapOutError.noDevice) {
      try none.machine.memory.swapOut(FolioPlace(head: FrameNumber(0), order: Order(0)), on: memory)
    }
  }
}
