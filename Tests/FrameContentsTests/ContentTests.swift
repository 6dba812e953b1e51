import FrameContents
import MemoryUnits
import TestSupport
import Testing

func range(_ start: UInt64, _ end: UInt64) -> FrameRange { FrameRange(start: FrameNumber(start), end: FrameNumber(end)) }

@Suite struct ContentTests {
  /// Steps of every kind: none, one, odd, all, beyond.
  @Test(arguments: [1, 3, 7, 16, 100] as [UInt64]) func clearingGoesOnWhereItStopped(step: UInt64) throws {
    let arena = WindowedMemory([range(0, 8), range(8, 24)])
    let untouched = try (arena.bytes(1), arena.bytes(18))
    var work = try ClearWork(range(2, 18), in: arena.map, with: PortableMover.self)
    #expect(work.advance(by: .zero) == FrameCount(16))
    var left: UInt64 = 16
    while left > 0 {
      left -= min(step, left)
      #expect(work.advance(by: FrameCount(step)) == FrameCount(left))
      // What was not reached yet is as it was.
      if left > 0 { #expect(try arena.bytes(17) != [UInt8](repeating: 0, count: 4096)) }
    }
    for frame in 2..<18 as Range<UInt64> { #expect(try arena.bytes(frame) == [UInt8](repeating: 0, count: 4096)) }
    #expect(try arena.bytes(1) == untouched.0)
    #expect(try arena.bytes(18) == untouched.1)
  }

  /// Windows of source and target break at different places.
  @Test(arguments: [1, 5, 32] as [UInt64]) func copyingCrossesWindows(step: UInt64) throws {
    let arena = WindowedMemory([range(0, 10), range(10, 16), range(32, 39), range(39, 48)])
    let expected = try (0..<16).map { try arena.bytes($0) }
    var clear = try ClearWork(range(32, 48), in: arena.map, with: PortableMover.self)
    clear.advance(by: FrameCount(16))
    var work = try CopyWork(range(0, 16), to: FrameNumber(32), in: arena.map, with: PortableMover.self)
    while work.advance(by: FrameCount(step)) > .zero {}
    #expect(try (32..<48).map { try arena.bytes($0) } == expected)
    #expect(try (0..<16).map { try arena.bytes($0) } == expected)
  }

  @Test func metadataOnlyMachinesHaveNoContents() {
    #expect(throws: ContentsError.metadataOnly) {
      _ = try ClearWork(range(0, 1), in: nil, with: PortableMover.self)
    }
    #expect(throws: ContentsError.metadataOnly) {
      _ = try CopyWork(range(0, 1), to: FrameNumber(8), in: nil, with: PortableMover.self)
    }
  }

  @Test func holesAreFoundBeforeAnythingIsWritten() throws {
    let arena = WindowedMemory([range(0, 8), range(9, 16)])
    let before = try arena.bytes(0)
    #expect(throws: ContentsError.noContents(FrameNumber(8))) {
      _ = try ClearWork(range(0, 16), in: arena.map, with: PortableMover.self)
    }
    #expect(throws: ContentsError.noContents(FrameNumber(16))) {
      _ = try CopyWork(range(0, 4), to: FrameNumber(13), in: arena.map, with: PortableMover.self)
    }
    #expect(throws: ContentsError.overlap(range(0, 4), range(2, 6))) {
      _ = try CopyWork(range(0, 4), to: FrameNumber(2), in: arena.map, with: PortableMover.self)
    }
    #expect(try arena.bytes(0) == before)
  }

  @Test func bytesAreReachedFrameByFrame() throws {
    let arena = WindowedMemory([range(4, 8)])
    try arena.map.withMutableBytes(of: FrameNumber(5)) { $0[17] = 99 }
    #expect(try arena.bytes(5)[17] == 99)
    #expect(throws: ContentsError.noContents(FrameNumber(3))) { try arena.bytes(3) }
  }
}
