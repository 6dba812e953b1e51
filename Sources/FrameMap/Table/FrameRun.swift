import MemoryUnits

/// Neighbouring frames whose descriptors are contiguous in memory. Nothing is promised about what lies before and behind.
@frozen @safe public struct FrameRun: @unchecked Sendable {
  public let frames: FrameRange
  /// The descriptor of the first frame.
  public let base: DescriptorPointer

  @inlinable public init(frames: FrameRange, base: DescriptorPointer) {
    self.frames = frames
    unsafe self.base = base
  }

  /// The descriptors, as many as there are frames.
  @inlinable public var descriptors: UnsafeMutableBufferPointer<FrameDescriptor> {
    unsafe UnsafeMutableBufferPointer(start: base, count: Int(truncatingIfNeeded: frames.count.rawValue))
  }

  /// The descriptor of a frame of the run. Traps outside of it.
  @inlinable public subscript(frame: FrameNumber) -> DescriptorPointer {
    precondition(frames.contains(frame), "frame outside of the run")
    return unsafe base + Int(truncatingIfNeeded: frame.rawValue &- frames.start.rawValue)
  }

  /// Calls `body` with each descriptor, lowest frame first. The loop only steps a pointer, four bodies a turn.
  @inlinable public func forEach<Failure>(
    _ body: (DescriptorPointer) throws(Failure) -> Void
  ) throws(Failure) {
    let count = Int(truncatingIfNeeded: frames.end.rawValue &- frames.start.rawValue)
    var place = unsafe base
    let end = unsafe base + count
    // Four a turn: the compiler leaves a loop of unknown length alone, and with short bodies the counting takes half the time.
    let last = unsafe base + (count & ~3)
    while unsafe place != last {
      unsafe try body(place)
      unsafe try body(place + 1)
      unsafe try body(place + 2)
      unsafe try body(place + 3)
      unsafe place += 4
    }
    while unsafe place != end {
      unsafe try body(place)
      unsafe place += 1
    }
  }
}

/// The runs that cover the valid frames of a range, lowest first.
///
/// Each step looks the map up anew: what comes or goes meanwhile is seen or not.
public struct FrameRuns: Sequence, IteratorProtocol, Sendable {
  private let table: FrameTable
  private var rest: FrameRange

  init(_ table: FrameTable, _ range: FrameRange) {
    self.table = table
    rest = range
  }

  public mutating func next() -> FrameRun? {
    guard let run = table.firstRun(in: rest) else { return nil }
    rest = FrameRange(start: run.frames.end, end: rest.end)
    return run
  }
}
