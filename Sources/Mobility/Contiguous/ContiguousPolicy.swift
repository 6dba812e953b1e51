public import FrameMap
public import MemoryUnits

/// What kernels differ in when they look for contiguous ranges.
public struct ContiguousPolicy: Hashable, Sendable {
  public enum HugePages: Hashable, Sendable {
    /// A range with a smaller page of a huge pool is passed over. Linux before 7.0.
    case refuse
    /// Such a page is moved to another block of its size.
    case migrate
  }

  /// Smaller pages of huge pools inside the range.
  public var hugePages = HugePages.migrate
  /// Whether folios of the caller's own are looked for in movable zones, where the request would do with these. Linux: never before
  /// 7.0, then as `vm.movable_gigantic_pages` says.
  public var searchesMovableZones = true
  /// Whether frames of contiguous areas may be taken by a request that is not the area's own. Linux: never.
  public var takesContiguousAreas = false
  /// The unit in which ranges are isolated, at least a pageblock: nil for the pageblock. Kernels before 5.19 isolated blocks of
  /// their top order, so that one unmovable frame beside the range was in the way.
  public var isolationOrder: Order?
  /// Whether pages of huge pools move too that are as large as the range or larger: for who wants the memory gone, and not as one page.
  public var movesLargerPages = false
  /// How often a folio is tried that is busy, at least once.
  public var tries = TryCount(5)

  public init() {}
}

/// How often something is tried.
@frozen public struct TryCount: Amount {
  public let rawValue: UInt64
  @inlinable public init(rawValue: UInt64) { self.rawValue = rawValue }
  public var description: String { String(rawValue) }
}

/// Why a range was not had; the zones hold what they held, though movable folios may lie elsewhere.
public enum ContiguousError: Error, Hashable, Sendable {
  /// The range is empty, or nowhere in the zones.
  case noSuchRange(FrameRange)
  /// The range cannot be emptied.
  case refused(FrameRange, Obstacles)
  /// No range of the zones that were asked can be emptied; of the best one, what stands in its way. Nil where no range of that
  /// order lies in any of them.
  case exhausted(wanted: FrameCount, best: FrameRange?, Obstacles)
  /// The caller did not want to go on.
  case cancelled(moved: FrameCount)
}

/// A look at a range before anything is done.
public struct RangePlan: Hashable, Sendable {
  public let range: FrameRange
  public let zone: ZoneIndex
  /// What is isolated for it: whole pageblocks.
  public let isolation: FrameRange
  public internal(set) var free = FrameCount.zero
  /// Frames of folios that must be moved or dropped, those parts of them included that lie beyond the range.
  public internal(set) var moves = FrameCount.zero
  public internal(set) var obstacles = Obstacles()
  /// Parts of the range that are left alone, lowest first: they stand in nobody's way, and are not taken.
  public internal(set) var skipped: [FrameRange] = []
  /// What the rule says of it.
  public internal(set) var kind = RangeOutcome.Kind.free

  /// A plan of a range of which nothing is known yet.
  public init(range: FrameRange, zone: ZoneIndex, isolation: FrameRange) {
    self.range = range
    self.zone = zone
    self.isolation = isolation
  }

  /// Whether it can be emptied, so far as can be seen.
  public var isPossible: Bool { obstacles.isEmpty }

  /// The range without what is skipped, lowest first.
  public var taken: [FrameRange] { range.subtracting(skipped) }
}

extension FrameRange {
  /// What is left of the range beside `others`, lowest first. These are in rising order.
  public func subtracting(_ others: [FrameRange]) -> [FrameRange] {
    var left: [FrameRange] = []
    var place = start
    for other in others where other.overlaps(self) {
      if place < other.start { left.append(FrameRange(start: place, end: other.start)) }
      place = max(place, min(end, other.end))
    }
    if place < end { left.append(FrameRange(start: place, end: end)) }
    return left
  }
}
