import FrameMap
import HostArena
import Megalith
import MemoryUnits
import PhysicalLayout
import Testing

@testable import AddressSpaces

/// Pins, and what happens to who misuses them.
@Suite struct PinTests {
  @Test(arguments: HugeCase.all + HugeCase.everySize) func whatCannotBePinnedIsNot(_ at: HugeCase) throws {
    try at.run(
      """
      pool 4                          | 4 4 0 0
      space p                         | 4 4 0 0
      p map a 2                       | 4 4 2 0
      p pin l a 0..3 got:2            | 4 2 0 0
      unpin l                         | 4 2 0 0
      unpin l !notPinned              | 4 2 0 0
      p pin l a 2 !fault.noMapping    | 4 2 0 0
      p protect a 1 r                 | 4 2 0 0
      p pin l a 1 write !fault.protection | 4 2 0 0
      p pin l a 0..2 write got:1      | 4 2 0 0
      unpin l                         | 4 2 0 0
      p pin l a 1                     | 4 2 0 0
      p unmap a                       | 4 3 0 0
      p map b 3                       | 4 3 3 0
      unpin l                         | 4 4 3 0
      unpin l !notPinned              | 4 4 3 0
      p map n 2 noreserve             | 4 4 3 0
      p pin l n 0..2 got:1            | 4 3 3 0
      p pin m n 1 !fault.noHugePage   | 4 3 3 0
      unpin l                         | 4 3 3 0
      """)
  }

  @Test(arguments: HugeCase.all) func pinsOfFilesOutliveMappingAndFile(_ at: HugeCase) throws {
    try at.run(
      """
      pool 4                        | 4 4 0 0
      file f 2                      | 4 4 0 0
      space p                       | 4 4 0 0
      p share a 2 f 0               | 4 4 2 0
      p pin l a 0..2                | 4 2 0 0
      truncate f 1                  | 4 2 0 0
      p unmap a                     | 4 2 0 0
      has f 1 1                     | 4 2 0 0
      delete f                      | 4 2 0 0
      unpin l                       | 4 4 0 0
      file f 2                      | 4 4 0 0
      p share a 2 f 0               | 4 4 2 0
      p private b 2 f 0             | 4 4 4 0
      p write a 0                   | 4 3 3 0
      p pin l b 0                   | 4 2 2 0
      p write b 0                   | 4 2 2 0
      unpin l                       | 4 2 2 0
      """)
  }

  @Test(arguments: MemoryModels.all) func aPinIsOfWhatTheSpaceSees(_ at: HugeCase) throws {
    try HugeCase.runWithContents(
      """
      pool 6                        | 6 6 0 0
      file f 2                      | 6 6 0 0
      space p                       | 6 6 0 0
      p share a 2 f 0               | 6 6 2 0
      p put a 0 1                   | 6 5 1 0
      p private b 2 f 0             | 6 5 3 0
      p see b 0 1                   | 6 5 3 0
      p pin l b 0..0~               | 6 4 2 0
      p put b 0 2                   | 6 4 2 0
      peek l 2                      | 6 4 2 0
      p see a 0 1                   | 6 4 2 0
      p pin m a 0..0~ write         | 6 4 2 0
      poke m 3                      | 6 4 2 0
      p read a 0                    | 6 4 2 0
      peek m 3                      | 6 4 2 0
      p move a 0 !busy              | 6 4 2 0
      punch f 0                     | 6 4 2 0
      peek m 3                      | 6 4 2 0
      p see a 0 0                   | 6 3 2 0
      unpin m                       | 6 4 2 0
      p remap b 0..2 c 2 at:a+8     | 6 4 2 0
      poke l 2                      | 6 4 2 0
      p see c 0 2                   | 6 4 2 0
      unpin l                       | 6 4 2 0
      """, model: at.model)
  }

