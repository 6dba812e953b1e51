public import FrameMap
public import MemoryUnits

/// What a stretch of frames is used for.
public struct FrameUse: Hashable, Sendable {
  public enum Kind: Hashable, Sendable {
    /// In the tree of the zone or of an area, or in a processor's cache.
    case free
    /// A whole folio, with what its head says.
    case folio(FrameShape)
    /// Neither: a hole, reserved, claimed, or in somebody's hands just now.
    case unowned
  }

  public let kind: Kind
  /// Of a folio all its frames, also those beyond the range that was asked for.
  public let frames: FrameRange

  public init(_ kind: Kind, _ frames: FrameRange) {
    self.kind = kind
    self.frames = frames
  }
}

extension FolioZone {
  /// Goes over a range, lowest frame first, and says what it is used for. Nothing is locked: each answer is about an instant.
  ///
  /// - Parameter body: says whether to go on.
  /// - Complexity: O(frames / 64 + folios + free runs).
  public borrowing func forEachUse(in range: FrameRange, _ body: (FrameUse) -> Bool) {
    let range = range.intersection(zone)
    var frame = range.start
    while frame < range.end {
      let rest = FrameRange(start: frame, end: range.end)
      let use: FrameUse
      if let place = try? find(frame), let head = unsafe table.descriptor(place.head) {
        use = unsafe FrameUse(.folio(head.pointee.shape), place.frames)
      } else {
        let end = heads.next(from: frame, below: range.end) ?? range.end
        let gap = FrameRange(start: frame, end: end)
        if let run = firstFree(in: gap) {
          use = run.start == frame ? FrameUse(.free, run) : FrameUse(.unowned, FrameRange(start: frame, end: run.start))
        } else {
          use = FrameUse(.unowned, gap)
        }
      }
      guard body(use) else { return }
      frame = min(rest.end, use.frames.end)
    }
  }

  private borrowing func firstFree(in range: FrameRange) -> FrameRange? {
    var first = cache.tree.firstFreeRun(in: range)
    for index in 0..<areas.count {
      let area = unsafe areas.area(index)
      let part = unsafe range.intersection(area.pointee.range)
      if !part.isEmpty, let run = unsafe area.pointee.tree.firstFreeRun(in: part), run.start < first?.start ?? range.end {
        first = run
      }
    }
    if let cached = cache.firstCached(in: range), cached < first?.start ?? range.end {
      first = FrameRange(start: cached, count: FrameCount(1))
    }
    return first
  }

  /// Frames of `range` that are free in the zone's tree. Exact while nobody else uses the zone.
  ///
  /// - Complexity: O(frames / 512) where memory is partly free.
  public borrowing func freeFrames(in range: FrameRange) -> FrameCount { cache.tree.freeFrames(in: range.intersection(zone)) }

  /// Whether a block of `order` is free inside `range`, or, where that is smaller, around it.
  ///
  /// - Complexity: O(frames / 64). About an instant.
  public borrowing func hasFreeBlock(_ order: Order, near range: FrameRange) -> Bool {
    if order.frames >= range.count {
      return cache.tree.isFree(FrameRange(start: range.start.aligned(to: order.frames, .down), count: order.frames))
    }
    var rest = range
    while let run = cache.tree.firstFreeRun(in: rest) {
      var blocks = AlignedBlocks(run.start.rawValue, run.end.rawValue)
      while let (_, size) = blocks.pop() {
        if size >= Int(order.rawValue) { return true }
      }
      rest = FrameRange(start: run.end, end: rest.end)
    }
    return false
  }

  /// Returns the frames of a folio whose counts the caller has frozen at zero.
  public borrowing func freeFrozen(_ head: FrameNumber, on cpu: CPUIndex) {
    guard let descriptor = unsafe table.descriptor(head) else { preconditionFailure("a folio without descriptor") }
    unsafe give(back: head, descriptor, on: cpu)
  }
}
