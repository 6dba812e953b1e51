public import FrameContents
public import MemoryUnits

/// Memory of some windows, each a mapping of its own, filled with a pattern.
public final class WindowedMemory {
  public static let shift = PageShift(12)
  private let bases: [UnsafeMutableRawPointer]
  private let windows: UnsafeMutableBufferPointer<DirectWindow>
  public let map: DirectMap

  public init(_ ranges: [FrameRange]) {
    bases = ranges.map {
      let size = Int(ByteCount($0.count, Self.shift).rawValue)
      let base = UnsafeMutableRawPointer.allocate(byteCount: size, alignment: 4096)
      for byte in 0..<size { base.storeBytes(of: UInt8(truncatingIfNeeded: byte &* 31 &+ 7), toByteOffset: byte, as: UInt8.self) }
      return base
    }
    windows = .allocate(capacity: ranges.count)
    for index in ranges.indices {
      windows.initializeElement(at: index, to: DirectWindow(frames: ranges[index], base: bases[index]))
    }
    map = DirectMap(windows: UnsafeBufferPointer(windows), baseShift: Self.shift)
  }

  deinit {
    for base in bases { base.deallocate() }
    windows.deallocate()
  }

  public func bytes(_ frame: UInt64) throws -> [UInt8] {
    try map.withBytes(of: FrameNumber(frame)) { span in (0..<span.count).map { span[$0] } }
  }

  /// Makes each word of a frame tell whose it is and where it is in the frame.
  public func stamp(_ frame: FrameNumber, _ mark: UInt64) throws {
    let base = try map.run(at: frame, upTo: frame + FrameCount(1)).base
    for offset in stride(from: 0, to: 4096, by: 8) {
      base.storeBytes(of: mark << 12 | UInt64(offset), toByteOffset: offset, as: UInt64.self)
    }
  }

  /// Whose a frame's words are; nil where they are not one's, or out of place.
  public func mark(_ frame: FrameNumber) throws -> UInt64? {
    let base = try map.run(at: frame, upTo: frame + FrameCount(1)).base
    let mark = base.load(as: UInt64.self) >> 12
    for offset in stride(from: 0, to: 4096, by: 8) {
      guard base.load(fromByteOffset: offset, as: UInt64.self) == mark << 12 | UInt64(offset) else { return nil }
    }
    return mark
  }
}