  /// What lies between whole frames, or was never pinned, is refused.
  @Test(arguments: MemoryModel.allCases) func misuseChangesNothing(model: MemoryModel) throws {
    let stage = Stage(try World(contents: .mebibytes(128), model: model), .huge)
    try stage.run(
      """
      pool 3                  | 3 3 0 0
      space p                 | 3 3 0 0
      p map a 2               | 3 3 2 0
      p write a 0..2          | 3 1 0 0
      p pin l a 0..0~         | 3 1 0 0
      """)
    let world = stage.world
    let space = try stage.space("p")
    let start = try stage.place("a").range.start
    let pinned = try #require(stage.pins["l"]?.first)
    let other = try #require(stage.frame(at: start + .mebibytes(2), in: space))
    let before = stage.dump()
    var room = [FrameNumber](repeating: FrameNumber(0), count: 4)
    for (from, size) in [(UInt64(1), UInt64(4096)), (0, 100), (0, 0), (4095, 1)] {
      let range = VirtualRange(start: start + ByteCount(from), count: ByteCount(size))
      #expect(throws: PinError.misaligned(range)) {
        var span = room.mutableSpan
        _ = try world.machine.memory.pin(range, in: space, into: &span, on: world.cpu)
      }
    }
    // Frames of a page that others pinned, of one that nobody did, of none, of a table; and more often than they are pinned.
    let tooMany = [[pinned.start, pinned.start], [pinned.start, other, pinned.start], [other], [FrameNumber(0)], [space.root]]
    for list in tooMany {
      #expect(throws: PinError.self) { try world.machine.memory.unpin(list.span, on: world.cpu) }
      #expect(stage.dump() == before)
    }
    #expect(throws: PinError.notPinned(pinned.start, wanted: 512, pins: 1)) {
      try world.machine.memory.unpin(FrameRange(start: pinned.start, count: FrameCount(512)), on: world.cpu)
    }
    #expect(throws: PinError.notPinned(FrameNumber(1 << 40), wanted: 1, pins: 0)) {
      try world.machine.memory.unpin([FrameNumber(1 << 40)].span, on: world.cpu)
    }
    #expect(stage.dump() == before)
    // Two pages in turn, each pinned twice, are given back in any order.
    try stage.run("p pin m a 0..0~ | 3 1 0 0\np pin n a 1..1~ | 3 1 0 0")
    try world.machine.memory.unpin([pinned.start, other, pinned.start].span, isDirty: true, on: world.cpu)
    #expect(throws: PinError.notPinned(other, wanted: 1, pins: 0)) {
      try world.machine.memory.unpin([other].span, on: world.cpu)
    }
    try stage.finish()
  }

  /// S2.1: what a request has of a page is one batch, and a range of its own where neighbours are not to be joined.
  @Test(arguments: MemoryModel.allCases) func rangesArePagesWhereTheyAreNotJoined(model: MemoryModel) throws {
    let stage = Stage(try World(contents: .mebibytes(128), model: model), .huge)
    try stage.run(
      """
      pool 3                  | 3 3 0 0
      space p                 | 3 3 0 0
      p map a 3               | 3 3 3 0
      p write a 0..3          | 3 0 0 0
      """)
    let world = stage.world
    let space = try stage.space("p")
    let start = try stage.place("a").range.start + .kibibytes(4)
    let range = VirtualRange(start: start, count: .mebibytes(4))
    var counts: [Bool: [FrameCount]] = [:]
    for joined in [false, true] {
      var ranges = [FrameRange](repeating: FrameRange(start: FrameNumber(0), count: .zero), count: 1024)
      var span = ranges.mutableSpan
      let done = try world.machine.memory.pin(range, .write, in: space, into: &span, joined: joined, on: world.cpu)
      #expect(done.frames == FrameCount(1024))
      let pinned = ranges.prefix(done.ranges)
      counts[joined] = pinned.map { $0.count }
      for part in pinned { try world.machine.memory.unpin(part, on: world.cpu) }
    }
    #expect(counts[false] == [511, 512, 1].map { FrameCount($0) })
    #expect(counts[true]?.reduce(.zero, +) == FrameCount(1024))
    try stage.finish()
  }

  /// Pages that are pinned for long leave the movable zone, with what is written in them.
  @Test(arguments: MemoryModel.allCases) func longPinsLeaveTheMovableZone(model: MemoryModel) throws {
    let stage = Stage(try World(contents: .mebibytes(256), model: model, commandLine: "movablecore=128M"), .huge)
    try stage.run(
      """
      pool 3                  | 3 3 0 0
      space p                 | 3 3 0 0
      p map a 2               | 3 3 2 0
      p map s 4 size:base     | 3 3 2 0
      p put a 0 1             | 3 2 1 0
      p put s 0 2             | 3 2 1 0
      p put s 1 3             | 3 2 1 0
      """)
    let zones = { (name: String) throws -> ZoneKind? in
      let place = try stage.place(name)
      guard let frame = stage.frame(at: place.range.start, in: try stage.space("p")),
        let zone = stage.world.machine.zones.zone(of: frame)
      else { return nil }
      return stage.world.machine.zones.descriptions[Int(zone.rawValue)].kind
    }
    #expect(try zones("a") == .movable && zones("s") == .movable)
    try stage.run(
      """
      p pin l a 0 long        | 3 2 1 0
      p pin m s 0 long write  | 3 2 1 0
      """)
    #expect(try zones("a") != .movable && zones("s") != .movable)
    try stage.run(
      """
      p see a 0 1             | 3 2 1 0
      peek l 1                | 3 2 1 0
      p see s 0 2             | 3 2 1 0
      poke m 4                | 3 2 1 0
      peek m 4                | 3 2 1 0
      fork p c                | 3 1 1 0
      p pin k s 1             | 3 1 1 0
      p pin n s 1 long !nowhereToMigrate.busy | 3 1 1 0
      unpin k                 | 3 1 1 0
      unpin l                 | 3 1 1 0
      unpin m                 | 3 1 1 0
      """)
    try stage.finish()
  }

  @Test func aLongPinWithNowhereToGoFails() throws {
    let stage = Stage(try World(.x86_64, .mebibytes(256), commandLine: "movablecore=128M"), .huge)
    try stage.run(
      """
      pool 2                  | 2 2 0 0
      space p                 | 2 2 0 0
      p map a 2               | 2 2 2 0
      p write a 0             | 2 1 1 0
      """)
    // No block of the size is left where what cannot move may lie.
    let world = stage.world
    var heads: [FrameNumber] = []
    while let folio = try? world.machine.zones.allocate(Order(9), .init(.unmovable, urgency: .ordinary), on: world.cpu) {
      heads.append(folio.head)
      _ = consume folio
    }
    try stage.run(
      """
      p pin l a 0 long !nowhereToMigrate.noRoom | 2 1 1 0
      p pin l a 0 write       | 2 1 1 0
      unpin l                 | 2 1 1 0
      """)
    for head in heads { world.machine.zones.put(head, on: world.cpu) }
    try stage.run("p pin l a 0 long | 2 1 1 0\nunpin l | 2 1 1 0")
    try stage.finish()
  }
}
