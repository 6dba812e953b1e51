public import MemoryUnits

/// The counters of a pool. Linux: the files of `/sys/kernel/mm/hugepages/hugepages-*kB`.
public struct HugePoolCounts: Hashable, Sendable {
  /// All pages, surplus ones included. Linux: `nr_hugepages`.
  public let total: PageCount
  /// Pages that nobody uses. Linux: `free_hugepages`.
  public let free: PageCount
  /// Free pages that are promised; which ones is not said. Linux: `resv_hugepages`.
  public let reserved: PageCount
  /// Pages beyond the size that was set. Linux: `surplus_hugepages`.
  public let surplus: PageCount
  /// How many surplus pages there may be. Linux: `nr_overcommit_hugepages`.
  public let overcommit: PageCount

  public init(total: PageCount, free: PageCount, reserved: PageCount, surplus: PageCount, overcommit: PageCount) {
    self.total = total
    self.free = free
    self.reserved = reserved
    self.surplus = surplus
    self.overcommit = overcommit
  }

  /// The size that was set, so far as it was reached.
  public var persistent: PageCount { total - surplus }
  /// Free pages that nobody was promised.
  public var available: PageCount { free - reserved }
}

/// The counters of a pool on one node. Reservations belong to no node.
///
/// Linux: the files of `/sys/devices/system/node/node*/hugepages`.
public struct HugePoolNodeCounts: Hashable, Sendable {
  public let total: PageCount
  public let free: PageCount
  public let surplus: PageCount

  public init(total: PageCount, free: PageCount, surplus: PageCount) {
    self.total = total
    self.free = free
    self.surplus = surplus
  }

  public var persistent: PageCount { total - surplus }
}
