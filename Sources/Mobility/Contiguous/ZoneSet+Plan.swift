public import FrameAllocator
import FrameMap
public import MemoryUnits

extension ZoneSet {
  /// Looks whether a range can be emptied, and at what cost. Nothing changes.
  ///
  /// The answer is about an instant; ``contiguousRange(_:_:with:shouldGoOn:)`` looks again once the range is isolated.
  ///
  /// - Parameters:
  ///   - stopsAtFirst: whether one obstacle is enough.
  /// - Throws: `.noSuchRange` for a range of no frames, or of no zone's frames.
  /// - Complexity: O(frames / 64 + folios); O(frames) over what is neither free nor a folio. Linux: `has_unmovable_pages`,
  ///   `pfn_range_valid_contig`.
  public borrowing func plan(
    _ range: FrameRange, _ policy: ContiguousPolicy = ContiguousPolicy(), stopsAtFirst: Bool = false
  ) throws(ContiguousError) -> RangePlan {
    guard !range.isEmpty, let index = zone(of: range.start) ?? zone(of: range.end - FrameCount(1)) else {
      throw .noSuchRange(range)
    }
    return plan(range, in: index, policy, stopsAtFirst: stopsAtFirst)
  }

  /// - Parameters:
  ///   - isOurs: whether the range is isolated by the caller, so that what is isolated counts as free.
  ///   - skipped: what is left alone, lowest first.
  borrowing func plan(
    _ range: FrameRange, in index: ZoneIndex, _ policy: ContiguousPolicy, stopsAtFirst: Bool, isOurs: Bool = false,
    skipping skipped: [FrameRange] = []
  ) -> RangePlan {
    let unit = policy.isolationOrder.map { max($0, self[index].pageblockOrder) } ?? self[index].pageblockOrder
    let isolation = self[index].pageblocks(around: range.aligned(to: unit.frames, .up))
    var plan = RangePlan(range: range, zone: index, isolation: isolation)
    plan.skipped = skipped
    let rule = RangeRule(policy)
    var contents = RangeContents()
    // Units larger than pageblocks must be emptied as a whole.
    let looked = unit > self[index].pageblockOrder ? isolation : range
    let areas = self[index].areaRanges
    let isAreas = areas.contains { $0.contains(range) }
    func isForeignArea(_ part: FrameRange) -> Bool {
      !policy.takesContiguousAreas && !isAreas && areas.contains { $0.overlaps(part) }
    }
    self[index].forEachUse(in: looked) { use in
      let part = use.frames.intersection(looked)
      switch use.kind {
      case .free:
        contents.free += part.intersection(range).count
        if isForeignArea(part) { contents.obstacles.add(.contiguousArea, part) }
      case .folio(let shape) where isOurs && shape.kind == .isolated: contents.free += part.intersection(range).count
      case .folio(let shape) where shape.kind == .hugePool && policy.movesLargerPages && !isForeignArea(part):
        contents.movable += use.frames.count
      case .folio(let shape):
        if shape.kind == .hugePool, use.frames.count >= range.count || !isForeignArea(part) {
          contents.addHugePage(use.frames, inside: range)
        } else if let obstacle = RangeRule.obstacle(shape) {
          contents.obstacles.add(obstacle, part)
        } else if isForeignArea(part) {
          contents.obstacles.add(.contiguousArea, part)
        } else {
          contents.movable += use.frames.count
        }
      case .unowned:
        for left in part.subtracting(skipped) { addUnowned(left, index, &contents.obstacles) }
      }
      return !(stopsAtFirst && !rule.outcome(contents).obstacles.isEmpty)
    }
    // Frames beyond the zone's span were not looked at.
    let outside = looked.count - looked.intersection(self[index].zone).count
    if outside > .zero {
      let span = self[index].zone
      let low = FrameRange(start: looked.start, end: max(looked.start, min(looked.end, span.start)))
      let high = FrameRange(start: min(looked.end, max(looked.start, span.end)), end: looked.end)
      contents.obstacles.add(.border, low)
      contents.obstacles.add(.border, high)
    }
    let outcome = rule.outcome(contents)
    plan.free = contents.free
    plan.moves = outcome.moves
    plan.obstacles = outcome.obstacles
    plan.kind = outcome.kind
    return plan
  }

  /// Frames that are neither free nor a folio's: holes, other zones' frames, or reserved.
  private func addUnowned(_ range: FrameRange, _ index: ZoneIndex, _ obstacles: inout Obstacles) {
    var frame = range.start
    while frame < range.end {
      let kind = unownedKind(frame, index)
      var end = frame + FrameCount(1)
      while end < range.end, unownedKind(end, index) == kind { end += FrameCount(1) }
      obstacles.add(kind, FrameRange(start: frame, end: end))
      frame = end
    }
  }

  private func unownedKind(_ frame: FrameNumber, _ index: ZoneIndex) -> Obstacle {
    guard table.isMemory(frame) else { return .hole }
    guard zone(of: frame) == index else { return .border }
    if let late, late.isMemmap(frame) { return .memmap }
    return memmap.contains { $0.contains(frame) } ? .memmap : .reserved
  }
}

extension RangeContents {
  /// Counts a page of a huge pool that touches the range.
  fileprivate mutating func addHugePage(_ page: FrameRange, inside range: FrameRange) {
    // One that moves does so as a whole.
    hugeFrames += page.count < range.count ? page.count : page.intersection(range).count
    firstHugeFrame = min(firstHugeFrame ?? page.start, max(page.start, range.start))
    if page == range {
      hugePages = .whole
    } else if page.count >= range.count {
      hugePages = .larger
    } else if hugePages == .none {
      hugePages = .smaller
    }
  }
}
