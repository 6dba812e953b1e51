import MemoryUnits

/// Clearing of a range of frames, in steps.
///
/// Nothing is left half done that could not be gone on with: a caller that gives up drops the value, and the frames
/// hold zeros up to where it came.
///
/// Linux: `clear_huge_page`, `clear_gigantic_page`; there the path is chosen by a size, here by whether one window holds the
/// range, once, when the work is made. Not safe to advance from two threads; disjoint works may run side by side.
@safe public struct ClearWork<Mover: ContentMover>: ~Copyable {
  private let map: DirectMap
  private var rest: FrameRange
  // Where the rest lies if one window holds it all; nil sends each step through the windows.
  private var plain: UnsafeMutableRawPointer?

  /// Plans the work.
  ///
  /// - Parameter map: nil for a machine that is metadata only.
  /// - Throws: `.metadataOnly`, or `.noContents` with the first frame that has none; nothing was cleared then.
  /// - Complexity: O(log windows), or O(windows in the range).
  public init(_ range: FrameRange, in map: DirectMap?, with mover: Mover.Type) throws(ContentsError) {
    guard let map else { throw .metadataOnly }
    let plain = unsafe try map.plainBase(of: range)
    self.map = map
    unsafe self.plain = plain
    rest = range
  }

  /// Frames not cleared yet.
  public var remaining: FrameCount { rest.count }

  /// Clears at most `count` frames, and returns how many are left.
  @discardableResult public mutating func advance(by count: FrameCount) -> FrameCount {
    var left = min(count, rest.count)
    let shift = map.baseShift
    if let base = unsafe plain {
      let bytes = Int(ByteCount(left, shift).rawValue)
      // Safe: the plan showed that the window holds all of the range.
      unsafe Mover.clear(base, bytes: bytes)
      unsafe plain = base + bytes
      rest = FrameRange(start: rest.start + left, end: rest.end)
      return rest.count
    }
    while left > .zero {
      guard let run = try? unsafe map.run(at: rest.start, upTo: rest.start + left) else {
        preconditionFailure("a window of a direct map went away")
      }
      // Safe: the run lies inside its window.
      unsafe Mover.clear(run.base, bytes: Int(ByteCount(run.frames, shift).rawValue))
      left -= unsafe run.frames
      rest = FrameRange(start: rest.start + (unsafe run.frames), end: rest.end)
    }
    return rest.count
  }
}

/// Copying of a range of frames to another, in steps. See ``ClearWork``.
///
/// Linux: `copy_user_huge_page`, `copy_user_gigantic_page`.
@safe public struct CopyWork<Mover: ContentMover>: ~Copyable {
  private let map: DirectMap
  private var source: FrameRange
  private var target: FrameRange
  private var plain: (source: UnsafeMutableRawPointer, target: UnsafeMutableRawPointer)?

  /// Plans the copy of `source` to as many frames from `target` on.
  ///
  /// - Throws: `.metadataOnly`, `.noContents`, or `.overlap`; nothing was copied then.
  public init(
    _ source: FrameRange, to target: FrameNumber, in map: DirectMap?, with mover: Mover.Type
  ) throws(ContentsError) {
    guard let map else { throw .metadataOnly }
    let targets = FrameRange(start: target, count: source.count)
    guard !source.overlaps(targets) else { throw .overlap(source, targets) }
    let from = unsafe try map.plainBase(of: source)
    let to = unsafe try map.plainBase(of: targets)
    self.map = map
    self.source = source
    self.target = targets
    if let from = unsafe from, let to = unsafe to { unsafe plain = (from, to) } else { unsafe plain = nil }
  }

  /// Frames not copied yet.
  public var remaining: FrameCount { source.count }

  /// Copies at most `count` frames, and returns how many are left.
  @discardableResult public mutating func advance(by count: FrameCount) -> FrameCount {
    var left = min(count, source.count)
    let shift = map.baseShift
    if let bases = unsafe plain {
      let bytes = Int(ByteCount(left, shift).rawValue)
      // Safe: the plan showed that one window each holds all of both ranges, and that these do not overlap.
      unsafe Mover.copy(to: bases.target, from: bases.source, bytes: bytes)
      unsafe plain = (bases.source + bytes, bases.target + bytes)
      step(by: left)
      return source.count
    }
    while left > .zero {
      guard let from = try? unsafe map.run(at: source.start, upTo: source.start + left),
        let to = try? unsafe map.run(at: target.start, upTo: target.start + (unsafe from.frames))
      else { preconditionFailure("a window of a direct map went away") }
      let frames = unsafe min(from.frames, to.frames)
      // Safe: both runs lie inside their windows.
      unsafe Mover.copy(to: to.base, from: from.base, bytes: Int(ByteCount(frames, shift).rawValue))
      left -= frames
      step(by: frames)
    }
    return source.count
  }

  private mutating func step(by frames: FrameCount) {
    source = FrameRange(start: source.start + frames, end: source.end)
    target = FrameRange(start: target.start + frames, end: target.end)
  }
}

extension DirectMap {
  /// The first byte of `range` where one window holds all of it, nil where it takes several.
  fileprivate func plainBase(of range: FrameRange) throws(ContentsError) -> UnsafeMutableRawPointer? {
    guard !range.isEmpty else { return nil }
    let first = try unsafe run(at: range.start, upTo: range.end)
    if unsafe first.frames == range.count { return unsafe first.base }
    try check(range)
    return nil
  }
}
