import MemoryUnits

/// Who is told of every stretch of frames that a scan finds, before the range that it lies in is handed out.
protocol FramePieces {
  /// - Parameter hugePage: where a pool page begins with these frames, its length, which may reach beyond them.
  func add(_ range: FrameRange, _ kind: FrameClass, _ state: HostLayout.State, hugePage: FrameCount)
}

/// One pass over a host's frames: tallies of every aligned range of several sizes, and of every zone.
///
/// Ranges are handed out as they are finished and not kept; memory use is constant but for a bounded list of places.
struct FrameScan {
  struct Result: Sendable {
    /// Frames by class, for each zone of the layout.
    var zones: [[UInt64]]
    /// The part of `zones` in pageblocks where something unmovable was seen.
    var nearUnmovable: [[UInt64]]
    /// Runs of frames that flags alone leave undecided, ascending, the first ``FrameScan/doubtLimit`` of them. A range
    /// beyond the last one that is kept is looked at as a whole.
    var doubts: [FrameRange] = []
    var hasAllDoubts = true
    var end = FrameNumber(0)
  }

  static let doubtLimit = 1 << 16
  private static let reportInterval = FrameCount(1 << 18)

  /// - Parameters:
  ///   - sizes: the orders to tally, ascending.
  ///   - pieces: told of every stretch of one class, at most a pageblock long.
  ///   - consume: gets the index of the order and a finished range; ranges of one order come in ascending order.
  static func run<Pieces: FramePieces>(
    _ source: FlagSource, layout: HostLayout, pageblock: Order, topOrder: Order, section: Order, sizes: [Order],
    pieces: Pieces, progress: (FrameNumber) throws(HostFileError) -> Void,
    consume: (Int, RangeTally) -> Void
  ) throws(HostFileError) -> Result {
    var scan = Walker(
      layout: layout, granule: min(pageblock, sizes.first ?? pageblock), topOrder: topOrder, section: section, sizes: sizes,
      pieces: pieces)
    var classifier = FrameClassifier()
    var nextReport = FrameNumber(0)
    // Nothing beyond the memory that the layout knows can become a page.
    let limit = layout.end.aligned(to: (sizes.last ?? pageblock).frames, .up)
    let end = try source.forEachRun { (start, count, flags) throws(HostFileError) -> Bool in
      if start >= limit { return false }
      let kind = classifier.classify(flags)
      scan.take(start, min(count, limit - start), kind, isHead: classifier.isHead, consume)
      if start >= nextReport {
        try progress(start)
        nextReport = start + reportInterval
      }
      return true
    }
    scan.finish(at: min(end, limit), consume)
    scan.result.end = end
    return scan.result
  }

  private struct Walker<Pieces: FramePieces> {
    let layout: HostLayout
    let granule: Order
    let topOrder: Order
    let section: Order
    let sizes: [Order]
    let pieces: Pieces
    var result: Result
    private var tally: RangeTally
    private var ranges: [RangeTally]
    private var segment = 0
    // The run being collected: frames of one class, and for pool pages at most one page.
    private var pending: FrameRange
    private var pendingClass = FrameClass.undecided
    private var pendingIsHead = false
    private var followsFree = false

    init(layout: HostLayout, granule: Order, topOrder: Order, section: Order, sizes: [Order], pieces: Pieces) {
      self.layout = layout
      self.granule = granule
      self.topOrder = topOrder
      self.section = section
      self.sizes = sizes
      self.pieces = pieces
      let none = [UInt64](repeating: 0, count: FrameClass.laneCount)
      result = Result(
        zones: Array(repeating: none, count: layout.zones.count),
        nearUnmovable: Array(repeating: none, count: layout.zones.count))
      tally = RangeTally(start: FrameNumber(0))
      ranges = sizes.map { _ in RangeTally(start: FrameNumber(0)) }
      pending = FrameRange(start: FrameNumber(0), count: .zero)
    }

