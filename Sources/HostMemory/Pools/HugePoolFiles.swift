public import MemoryUnits
public import PhysicalLayout

/// The files of one pool of huge pages: of the whole host, or of one node.
///
/// Linux: `/sys/kernel/mm/hugepages/hugepages-NkB`, `/sys/devices/system/node/nodeN/hugepages/hugepages-NkB`.
public struct HugePoolFiles: Hashable, Sendable {
  public let size: PageSize
  /// Nil for the whole host.
  public let node: NodeID?

  public init(size: PageSize, node: NodeID?) {
    self.size = size
    self.node = node
  }

  /// The folder in which pools of the host, or of a node, stand.
  static func folder(of node: NodeID?) -> String {
    node.map { "sys/devices/system/node/node\($0)/hugepages" } ?? "sys/kernel/mm/hugepages"
  }

  public var folder: String { "\(Self.folder(of: node))/hugepages-\(size.bytes.rawValue >> 10)kB" }
  /// The file that grows and shrinks the pool.
  public var totalPath: String { "\(folder)/nr_hugepages" }
  /// The file that says how many pages may be taken beyond the pool; of the whole host only.
  public var overcommitPath: String { "\(folder)/nr_overcommit_hugepages" }

  /// What the pool has now. The numbers are read one after the other, so that they may differ by pages taken in between.
  public func read(of root: Sysroot) throws(HostFileError) -> HugePool {
    let isHost = node == nil
    return HugePool(
      size: size, node: node, total: HugePageCount(try root.readNumber(totalPath)),
      free: HugePageCount(try root.readNumber("\(folder)/free_hugepages")),
      reserved: isHost ? HugePageCount(try root.readNumber("\(folder)/resv_hugepages")) : nil,
      surplus: HugePageCount(try root.readNumber("\(folder)/surplus_hugepages")),
      overcommit: isHost ? HugePageCount(try root.readNumber(overcommitPath)) : nil)
  }

  /// Asks the kernel for a pool of so many pages, surplus ones not counted. It may give fewer without an error: read again.
  ///
  /// A pool that shrinks below what is in use keeps those pages as surplus, and frees each with its last user.
  public func setPersistent(
    _ count: HugePageCount, through host: any HostControl, limit: Duration? = nil
  ) throws(HostWriteError) {
    try host.set(totalPath, to: "\(count)", limit: limit)
  }

  /// Sets how many pages may be taken beyond the pool. Traps for a node's pool, which has no such setting.
  public func setOvercommit(_ count: HugePageCount, through host: any HostControl) throws(HostWriteError) {
    precondition(node == nil, "a node's pool has no overcommit")
    try host.set(overcommitPath, to: "\(count)")
  }
}

extension HugePool {
  /// The pool's files.
  public var files: HugePoolFiles { HugePoolFiles(size: size, node: node) }

  /// Pages that the pool keeps: those that a write to its size counts. Surplus pages go with their last user.
  ///
  /// Linux: `persistent_huge_pages`.
  public var persistent: HugePageCount { total.saturatingSubtracting(surplus) }

  /// Pages that neither hold anything nor are promised. A node does not know what is promised; its free pages count all.
  public var unused: HugePageCount { free.saturatingSubtracting(reserved ?? .zero) }
}
