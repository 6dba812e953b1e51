import MemoryUnits

extension FrameTable {
  /// The runs that cover the valid frames of `range`, lowest first. Frames without descriptors are in none.
  @inlinable public func runs(in range: FrameRange) -> FrameRuns { makeRuns(range) }

  @usableFromInline func makeRuns(_ range: FrameRange) -> FrameRuns { FrameRuns(self, range) }

  /// Calls `body` with each run of ``runs(in:)``.
  @inlinable public func forEachRun<Failure>(
    in range: FrameRange, _ body: (FrameRun) throws(Failure) -> Void
  ) throws(Failure) {
    var start = range.start
    while start < range.end, let run = firstRun(in: FrameRange(start: start, end: range.end)) {
      try body(run)
      start = run.frames.end
    }
  }

  /// The first run in `range`, cut to it; nil where no frame of it is valid.
  ///
  /// - Complexity: O(1) to get over a hole of any size, O(sections of the run) to find its end in the virtual model, else
  ///   O(1); O(log ranges) in the discontiguous model.
  public func firstRun(in range: FrameRange) -> FrameRun? {
    // Nearly always the range starts in a run: then one look-up finds both ends.
    guard range.start < range.end else { return nil }
    return run(at: range.start, below: range.end) ?? firstRunBehindHole(in: range)
  }

  @inline(never) @usableFromInline func firstRunBehindHole(in range: FrameRange) -> FrameRun? {
    guard let start = nextValid(from: range.start), start < range.end else { return nil }
    return run(at: start, below: range.end)
  }

  /// The run from `start` on, up to `limit`; nil where the frame is not valid.
  @inlinable @inline(__always) func run(at start: FrameNumber, below limit: FrameNumber) -> FrameRun? {
    // Plain shifts would check their amounts, and sums overflow; orders are below 64, and frames far below 2^64.
    let number = start.rawValue
    let base: UInt64
    let end: FrameNumber
    switch model {
    case .flat:
      guard number &- firstFrame < frameCount else { return nil }
      base = origin
      end = min(limit, FrameNumber(firstFrame &+ frameCount))
    case .discontiguous:
      guard let piece = pieces.piece(of: start) else { return nil }
      base = piece.base
      end = min(limit, piece.range.end)
    case .sparse, .sparseExtreme:
      guard number < frameCount, let record = record(number &>> sectionOrder) else { return nil }
      let state = record.load(0)
      guard state & SectionState.present != 0 else { return nil }
      base = state & SectionState.baseMask
      end = min(limit, FrameNumber((number &>> sectionOrder &+ 1) &<< sectionOrder))
    case .vmemmap:
      guard number < frameCount, let record = record(number &>> sectionOrder), isValid(start, in: record) else { return nil }
      base = origin
      // A subsection is valid as a whole.
      let isInside = (number ^ (limit.rawValue &- 1)) &>> subsectionOrder == 0
      end = isInside ? limit : endOfVirtualRun(start, below: limit)
    }
    return unsafe FrameRun(frames: FrameRange(start: start, end: end), base: pointer(from: base, start))
  }

  /// The first valid frame from `frame` on, or nil.
  ///
  /// - Complexity: O(1) for any hole: a step per level of the presence bits, at most six. O(log ranges) in the
  ///   discontiguous model. Linux: the loops over `pfn_valid`, which skip by section at best.
  public func nextValid(from frame: FrameNumber) -> FrameNumber? {
    let number = frame.rawValue
    switch model {
    case .flat:
      let start = max(number, firstFrame)
      return start - firstFrame < frameCount ? FrameNumber(start) : nil
    case .discontiguous:
      let index = pieces.index(endingAbove: frame)
      return index < pieces.pieceCount ? max(frame, pieces.range(index).start) : nil
    case .sparse, .sparseExtreme, .vmemmap:
      var start = number
      while start < frameCount, let section = presence.next(from: start >> sectionOrder) {
        let low = max(start, section << sectionOrder)
        let end = (section + 1) << sectionOrder
        if let found = firstValid(from: low, in: section) { return FrameNumber(found) }
        start = end
      }
      return nil
    }
  }

  /// The first valid frame from `start` on in a section that is said to be present.
  private func firstValid(from start: UInt64, in section: UInt64) -> UInt64? {
    guard let record = record(section) else { return nil }
    guard model == .vmemmap else { return record.load(0) & SectionState.present != 0 ? start : nil }
    let count = UInt64(1) << (sectionOrder - subsectionOrder)
    let first = start >> subsectionOrder & (count - 1)
    let found = record.advanced(by: 1).firstBit(isSet: true, from: first, below: count)
    guard found < count else { return nil }
    return max(start, section << sectionOrder + found << subsectionOrder)
  }

  /// Where the run of a virtual memmap ends that holds the valid frame `start`, at most `limit`.
  @usableFromInline func endOfVirtualRun(_ start: FrameNumber, below limit: FrameNumber) -> FrameNumber {
    let count = UInt64(1) << (sectionOrder - subsectionOrder)
    var section = start.rawValue >> sectionOrder
    var subsection = start.rawValue >> subsectionOrder & (count - 1)
    while section << sectionOrder < min(limit.rawValue, frameCount), let record = record(section) {
      let end = record.advanced(by: 1).firstBit(isSet: false, from: subsection, below: count)
      if end < count { return min(limit, FrameNumber(section << sectionOrder + end << subsectionOrder)) }
      section += 1
      subsection = 0
    }
    return min(limit, FrameNumber(section << sectionOrder))
  }
}
