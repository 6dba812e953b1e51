import FrameMap
import MemoryUnits

/// Where a pinning call puts what it pinned: the caller's buffer, which has room for as many frames as he asked for.
///
/// One type for all three kinds, and no protocol: what calls it is compiled once, and calls it directly.
@unsafe struct PinSink {
  @unsafe private enum Kind {
    case numbers(UnsafeMutablePointer<FrameNumber>)
    case descriptors(UnsafeMutablePointer<DescriptorPointer>)
    case ranges(UnsafeMutablePointer<FrameRange>)
  }

  /// The place for what comes next.
  private var next: Kind
  private let room: Int
  /// Whether a range that continues the last one becomes a part of it.
  private let joins: Bool
  /// Ranges recorded.
  private(set) var count = 0

  init(numbers: UnsafeMutablePointer<FrameNumber>) {
    unsafe next = .numbers(numbers)
    unsafe room = 0
    unsafe joins = false
  }

  init(descriptors: UnsafeMutablePointer<DescriptorPointer>) {
    unsafe next = .descriptors(descriptors)
    unsafe room = 0
    unsafe joins = false
  }

  init(ranges: UnsafeMutablePointer<FrameRange>, room: Int, joins: Bool) {
    unsafe next = .ranges(ranges)
    unsafe self.room = room
    unsafe self.joins = joins
  }

  /// Records frames of one folio, one after the other in memory. No more come than were asked for. Inlined: a call would get a copy of the
  /// table.
  @inline(__always) mutating func record(_ frames: FrameRange, _ table: FrameTable) {
    switch unsafe next {
    case .numbers(let place): unsafe next = .numbers(frames.record(into: place))
    case .descriptors(let place): unsafe next = .descriptors(table.recordDescriptors(of: frames, into: place))
    case .ranges(let place): unsafe record(frames, at: place)
    }
  }

  /// Records a range, or makes the last one longer.
  private mutating func record(_ frames: FrameRange, at place: UnsafeMutablePointer<FrameRange>) {
    if unsafe joins, unsafe count > 0, unsafe (place - 1).pointee.end == frames.start {
      let start = unsafe (place - 1).pointee.start
      unsafe (place - 1).pointee = FrameRange(start: start, end: frames.end)
    } else {
      guard unsafe count < room else { preconditionFailure("no room for the ranges that were pinned") }
      unsafe place.initialize(to: frames)
      unsafe next = .ranges(place + 1)
      unsafe count += 1
    }
  }
}
