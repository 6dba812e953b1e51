public import FrameMap
public import MemoryUnits
public import PhysicalLayout

/// What one range holds, for ``RangeRule``: frames by what would have to be done about them.
///
/// Whoever knows the frames fills it in: the zones of a machine, or a reader of a host's files.
public struct RangeContents: Hashable, Sendable {
  /// How pages of huge pools lie in a range.
  public enum HugePages: Hashable, Sendable {
    case none
    /// Each is smaller than the range.
    case smaller
    /// The range is one page.
    case whole
    /// The range lies inside a larger page, or one that is no smaller reaches into it.
    case larger
  }

  public var free = FrameCount.zero
  /// Frames that must move elsewhere, pages of huge pools aside.
  public var movable = FrameCount.zero
  /// Frames whose content can simply be given up.
  public var droppable = FrameCount.zero
  public var hugePages = HugePages.none
  /// Frames of pages of huge pools, and the first of them.
  public var hugeFrames = FrameCount.zero
  public var firstHugeFrame: FrameNumber?
  /// What stands in the way whatever the policy, pages of huge pools aside.
  public var obstacles = Obstacles()

  public init() {}
}

/// What comes of a range that somebody wants as one page.
public struct RangeOutcome: Hashable, Sendable {
  public enum Kind: Hashable, Sendable {
    /// It is a pool's page of that size already.
    case held
    case free
    /// Some frames must move or be dropped first. Whether there is room for them is asked when they move.
    case movable
    case blocked
    /// Never tried: no memory, a border, a zone that is not searched.
    case excluded
  }

  public let kind: Kind
  /// Frames that must move or be dropped first.
  public let moves: FrameCount
  /// What stands in the way, pages of huge pools included that do not move. A range that is held stands in its own way.
  public let obstacles: Obstacles

  /// Whether it can be had, so far as can be seen.
  public var isPossible: Bool { kind == .free || kind == .movable }
}

/// Which ranges can become one page: the one rule of it, for machines of this engine and for hosts that are only looked at.
///
/// A range is had where every frame is free, moves, or can be dropped. *Gigantic pages*, above the order that an allocator keeps,
/// come from contiguous ranges: some zones are not searched, and smaller pages of pools may or may not move. Smaller ones come from
/// the allocator's lists and its compaction, which moves no page of a pool.
///
/// Linux: `pfn_range_valid_contig`, `has_unmovable_pages`; `alloc_buddy_hugetlb_folio`.
public struct RangeRule: Hashable, Sendable {
  /// Where pages come from.
  public enum Source: Hashable, Sendable {
    case lists
    case contiguousRange
  }

  public let source: Source
  /// Smaller pages of huge pools inside the range; only a contiguous range can move them.
  public let hugePages: ContiguousPolicy.HugePages
  /// Whether contiguous ranges are looked for in movable zones. Lists are used in every zone.
  public let searchesMovableZones: Bool

  /// The rule for ranges of any length.
  public init(_ policy: ContiguousPolicy) {
    source = .contiguousRange
    hugePages = policy.hugePages
    searchesMovableZones = policy.searchesMovableZones
  }

  /// The rule for pages of `order` where the allocator's lists end at `topOrder`.
  public init(for order: Order, topOrder: Order, _ policy: ContiguousPolicy) {
    source = order > topOrder ? .contiguousRange : .lists
    hugePages = policy.hugePages
    searchesMovableZones = policy.searchesMovableZones
  }

  /// Whether pages are looked for in zones of that kind. Linux: `gfp_zone` of the pool's request.
  public func searches(_ kind: ZoneKind) -> Bool { kind != .movable || source == .lists || searchesMovableZones }

  /// What stands in the way of moving a folio elsewhere; nil for one that moves, and for pages of huge pools, which
  /// ``outcome(_:isSearched:)`` decides on.
  public static func obstacle(_ shape: FrameShape) -> Obstacle? {
    switch shape.kind {
    case .reserved: .reserved
    case .memmap: .memmap
    case .pageTable: .pageTable
    case .device: .device
    case .isolated: .isolated
    case .hugePool: nil
    case .ordinary:
      switch shape.mobility {
      case .movable, .contiguous: nil
      case .unmovable: .unmovable
      case .reclaimable: .reclaimable
      }
    }
  }

  /// What comes of a range.
  ///
  /// - Parameter isSearched: whether it lies in a zone that is searched.
  public func outcome(_ contents: RangeContents, isSearched: Bool = true) -> RangeOutcome {
    var obstacles = contents.obstacles
    var moves = contents.movable + contents.droppable
    switch contents.hugePages {
    case .none: break
    case .smaller where source == .contiguousRange && hugePages == .migrate: moves += contents.hugeFrames
    case .smaller, .larger, .whole:
      obstacles.add(.hugePage, contents.hugeFrames, first: contents.firstHugeFrame ?? FrameNumber(0))
    }
    let kind: RangeOutcome.Kind
    if contents.hugePages == .whole {
      kind = .held
    } else if !isSearched || obstacles[.hole] > .zero || obstacles[.border] > .zero {
      kind = .excluded
    } else if !obstacles.isEmpty {
      kind = .blocked
    } else {
      kind = moves == .zero ? .free : .movable
    }
    return RangeOutcome(kind: kind, moves: moves, obstacles: obstacles)
  }

  /// Whether an allocator makes a page of its lists' orders out of the range in passing: at most an eighth of its frames must
  /// move. Where more must, real compaction gives up early or late, from one try to the next.
  public static func isMadeInPassing(moves: FrameCount, of frames: FrameCount) -> Bool { moves.rawValue <= frames.rawValue / 8 }
}
