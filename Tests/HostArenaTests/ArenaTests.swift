import FrameContents
import Glibc
import MemoryUnits
import Testing

@testable import HostArena

func physical(_ start: UInt64, _ end: UInt64) -> PhysicalRange {
  PhysicalRange(start: PhysicalAddress(start), end: PhysicalAddress(end))
}

extension DirectMap {
  /// The first byte of a frame.
  func byte(_ frame: UInt64) throws(ContentsError) -> UInt8 { try withBytes(of: FrameNumber(frame)) { $0[0] } }

  /// Fills a frame.
  func fill(_ frame: UInt64, _ value: UInt8) throws(ContentsError) {
    try withMutableBytes(of: FrameNumber(frame)) { bytes in
      bytes.withUnsafeMutableBytes { bytes in
        for offset in stride(from: 0, to: bytes.count, by: 64) {
          bytes.storeBytes(of: SIMD64(repeating: value), toByteOffset: offset, as: SIMD64<UInt8>.self)
        }
      }
    }
  }
}

@Suite struct ArenaTests {
  static let shift = PageShift(12)
  static let mebibyte = UInt64(1) << 20

  /// Frames 256 up to 512, and 1024 up to 1280; room for 2048.
  static func make(_ kind: Arena.Kind) throws -> Arena {
    try Arena(
      [physical(1 * mebibyte, 2 * mebibyte), physical(4 * mebibyte, 5 * mebibyte)], kind: kind, baseShift: shift,
      limit: PhysicalAddress(8 * mebibyte))
  }

  @Test(arguments: Arena.Kind.allCases) func memoryIsWhereItWasAskedFor(kind: Arena.Kind) throws {
    let arena = try Self.make(kind)
    #expect(arena.ranges == [physical(1 << 20, 2 << 20), physical(4 << 20, 5 << 20)])
    let map = arena.directMap
    for frame in [256, 511, 1024, 1279] as [UInt64] { #expect(try map.byte(frame) == 0) }
    for frame in [0, 255, 512, 1023, 1280, 2048] as [UInt64] {
      #expect(throws: ContentsError.noContents(FrameNumber(frame))) { try map.byte(frame) }
    }
    try map.fill(511, 7)
    #expect(try arena.directMap.byte(511) == 7)
    #expect(try arena.directMap.byte(1024) == 0)
  }

  @Test(arguments: Arena.Kind.allCases) func untouchedMemoryCostsNothing(kind: Arena.Kind) throws {
    let arena = try Self.make(kind)
    #expect(try arena.residentBytes == .zero)
    let part = physical(1 << 20, 1 << 20 | 64 << 10)
    try arena.directMap.fill(260, 9)
    try arena.populate(part)
    #expect(try arena.residentBytes >= part.count)
    #expect(try arena.directMap.byte(260) == 9)
    try arena.populate(part)
    for range in arena.ranges { try arena.discard(range) }
    #expect(try arena.residentBytes == .zero)
    #expect(try arena.directMap.byte(260) == 0)
  }

  /// What populates where the host has no call for it.
  @Test(arguments: Arena.Kind.allCases) func touchingChangesNothing(kind: Arena.Kind) throws {
    let arena = try Self.make(kind)
    try arena.directMap.fill(1030, 0xa5)
    arena.touch(arena.ranges[1])
    #expect(try arena.residentBytes >= arena.ranges[1].count)
    #expect(try arena.directMap.byte(1030) == 0xa5)
    #expect(try arena.directMap.byte(1031) == 0)
  }

  @Test(arguments: Arena.Kind.allCases) func memoryComesAndGoes(kind: Arena.Kind) throws {
    let arena = try Self.make(kind)
    let first = arena.directMap
    try first.fill(300, 3)
    try first.fill(1024, 4)

    let second = try arena.add(physical(2 << 20, 4 << 20))
    #expect(arena.ranges == [physical(1 << 20, 5 << 20)])
    // Neighbours are one window.
    let run = try second.run(at: FrameNumber(256), upTo: FrameNumber(4096))
    #expect(run.frames == FrameCount(1024))
    try second.fill(700, 5)
    #expect(throws: ContentsError.noContents(FrameNumber(700))) { try first.byte(700) }
    #expect(try second.byte(300) == 3)

    let third = try arena.remove(physical(2 << 20 | 1 << 16, 4 << 20 | 1 << 16))
    #expect(arena.ranges == [physical(1 << 20, 2 << 20 | 1 << 16), physical(4 << 20 | 1 << 16, 5 << 20)])
    #expect(throws: ContentsError.noContents(FrameNumber(1024))) { try third.byte(1024) }
    #expect(try third.byte(300) == 3)
    #expect(try first.byte(300) == 3)

    // What comes again is as new.
    try arena.add(physical(2 << 20 | 1 << 16, 4 << 20 | 1 << 16))
    #expect(try arena.directMap.byte(700) == 0)
    #expect(try arena.directMap.byte(1024) == 0)
    #expect(try second.byte(700) == 0)
  }

  @Test func allMemoryMayGo() throws {
    let arena = try Arena([], baseShift: Self.shift, limit: PhysicalAddress(1 << 20))
    #expect(arena.ranges.isEmpty)
    #expect(throws: ContentsError.noContents(.zero)) { try arena.directMap.byte(0) }
    try arena.add(physical(0, 1 << 20))
    try arena.directMap.fill(0, 1)
    try arena.remove(physical(0, 1 << 20))
    #expect(try arena.residentBytes == .zero)
  }

  @Test(arguments: Arena.Kind.allCases) func whatCannotBeIsNamed(kind: Arena.Kind) throws {
    let arena = try Self.make(kind)
    let before = arena.ranges
    let crooked = physical(2 << 20, 2 << 20 | 512)
    #expect(throws: ArenaError.misaligned(crooked, unit: .kibibytes(4))) { try arena.add(crooked) }
    #expect(throws: ArenaError.misaligned(physical(0, 0), unit: .kibibytes(4))) { try arena.remove(physical(0, 0)) }
    let high = physical(7 << 20, 9 << 20)
    #expect(throws: ArenaError.beyondLimit(high, limit: PhysicalAddress(8 << 20))) { try arena.add(high) }
    let taken = physical(1 << 20 | 8192, 3 << 20)
    #expect(throws: ArenaError.alreadyPresent(taken)) { try arena.add(taken) }
    for hole in [physical(0, 1 << 20), physical(1 << 20, 3 << 20), physical(5 << 20, 6 << 20)] {
      #expect(throws: ArenaError.notPresent(hole)) { try arena.remove(hole) }
      #expect(throws: ArenaError.notPresent(hole)) { try arena.populate(hole) }
      #expect(throws: ArenaError.notPresent(hole)) { try arena.discard(hole) }
    }
    #expect(arena.ranges == before)
  }

  @Test(arguments: Arena.Kind.allCases) func anArenaThatCannotBeMadeIsNamed(kind: Arena.Kind) {
    func expect(_ error: ArenaError, _ ranges: [PhysicalRange], limit: UInt64? = nil, shift: UInt8 = 12) {
      #expect(throws: error) {
        _ = try Arena(ranges, kind: kind, baseShift: PageShift(shift), limit: limit.map { PhysicalAddress($0) })
      }
    }
    let low = physical(0, 1 << 20)
    expect(.alreadyPresent(physical(1 << 19, 2 << 20)), [low, physical(1 << 19, 2 << 20)])
    expect(.alreadyPresent(low), [physical(2 << 20, 3 << 20), low], limit: 4 << 20)
    expect(.beyondLimit(low, limit: PhysicalAddress(1 << 16)), [low], limit: 1 << 16)
    expect(.misaligned(physical(4096, 1 << 20), unit: .kibibytes(64)), [physical(4096, 1 << 20)], shift: 16)
    // More addresses than a process has.
    expect(.noAddressSpace(ByteCount(1 << 48)), [low], limit: 1 << 48)
    expect(.noAddressSpace(ByteCount(UInt64.max)), [low], limit: .max)
  }

