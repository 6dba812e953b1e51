import FrameMap
public import MemoryUnits

/// How a zone keeps frames of different mobility apart.
public struct PageblockPolicy: Hashable, Sendable {
  /// What a request does that finds no room among pageblocks of its own mobility, and no wholly free pageblock.
  public enum Fallback: Hashable, Sendable {
    /// Takes from pageblocks of another mobility: it steals a pageblock that is mostly free or its like, else it pollutes one.
    ///
    /// Linux: `__rmqueue_claim`, `__rmqueue_steal`.
    case stealOrPollute
    /// Fails, though frames are free. What must not fail has to compact or reclaim then.
    case never
  }

  /// The unit of keeping apart, at least order 3. Linux: `pageblock_order`.
  public var order: Order
  /// A unit of pageblocks, above their own order: an unmovable or reclaimable request that needs another pageblock looks for one
  /// in a group that has such pageblocks already, so that other groups stay whole for gigantic pages. Nil for none, as on Linux.
  public var groupOrder: Order?
  public var fallback: Fallback

  public init(order: Order, groupOrder: Order? = nil, fallback: Fallback = .stealOrPollute) {
    self.order = max(order, PageblockMap.smallestOrder)
    self.groupOrder = groupOrder
    self.fallback = fallback
  }
}

/// How often pageblocks changed their mobility, or got frames of another one.
///
/// Linux: the tracepoint `mm_page_alloc_extfrag`, which tells of each.
public struct PageblockCounts: Hashable, Sendable {
  /// A wholly free pageblock became the request's.
  public var claimed: UInt64
  /// A pageblock with frames of another mobility in it became the request's.
  public var stolen: UInt64
  /// A request was served from a pageblock that stayed another mobility's.
  public var polluted: UInt64

  public init(claimed: UInt64 = 0, stolen: UInt64 = 0, polluted: UInt64 = 0) {
    self.claimed = claimed
    self.stolen = stolen
    self.polluted = polluted
  }

  public static func + (left: PageblockCounts, right: PageblockCounts) -> PageblockCounts {
    PageblockCounts(
      claimed: left.claimed + right.claimed, stolen: left.stolen + right.stolen, polluted: left.polluted + right.polluted)
  }
}

extension FrameMobility {
  /// Whose pageblocks are tried, in this order, where there is no room among its own. Nobody falls back to contiguous areas here:
  /// their frames are not in the zone's tree.
  ///
  /// Linux: `fallbacks` in the page allocator.
  var fallbacks: (first: FrameMobility, second: FrameMobility)? {
    switch self {
    case .unmovable: (.reclaimable, .movable)
    case .reclaimable: (.unmovable, .movable)
    case .movable: (.reclaimable, .unmovable)
    case .contiguous: nil
    }
  }
}