    @inline(__always)
    mutating func take(
      _ start: FrameNumber, _ count: FrameCount, _ kind: FrameClass, isHead: Bool, _ consume: (Int, RangeTally) -> Void
    ) {
      let isHugeHead = kind == .huge && isHead
      if kind == pendingClass, !isHugeHead {
        pending = FrameRange(start: pending.start, end: start + count)
        return
      }
      flush(consume)
      pending = FrameRange(start: start, count: count)
      pendingClass = kind
      pendingIsHead = isHugeHead
    }

    mutating func finish(at end: FrameNumber, _ consume: (Int, RangeTally) -> Void) {
      flush(consume)
      // The last range is complete for its consumer even where the data end inside it.
      let largest = (sizes.last ?? granule).frames
      let whole = end.aligned(to: largest, .up)
      if whole > end { place(FrameRange(start: end, end: whole), .absent, hugePage: .zero, consume) }
    }

    private mutating func flush(_ consume: (Int, RangeTally) -> Void) {
      guard !pending.isEmpty else { return }
      defer { followsFree = pendingClass == .free }
      guard pendingClass == .undecided else {
        return place(pending, pendingClass, hugePage: pendingIsHead ? pending.count : .zero, consume)
      }
      remember(pending)
      var rest = pending
      if followsFree {
        let order = min((rest.start - FrameCount(1)).alignmentOrder, topOrder)
        let tails = min(order.frames - FrameCount(1), rest.count)
        place(FrameRange(start: rest.start, count: tails), .freeTail, hugePage: .zero, consume)
        rest = FrameRange(start: rest.start + tails, end: rest.end)
      }
      let empty = rest.aligned(to: section.frames, .down)
      guard !empty.isEmpty else { return place(rest, .undecided, hugePage: .zero, consume) }
      place(FrameRange(start: rest.start, end: empty.start), .undecided, hugePage: .zero, consume)
      place(empty, .emptySection, hugePage: .zero, consume)
      place(FrameRange(start: empty.end, end: rest.end), .undecided, hugePage: .zero, consume)
    }

    private mutating func remember(_ range: FrameRange) {
      if result.doubts.count < FrameScan.doubtLimit { result.doubts.append(range) } else { result.hasAllDoubts = false }
    }

    /// Splits frames of one class at the borders of segments and pageblocks.
    private mutating func place(
      _ range: FrameRange, _ kind: FrameClass, hugePage: FrameCount, _ consume: (Int, RangeTally) -> Void
    ) {
      var start = range.start
      var beginning = hugePage
      while start < range.end {
        while segment < layout.segments.count, layout.segments[segment].range.end <= start { segment += 1 }
        let isInside = segment < layout.segments.count
        let state = isInside ? layout.segments[segment].state : .hole
        let granuleEnd = (start + FrameCount(1)).aligned(to: granule.frames, .up)
        var end = min(range.end, granuleEnd)
        if isInside { end = min(end, layout.segments[segment].range.end) }
        let count = (end - start).rawValue
        let seen: FrameClass =
          switch state {
          case .hole: .absent
          case .offline: .offline
          case .zone, .unzoned: kind
          }
        pieces.add(
          FrameRange(start: start, end: end), seen, state, hugePage: seen == .huge ? beginning : .zero)
        tally.add(count, seen, at: start, hugePage: seen == .huge ? beginning : .zero)
        tally.add(state)
        if case .zone(let zone) = state { result.zones[zone][Int(seen.rawValue)] += count }
        beginning = .zero
        start = end
        if start == granuleEnd { finishGranule(at: start, consume) }
      }
    }

    private mutating func finishGranule(at end: FrameNumber, _ consume: (Int, RangeTally) -> Void) {
      tally.finishPageblock()
      if case .one(let zone) = tally.zone {
        for kind in FrameClass.allCases {
          result.nearUnmovable[zone][Int(kind.rawValue)] += tally.nearUnmovable[kind]
        }
      }
      for index in sizes.indices {
        ranges[index].add(tally)
        if end.isAligned(to: sizes[index].frames) {
          consume(index, ranges[index])
          ranges[index] = RangeTally(start: end)
        }
      }
      tally = RangeTally(start: end)
    }
  }
}
