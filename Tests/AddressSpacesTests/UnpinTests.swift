import AddressSpaces
import FrameAllocator
import FrameMap
import HostArena
import HugePools
import Megalith
import MemoryUnits
import PhysicalLayout
import TestSupport
import Testing

// S2.1
@Suite struct UnpinTests {
  private static let cpu = CPUIndex(0)

  private static func pin(
    _ range: VirtualRange, _ count: Int, in space: AddressSpace, of world: World<HostStorage>
  ) throws -> [FrameNumber] {
    var frames = [FrameNumber](repeating: .zero, count: count)
    var span = frames.mutableSpan
    let done = try world.machine.memory.pin(range, .write, in: space, into: &span, on: cpu)
    #expect(done == FrameCount(UInt64(count)))
    return frames
  }

  private static func pins(_ frame: FrameNumber, of world: World<HostStorage>) throws -> UInt32 {
    let head = try world.machine.zones.folio(containing: frame).head
    let descriptor = world.machine.map.descriptor(head)
    return try #require(descriptor).pointee.counts.pins
  }

  /// A call that begins inside one huge page and ends inside the third; lists that begin and end in the middle of a folio, of every length
  /// around the eight that are looked at together.
  @Test(arguments: MemoryModel.allCases) func listsAreGroupedByFolio(model: MemoryModel) throws {
    let world = try World(model: model)
    world.grow(.huge, to: 3)
    let space = try world.space()
    let range = try world.map(.anonymous(.huge), .mebibytes(6), in: space) { $0.populates = true }
    let part = VirtualRange(start: range.start + .kibibytes(4) * 500, count: .kibibytes(4) * 540)
    let frames = try Self.pin(part, 540, in: space, of: world)
    let heads = [frames[0], frames[12], frames[539]]
    #expect(try heads.map { try Self.pins($0, of: world) } == [12, 512, 16])
    var place = 0
    for length in [1, 2, 7, 8, 9, 10, 15, 16, 17, 24, 25, 406] {
      try world.machine.memory.unpin(frames.span.extracting(place..<place + length), on: Self.cpu)
      place += length
    }
    #expect(place == 540)
    #expect(try heads.map { try Self.pins($0, of: world) } == [0, 0, 0])
    world.end(space)
    try world.finish()
  }

  /// Frames of one folio out of order, below the first of the list too, are one group; those of another folio are not.
  @Test func orderDoesNotMatter() throws {
    let world = try World()
    world.grow(.huge, to: 2)
    let space = try world.space()
    let range = try world.map(.anonymous(.huge), .mebibytes(4), in: space) { $0.populates = true }
    var frames = try Self.pin(range, 1024, in: space, of: world)
    var random = SplitMix(seed: 3)
    frames.shuffle(using: &random)
    try world.machine.memory.unpin(frames.span, on: Self.cpu)
    #expect(try Self.pins(frames[0], of: world) == 0)
    world.end(space)
    try world.finish()
  }

  /// One folio too few pins, in whatever place of the list: nothing is given back, and nothing marked.
  @Test(arguments: [0, 1], [false, true]) func whatIsNotPinnedLeavesAllAsItWas(place: Int, isDirty: Bool) throws {
    let world = try World()
    world.grow(.huge, to: 2)
    let space = try world.space()
    let range = try world.map(.anonymous(.huge), .mebibytes(4), in: space) { $0.populates = true }
    let frames = try Self.pin(range, 1024, in: space, of: world)
    // One pin of one of the two folios goes beforehand.
    let missing = frames[place * 512]
    try world.machine.memory.unpin([missing].span, on: Self.cpu)
    let refusal = PinError.notPinned(
      try world.machine.zones.folio(containing: missing).head, wanted: 512, pins: 511)
    #expect(throws: refusal) { try world.machine.memory.unpin(frames.span, isDirty: isDirty, on: Self.cpu) }
    // The folio by itself: the short way.
    let alone = frames.span.extracting(place * 512..<place * 512 + 512)
    var thrown: PinError?
    do throws(PinError) { try world.machine.memory.unpin(alone, isDirty: isDirty, on: Self.cpu) } catch { thrown = error }
    #expect(thrown == refusal)
    let folio = try world.machine.zones.folio(containing: missing)
    #expect(throws: refusal) { try world.machine.memory.unpin(folio.frames, isDirty: isDirty, on: Self.cpu) }
    #expect(try Self.pins(missing, of: world) == 511 && Self.pins(frames[1023 - place * 512], of: world) == 512)
    for frame in [frames[0], frames[1023]] {
      let head = try world.machine.zones.folio(containing: frame).head
      let descriptor = world.machine.map.descriptor(head)
      #expect(try #require(descriptor).pointee.flags.contains(.dirty) == false)
    }
    try world.machine.memory.unpin(frames.span.extracting((place == 0 ? 1 : 0)..<(place == 0 ? 1024 : 512)), on: Self.cpu)
    if place == 1 { try world.machine.memory.unpin(frames.span.extracting(513..<1024), on: Self.cpu) }
    world.end(space)
    try world.finish()
  }

  /// Nothing at all is as good as any list.
  @Test func nothingIsGivenBack() throws {
    let world = try World()
    try world.machine.memory.unpin([FrameNumber]().span, on: Self.cpu)
    try world.machine.memory.unpin(FrameRange(start: .zero, end: .zero), on: Self.cpu)
    let hole = FrameNumber(1 << 40)
    #expect(throws: PinError.notPinned(hole, wanted: 1, pins: 0)) {
      try world.machine.memory.unpin([hole].span, on: Self.cpu)
    }
    try world.finish()
  }
}
