import FrameMap
import HostArena
import MemoryUnits
import PhysicalLayout
import Testing

// S2.2, S2.3
@Suite struct RecordTests {
  /// Two nodes, sections with parts missing, and a hole of a whole section.
  //  0000 00.. 1111 .... 1.11
  private static let picture = "0000 00.. 1111 .... 1.11"

  /// Every frame that has a descriptor is recorded with its own, once, over borders of runs and over holes.
  @Test(arguments: MemoryModel.allCases) func eachFrameHasItsOwnDescriptor(model: MemoryModel) throws {
    let map = try FrameMap(MapDrawing(Self.picture).layout, model: model, storage: HostStorage())
    let table = map.table
    for (start, end) in [(0, 320), (3, 70), (64, 64), (95, 97), (130, 131), (200, 310), (60, 200)] {
      let range = FrameRange(start: FrameNumber(UInt64(start)), end: FrameNumber(UInt64(end)))
      let expected = (start..<end).compactMap { unsafe table.descriptor(FrameNumber(UInt64($0))) }
      // One more, that nothing may be written to.
      let last = try #require(unsafe DescriptorPointer(bitPattern: 64))
      var recorded = unsafe [DescriptorPointer](repeating: last, count: expected.count + 1)
      let count = unsafe recorded.withUnsafeMutableBufferPointer { buffer in
        buffer.baseAddress.map { unsafe table.recordDescriptors(of: range, into: $0) - $0 }
      }
      #expect(count == expected.count, "\(range)")
      #expect(unsafe recorded == expected + [last], "\(range)")
    }
  }

  @Test(arguments: [0, 1, 2, 7, 8, 9, 511, 512]) func numbersCountUp(count: Int) {
    let range = FrameRange(start: FrameNumber(1 << 40), count: FrameCount(UInt64(count)))
    var recorded = [FrameNumber](repeating: .zero, count: count + 1)
    let written = recorded.withUnsafeMutableBufferPointer { buffer in
      buffer.baseAddress.map { unsafe range.record(into: $0) - $0 }
    }
    #expect(written == count)
    #expect(recorded == (0..<count).map { FrameNumber(1 << 40 + UInt64($0)) } + [.zero])
  }
}
