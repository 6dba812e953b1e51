import FrameContents
import HostArena
import MemoryUnits
import TestSupport
import Testing

/// The hosted mover takes other ways above 64 KiB, at the edges of lines, and for groups of pages: each is right to the byte.
@Suite struct HostMoverTests {
  static let sizes = [
    0, 1, 15, 16, 63, 64, 65, 4095, 4096, 65535, 65536, 65537, 65536 + 63, 81920 - 1, 81920, 81920 + 64, 131_072 + 4097, 1 << 20,
  ]
  static let guardBytes = 128

  /// Random bytes with room around; the start is aligned to a page.
  private func makeBytes(_ count: Int, seed: UInt64) -> UnsafeMutableRawBufferPointer {
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: count, alignment: 4096)
    var random = SplitMix(seed: seed)
    // No zeros, so that a byte that was cleared shows.
    for index in buffer.indices { buffer[index] = UInt8(truncatingIfNeeded: random.next()) | 1 }
    return buffer
  }

  @Test(arguments: sizes) func clearsExactlyWhatIsAsked(size: Int) throws {
    for offset in [0, 1, 8, 63, 64] {
      let buffer = makeBytes(size + 2 * Self.guardBytes, seed: UInt64(size))
      defer { buffer.deallocate() }
      let before = [UInt8](buffer)
      let start = Self.guardBytes - 64 + offset
      HostMover.clear(try #require(buffer.baseAddress) + start, bytes: size)
      #expect(buffer[..<start].elementsEqual(before[..<start]), "bytes before, offset \(offset)")
      #expect(buffer[start..<start + size].allSatisfy { $0 == 0 }, "offset \(offset)")
      #expect(buffer[(start + size)...].elementsEqual(before[(start + size)...]), "bytes behind, offset \(offset)")
    }
  }

  @Test(arguments: sizes) func copiesExactlyWhatIsAsked(size: Int) throws {
    for (to, from) in [(0, 0), (1, 0), (0, 1), (63, 17), (64, 8)] {
      let target = makeBytes(size + 2 * Self.guardBytes, seed: UInt64(size))
      let source = makeBytes(size + 2 * Self.guardBytes, seed: UInt64(size) + 1)
      defer {
        target.deallocate()
        source.deallocate()
      }
      let before = [UInt8](target)
      let original = [UInt8](source)
      let start = Self.guardBytes - 64 + to
      HostMover.copy(
        to: try #require(target.baseAddress) + start, from: try #require(source.baseAddress) + from, bytes: size)
      #expect(target[..<start].elementsEqual(before[..<start]), "bytes before, offsets \(to), \(from)")
      #expect(target[start..<start + size].elementsEqual(original[from..<from + size]), "offsets \(to), \(from)")
      #expect(target[(start + size)...].elementsEqual(before[(start + size)...]), "bytes behind, offsets \(to), \(from)")
      #expect(source.elementsEqual(original))
    }
  }

  /// Works go through it as through any mover.
  @Test func worksUseIt() throws {
    let arena = WindowedMemory([range(0, 64), range(100, 164)])
    let expected = try arena.bytes(13)
    var copy = try CopyWork(range(0, 64), to: FrameNumber(100), in: arena.map, with: HostMover.self)
    while copy.advance(by: FrameCount(24)) > .zero {}
    #expect(try arena.bytes(113) == expected)
    var clear = try ClearWork(range(1, 63), in: arena.map, with: HostMover.self)
    while clear.advance(by: FrameCount(24)) > .zero {}
    #expect(try arena.bytes(62) == [UInt8](repeating: 0, count: 4096))
    #expect(try arena.bytes(0) != [UInt8](repeating: 0, count: 4096))
    #expect(try arena.bytes(63) == arena.bytes(163))
  }
}
