public import MemoryUnits

/// What the operator allows beyond asking the pools. The raw values are what `--allow` takes.
public enum ReservePermission: String, Sendable, CaseIterable, Hashable {
  /// Free unused pages of smaller pools.
  case shrinkPools = "shrink-pools"
  /// Drop clean file cache and slab objects.
  case dropCaches = "drop-caches"
  /// Touch memory that the kernel has not handed over yet, in a child process.
  case touch
  /// Take blocks of memory offline and bring them back.
  case offline
}

/// How a reservation goes about it.
public struct ReserveOptions: Sendable {
  public var allowed: Set<ReservePermission> = []
  /// Memory that must stay available on each node; nil for the default of the node.
  public var margin: ByteCount?
  /// Ends the work after so long; nil for no end.
  public var timeout: Duration?
  /// At most so much memory is asked for by one write, and at least one page.
  public var maxStep = ByteCount.gibibytes(4)
  /// Spread pages of requests without a node evenly over all nodes.
  public var isEven = false
  /// Return what was got where not all can be had.
  public var rollsBack = false
  /// Touch memory even where a hypervisor may take free memory back.
  public var forcesTouch = false
  /// The longest that one block may take to go offline.
  public var blockLimit = Duration.seconds(10)

  public init() {}

  /// The default margin of a node: the larger of 5 % of its memory and 1 GiB.
  public static func defaultMargin(of memory: ByteCount) -> ByteCount {
    max(ByteCount(memory.rawValue / 20), .gibibytes(1))
  }
}
