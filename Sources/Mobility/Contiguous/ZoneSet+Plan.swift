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

  /// - Parameter isOurs: whether the range is isolated by the caller, so that what is isolated counts as free.
  borrowing func plan(
    _ range: FrameRange, in index: ZoneIndex, _ policy: ContiguousPolicy, stopsAtFirst: Bool, isOurs: Bool = false
  ) -> RangePlan {
    let unit = policy.isolationOrder.map { max($0, self[index].pageblockOrder) } ?? self[index].pageblockOrder
    let isolation = self[index].pageblocks(around: range.aligned(to: unit.frames, .up))
    var plan = RangePlan(range: range, zone: index, isolation: isolation)
    // Units larger than pageblocks must be emptied as a whole.
    let looked = unit > self[index].pageblockOrder ? isolation : range
    let areas = self[index].areaRanges
    let isAreas = areas.contains { $0.contains(range) }
    self[index].forEachUse(in: looked) { use in
      let part = use.frames.intersection(looked)
      var obstacle: Obstacle?
      switch use.kind {
      case .free:
        plan.free += part.intersection(range).count
        if !policy.takesContiguousAreas, !isAreas, areas.contains(where: { $0.overlaps(part) }) { obstacle = .contiguousArea }
      case .folio(let shape) where isOurs && shape.kind == .isolated: plan.free += part.intersection(range).count
      case .folio(let shape):
        obstacle = self.obstacle(shape, use.frames, range, policy)
        if obstacle == nil, !policy.takesContiguousAreas, !isAreas, areas.contains(where: { $0.overlaps(part) }) {
          obstacle = .contiguousArea
        }
        if obstacle == nil { plan.moves += use.frames.count }
      case .unowned:
        addUnowned(part, index, &plan.obstacles)
      }
      if let obstacle { plan.obstacles.add(obstacle, part) }
      return !(stopsAtFirst && !plan.obstacles.isEmpty)
    }
    // Frames beyond the zone's span were not looked at.
    let outside = looked.count - looked.intersection(self[index].zone).count
    if outside > .zero {
      let span = self[index].zone
      plan.obstacles.add(.border, FrameRange(start: looked.start, end: max(looked.start, min(looked.end, span.start))))
      plan.obstacles.add(.border, FrameRange(start: min(looked.end, max(looked.start, span.end)), end: looked.end))
    }
    return plan
  }

  private func obstacle(
    _ shape: FrameShape, _ folio: FrameRange, _ range: FrameRange, _ policy: ContiguousPolicy
  ) -> Obstacle? {
    switch shape.kind {
    case .reserved: return .reserved
    case .memmap: return .memmap
    case .pageTable: return .pageTable
    case .device: return .device
    case .isolated: return .isolated
    case .hugePool:
      // One that is as large as the range, or larger, is what is wanted already.
      return policy.hugePages == .migrate && folio.count < range.count ? nil : .hugePage
    case .ordinary:
      switch shape.mobility {
      case .movable, .contiguous: return nil
      case .unmovable: return .unmovable
      case .reclaimable: return .reclaimable
      }
    }
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
    return memmap.contains { $0.contains(frame) } ? .memmap : .reserved
  }
}