  /// Contents are cleared and copied through windows, over borders of ranges that touch and not over holes.
  @Test(arguments: Arena.Kind.allCases) func contentsAreWorkedOnThroughWindows(kind: Arena.Kind) throws {
    let arena = try Self.make(kind)
    try arena.add(physical(2 << 20, 2 << 20 | 1 << 16))
    let map = arena.directMap
    func frames(_ start: UInt64, _ end: UInt64) -> FrameRange { FrameRange(start: FrameNumber(start), end: FrameNumber(end)) }
    for frame in 500..<528 as Range<UInt64> { try map.fill(frame, UInt8(frame & 0xff)) }
    var copy = try CopyWork(frames(500, 528), to: FrameNumber(1100), in: map, with: PortableMover.self)
    while copy.advance(by: FrameCount(5)) > .zero {}
    for frame in 500..<528 as Range<UInt64> { #expect(try map.byte(frame + 600) == UInt8(frame & 0xff)) }
    var clear = try ClearWork(frames(505, 520), in: map, with: PortableMover.self)
    clear.advance(by: FrameCount(100))
    #expect(try map.byte(504) == UInt8(504 & 0xff) && map.byte(505) == 0 && map.byte(519) == 0 && map.byte(520) != 0)

    #expect(throws: ContentsError.noContents(FrameNumber(528))) {
      _ = try ClearWork(frames(500, 1100), in: map, with: PortableMover.self)
    }
    #expect(throws: ContentsError.noContents(FrameNumber(1023))) {
      _ = try CopyWork(frames(500, 510), to: FrameNumber(1023), in: map, with: PortableMover.self)
    }
    #expect(throws: ContentsError.metadataOnly) { _ = try ClearWork(frames(256, 257), in: nil, with: PortableMover.self) }
  }

  /// A copy of a map from before does not reach memory that is gone.
  @Test func whatIsGoneTraps() async {
    await #expect(processExitsWith: .signal(SIGSEGV)) {
      guard let arena = try? ArenaTests.make(.memfd) else { return }
      let old = arena.directMap
      guard (try? arena.remove(physical(1 << 20, 2 << 20))) != nil else { return }
      signal(SIGSEGV, SIG_DFL)
      try? old.fill(300, 1)
    }
  }
}
