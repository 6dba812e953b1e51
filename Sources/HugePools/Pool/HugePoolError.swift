public import MemoryUnits

/// Why a pool refused; its counters are as before.
public enum HugePoolError: Error, Hashable, Sendable {
  /// There is no pool of that size.
  case noSuchSize(PageSize)
  /// So many pages cannot be reserved: so many are free and not reserved, and the rest cannot be had from the zones, or is more than
  /// the overcommit limit allows.
  case notEnough(wanted: PageCount, available: PageCount)
  /// No page for a user: none that the placement allows is free and for that user, and none can be had beyond the pool's size.
  /// Linux: the fault ends in `SIGBUS`.
  case noPage(PageSize, free: PageCount, reserved: PageCount)
  /// A subpool would pass its maximum.
  case subpoolFull(wanted: PageCount, maximum: PageCount, used: PageCount)
  /// Pages cannot leave the pool, because that many are reserved.
  case reservedByOthers(PageSize, wanted: PageCount, free: PageCount, reserved: PageCount)
  /// Pages are made smaller only, and only of a size that has a pool.
  case notDemotable(from: PageSize, to: PageSize)
  /// Every free page of the pool is reserved, or none is free.
  case inUse(PageSize, free: PageCount, reserved: PageCount)
}
