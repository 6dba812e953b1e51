public import HugePools
public import MemoryUnits

/// What is to be mapped.
public enum MappingSource: Sendable {
  /// Memory of nobody's but the space's, in pages of a size: base pages, or huge ones out of their pool.
  case anonymous(PageSize)
  /// An object's pages: what is written is seen by all who map it.
  case shared(SharedObject, from: PageIndex)
  /// An object's pages until they are written; what is written is the space's own.
  case privately(SharedObject, from: PageIndex)
}

/// Where a mapping goes.
public enum MappingPlace: Hashable, Sendable {
  /// Into the lowest gap that is large enough.
  case anywhere
  /// There, or nowhere. Linux: `MAP_FIXED_NOREPLACE`.
  case at(VirtualAddress)
  /// There, in place of what is there. Linux: `MAP_FIXED`.
  case replacing(VirtualAddress)
}

/// How something is mapped.
public struct MappingOptions: Sendable {
  public var protection: Protection = [.read, .write]
  public var place = MappingPlace.anywhere
  /// Nodes that pages come from; nil for the space's own first.
  public var placement: HugePlacement?
  /// Whether huge pages are reserved at once, so that touching them cannot fail for want of pages of the pool. Linux: without
  /// `MAP_NORESERVE`.
  public var reserves = true
  /// Whether all pages are there at once. Linux: `MAP_POPULATE`; there failing to do so is not told.
  public var populates = false

  public init() {}
}
