import MemoryUnits

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

  /// Whether the kernel looks for pages of `order` in a zone of this name.
  public func searches(zoneNamed name: String, for order: Order) -> Bool {
    switch name {
    case "Device": false
    case "Movable": !isGigantic(order) || usesMovableZone
    default: true
    }
  }
}
