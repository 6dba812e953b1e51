import MemoryUnits
import Mobility
import PhysicalLayout

/// What differs between kernels in how they find large pages.
public struct KernelPolicy: Sendable, Hashable {
  /// The largest order that the page allocator itself keeps; larger pages come from contiguous ranges.
  ///
  /// Linux: `MAX_PAGE_ORDER`.
  public var topOrder: Order
  /// Linux: `pageblock_order`.
  public var pageblockOrder: Order
  /// Whether gigantic pages may come from a movable zone.
  ///
  /// Linux: never before 7.0; since then as `vm.movable_gigantic_pages` says.
  public var usesMovableZone: Bool
  /// Whether smaller pool pages inside a range are moved away. Before Linux 7.0 such a range is passed over.
  public var movesSmallerHugePages: Bool

  public init(topOrder: Order, pageblockOrder: Order, usesMovableZone: Bool, movesSmallerHugePages: Bool) {
    self.topOrder = topOrder
    self.pageblockOrder = pageblockOrder
    self.usesMovableZone = usesMovableZone
    self.movesSmallerHugePages = movesSmallerHugePages
  }

  /// Whether pages of `order` come from contiguous ranges (Linux: `alloc_contig_pages`) and not from the free lists.
  public func isGigantic(_ order: Order) -> Bool { order > topOrder }

  /// How the kernel looks for contiguous ranges, in the engine's terms.
  ///
  /// - Parameter order: of the pages that are wanted; compaction, which makes those of the lists, moves no pool page.
  public func contiguous(for order: Order) -> ContiguousPolicy {
    var policy = ContiguousPolicy()
    policy.hugePages = isGigantic(order) && movesSmallerHugePages ? .migrate : .refuse
    policy.searchesMovableZones = usesMovableZone
    // A contiguous area carries no mark that could be seen; its frames count as any.
    policy.takesContiguousAreas = true
    return policy
  }

  /// Which ranges can become pages of `order`.
  public func rule(for order: Order) -> RangeRule { RangeRule(for: order, topOrder: topOrder, contiguous(for: order)) }

  /// Whether the kernel looks for pages of `order` in a zone of this name.
  public func searches(zoneNamed name: String, for order: Order) -> Bool {
    // Device memory is nobody's to give.
    name != "Device" && rule(for: order).searches(ZoneKind(named: name) ?? .normal)
  }
}
