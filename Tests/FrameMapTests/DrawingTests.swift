import FrameMap
import HostArena
import MemoryUnits
import Testing

/// Which frames each model gives descriptors to, and where its runs end.
@Suite struct DrawingTests {
  static let picture = "00.. .... ...0 0011 11.1 0000 .... ...1"

  // S0.1, S3.5: both kinds of holes, in each model.
  @Test(arguments: [
    (MemoryModel.flat, "MMhhhhhhhhhMMMMMMMhMMMMMhhhhhhhM"),
    (.discontiguous, "MMhhhhhhhhhMMM|MMMM|h|M|MMMM|hhhhhhhM"),
    (.sparse, "MMhh|....|hhhM|MMMM|MMhM|MMMM|....|hhhM"),
    (.sparseExtreme, "MMhh|....|hhhM|MMMM|MMhM|MMMM|....|hhhM"),
    (.vmemmap, "MM|.........|MMMMMMM|.|MMMMM|.......|M"),
  ])
  func runsEndWhereTheModelEndsThem(model: MemoryModel, expected: String) throws {
    let map = try FrameMap(try MapDrawing(Self.picture).layout, model: model, storage: HostStorage())
    #expect(MapDrawing.draw(map.table, letters: 32) == expected)
    try map.checkInvariants()
    expectEqual(map.account(), MemmapAccount(try MapDrawing(Self.picture).layout, model: model))
  }

  private func expectEqual(_ found: MemmapAccount, _ expected: MemmapAccount) { #expect(found == expected) }

  // S0.2: the two classic accessors are right at each border, and end where there is no next frame.
  @Test(arguments: MemoryModel.allCases) func steppingCrossesBordersAndEnds(model: MemoryModel) throws {
    let map = try FrameMap(try MapDrawing("0000 0000 0000").layout, model: model, storage: HostStorage())
    let table = map.table
    let head = try #require(table.descriptor(FrameNumber(16)))
    var place = head
    for offset in 1..<176 as Range<UInt64> {
      let wanted = table.descriptor(FrameNumber(16 + offset))
      #expect(table.descriptor(at: FrameCount(offset), from: head) == wanted)
      place = try #require(table.next(after: place, head: head, offset: FrameCount(offset)))
      #expect(place == wanted)
    }
    #expect(table.descriptor(at: FrameCount(176), from: head) == nil)
    #expect(table.next(after: place, head: head, offset: FrameCount(176)) == nil)
  }

  @Test(arguments: [MemoryModel.sparse, .sparseExtreme]) func sectionsComeAndGo(model: MemoryModel) throws {
    let map = try FrameMap(try MapDrawing("00.. 0000").layout, model: model, storage: HostStorage(), guards: .always)
    let before = map.account()
    try map.add(MapDrawing.frames(12..<20))
    #expect(MapDrawing.draw(map.table, letters: 24) == "MMhh|MMMM|....|MMMM|MMMM|....")
    let guards4 = map.guards.placed
    #expect(guards4 == 4)
    try map.checkInvariants()
    try map.remove(MapDrawing.frames(16..<20))
    try map.remove(MapDrawing.frames(12..<16))
    try map.checkInvariants()
    expectEqual(map.account(), before)
    try map.remove(MapDrawing.frames(0..<4))
    #expect(MapDrawing.draw(map.table, letters: 8) == "....|MMMM")
    let frames = map.memoryFrames
    #expect(frames == FrameCount(64))
    let guards1 = map.guards.placed
    #expect(guards1 == 1)
    try map.checkInvariants()
  }

  // S3.3: below the section under vmemmap.
  @Test func subsectionsComeAndGo() throws {
    let map = try FrameMap(try MapDrawing("00.. 0000").layout, model: .vmemmap, storage: HostStorage())
    let table = map.table
    let before = map.account()
    map.descriptor(FrameNumber(16))?.pointee.unfreeze(.references(7))
    try map.add(MapDrawing.frames(3..<4))
    #expect(MapDrawing.draw(map.table, letters: 12) == "MM|.|MMMMM|....")
    try map.checkInvariants()
    try map.add(MapDrawing.frames(2..<3))
    #expect(MapDrawing.draw(map.table, letters: 12) == "MMMMMMMM|....")
    // The section is memory throughout now, and needs no frame bits.
    let after = map.account()
    #expect(after.tableBytes < before.tableBytes)
    try map.checkInvariants()
    map.descriptor(FrameNumber(2 * 16))?.pointee.unfreeze(.references(1))
    try map.remove(MapDrawing.frames(2..<6))
    #expect(MapDrawing.draw(map.table, letters: 12) == "MM|....|MM|....")
    try map.checkInvariants()
    #expect(table.descriptor(FrameNumber(16))?.pointee.counts == .references(7))
    // They share a page with others, and come back as zero all the same.
    try map.add(MapDrawing.frames(2..<4))
    #expect(table.descriptor(FrameNumber(2 * 16))?.pointee.counts == .zero)
    try map.remove(MapDrawing.frames(0..<4))
    #expect(MapDrawing.draw(map.table, letters: 12) == "......|MM|....")
    try map.checkInvariants()
  }

  @Test(arguments: MemoryModel.allCases) func whatCannotBeChangedIsNamed(model: MemoryModel) throws {
    let map = try FrameMap(try MapDrawing("0000 ....", limit: 1024).layout, model: model, storage: HostStorage())
    guard model.canChange else {
      #expect(throws: FrameMapError.modelIsFixed(model)) { try map.add(MapDrawing.frames(4..<8)) }
      #expect(throws: FrameMapError.modelIsFixed(model)) { try map.remove(MapDrawing.frames(0..<4)) }
      return
    }
    let unit = FrameCount(model == .vmemmap ? 16 : 64)
    let crooked = FrameRange(start: FrameNumber(64), count: FrameCount(8))
    #expect(throws: FrameMapError.misaligned(crooked, unit: unit)) { try map.add(crooked) }
    #expect(throws: FrameMapError.alreadyPresent(FrameNumber(0))) { try map.add(MapDrawing.frames(0..<8)) }
    #expect(throws: FrameMapError.notPresent(FrameNumber(64))) { try map.remove(MapDrawing.frames(0..<8)) }
    #expect(throws: FrameMapError.beyondLimit(FrameNumber(1024))) { try map.add(MapDrawing.frames(60..<68)) }
    try map.checkInvariants()
  }

  @Test func layoutsThatCannotBeAreRefused() throws {
    let memory = NodeMemory(NodeID(0), [MapDrawing.frames(0..<4)])
    func layout(_ nodes: [NodeMemory], section: UInt64 = 64, limit: UInt64 = 4096) throws(FrameMapError) -> FrameMapLayout {
      try FrameMapLayout(
        sectionFrames: FrameCount(section), subsectionFrames: FrameCount(16), nodes: nodes, limit: FrameNumber(limit))
    }
    #expect(throws: FrameMapError.noMemory) { try layout([]) }
    #expect(throws: FrameMapError.unitsOutOfRange) { try layout([memory], section: 32) }
    #expect(throws: FrameMapError.unitsOutOfRange) { try layout([memory], section: 96) }
    #expect(throws: FrameMapError.beyondLimit(FrameNumber(64))) { try layout([memory], limit: 0) }
    let other = NodeMemory(NodeID(1), [MapDrawing.frames(3..<5)])
    #expect(throws: FrameMapError.overlappingMemory(FrameNumber(48))) { try layout([memory, other]) }
  }
}
