import MemoryUnits

/// A stretch of frames whose bytes are contiguous in the address space of whoever manages them.
@unsafe public struct DirectWindow {
  public let frames: FrameRange
  /// The first byte of the first frame.
  public let base: UnsafeMutableRawPointer

  @unsafe public init(frames: FrameRange, base: UnsafeMutableRawPointer) {
    unsafe self.frames = frames
    unsafe self.base = base
  }
}

/// Why a frame's contents cannot be reached. Never the programmer's fault: a machine without contents is a good machine.
public enum ContentsError: Error, Hashable, Sendable {
  /// The machine is metadata only.
  case metadataOnly
  /// The frame lies in no window: it is a hole, or its memory was not lent.
  case noContents(FrameNumber)
  /// Source and target overlap.
  case overlap(FrameRange, FrameRange)
}

/// Where frames' bytes are: windows in ascending order, apart from each other.
///
/// A kernel has one window over all memory, a hosted machine one per mapping. Copies of a map share the windows, which their
/// maker keeps alive as long as any copy is used. Reading a map is safe from any thread; windows never change.
///
/// Linux: the direct map, `page_address`; we differ in that a machine may have several windows, or none.
@safe public struct DirectMap: @unchecked Sendable {
  private let windows: UnsafeBufferPointer<DirectWindow>
  public let baseShift: PageShift

  /// Traps where windows are not ascending or overlap.
  @unsafe public init(windows: UnsafeBufferPointer<DirectWindow>, baseShift: PageShift) {
    for index in windows.indices.dropFirst() {
      // Safe: indices of the buffer itself.
      let isAscending = unsafe windows[index - 1].frames.end <= windows[index].frames.start
      precondition(isAscending, "windows of a direct map must ascend")
    }
    unsafe self.windows = windows
    self.baseShift = baseShift
  }

  /// The index of the first window that ends above `frame`. O(log windows).
  private func position(of frame: FrameNumber) -> Int {
    var low = 0
    var high = unsafe windows.count
    while low < high {
      let middle = (low + high) / 2
      // Safe: `middle` lies inside the buffer.
      if unsafe windows[middle].frames.end <= frame { low = middle + 1 } else { high = middle }
    }
    return low
  }

  /// The bytes from the start of `frame` to the end of its window or of `range`, whichever comes first.
  ///
  /// - Throws: `.noContents` where no window holds the frame.
  /// - Complexity: O(log windows).
  @unsafe public func run(
    at frame: FrameNumber, upTo end: FrameNumber
  ) throws(ContentsError) -> (frames: FrameCount, base: UnsafeMutableRawPointer) {
    let index = position(of: frame)
    // Safe: compared with the count before it is used.
    guard unsafe index < windows.count, unsafe windows[index].frames.contains(frame) else { throw .noContents(frame) }
    let window = unsafe windows[index]
    let offset = ByteCount(frame - (unsafe window.frames.start), baseShift)
    let count = min(unsafe window.frames.end, end) - frame
    return unsafe (count, window.base + Int(offset.rawValue))
  }

  /// Checks that all frames of `range` have contents.
  ///
  /// - Throws: `.noContents` with the first frame that has none.
  /// - Complexity: O(windows in the range).
  public func check(_ range: FrameRange) throws(ContentsError) {
    var frame = range.start
    while frame < range.end { frame += try unsafe run(at: frame, upTo: range.end).frames }
  }

  /// Reads the bytes of one frame.
  ///
  /// - Throws: `.noContents` where no window holds the frame.
  public func withBytes<Result>(of frame: FrameNumber, _ body: (Span<UInt8>) -> Result) throws(ContentsError) -> Result {
    let base = unsafe try run(at: frame, upTo: frame + FrameCount(1)).base
    // Safe: the window's maker lends a whole frame, and the span cannot outlive the call.
    let bytes = unsafe UnsafeBufferPointer(
      start: base.assumingMemoryBound(to: UInt8.self), count: Int(baseShift.bytes.rawValue))
    return unsafe body(bytes.span)
  }

  /// Reads and writes the bytes of one frame. The caller holds the frame.
  ///
  /// - Throws: `.noContents` where no window holds the frame.
  public func withMutableBytes<Result>(
    of frame: FrameNumber, _ body: (inout MutableSpan<UInt8>) -> Result
  ) throws(ContentsError) -> Result {
    let base = unsafe try run(at: frame, upTo: frame + FrameCount(1)).base
    // Safe: as above; the caller holds the frame, so nobody else writes.
    let bytes = unsafe UnsafeMutableBufferPointer(
      start: base.assumingMemoryBound(to: UInt8.self), count: Int(baseShift.bytes.rawValue))
    var span = unsafe bytes.mutableSpan
    return body(&span)
  }
}
