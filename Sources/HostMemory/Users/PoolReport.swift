public import MemoryUnits
public import PhysicalLayout

/// The pools of a host, who has their pages mapped, and where they are mounted.
public struct PoolReport: Sendable {
  /// The host's pools, then each node's; sizes ascending in each.
  public let pools: [HugePool]
  /// The size that a request without one means; nil where the host does not tell.
  ///
  /// Linux: `Hugepagesize` of `/proc/meminfo`.
  public let defaultSize: PageSize?
  public let users: [HugePageUser]
  public let mounts: [HugePageMount]

  /// Reads below `root`. Processes whose mappings may not be read are told with their sum alone.
  ///
  /// - Throws: `.missing` where the kernel has no pools.
  /// - Complexity: O(processes), and the mappings of those that have pool pages mapped.
  public init(of root: Sysroot) throws(HostFileError) {
    pools = try HugePool.all(of: root, baseShift: try HostReports.baseShift(of: root))
    guard !pools.isEmpty else { throw .missing(path: "sys/kernel/mm/hugepages") }
    defaultSize = try Self.defaultSize(of: root)
    users = try HugePageUser.all(of: root)
    mounts = try HugePageMount.all(of: root)
  }

  static func defaultSize(of root: Sysroot) throws(HostFileError) -> PageSize? {
    guard root.exists("proc/meminfo") else { return nil }
    let memory = try KeyedNumbers(parsing: try root.readText("proc/meminfo"), path: "proc/meminfo")
    return memory.bytes("Hugepagesize").flatMap(PageSize.init(exactly:))
  }
}

extension HugePool {
  /// Pages that the pool can grow to by itself; known for the whole host only.
  public var maximum: HugePageCount? {
    overcommit.map { HugePageCount(persistent.rawValue.addingReportingOverflow($0.rawValue).partialValue) }
  }
}
