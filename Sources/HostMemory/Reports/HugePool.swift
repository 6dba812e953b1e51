import MemoryUnits

/// The pool of one size of huge page, on the whole host or on one node.
public struct HugePool: Sendable, Hashable {
  public let size: PageSize
  /// Nil for the whole host.
  public let node: NodeID?
  public let total: UInt64
  public let free: UInt64
  /// Promised to mappings and not yet taken; known for the whole host only.
  public let reserved: UInt64?
  public let surplus: UInt64
  /// Pages that may be taken beyond the pool; known for the whole host only.
  public let overcommit: UInt64?

  /// Reads all pools: the host's, then each node's, sizes ascending.
  public static func all(of root: Sysroot) throws(HostFileError) -> [HugePool] {
    var pools = try read(root, "sys/kernel/mm/hugepages", node: nil)
    for node in root.nodeNumbers {
      pools += try read(root, "sys/devices/system/node/node\(node)/hugepages", node: NodeID(node))
    }
    return pools
  }

  private static func read(_ root: Sysroot, _ folder: String, node: NodeID?) throws(HostFileError) -> [HugePool] {
    var pools: [HugePool] = []
    for name in root.list(folder) where name.hasPrefix("hugepages-") && name.hasSuffix("kB") {
      guard let kilobytes = UInt64(name.dropFirst(10).dropLast(2)), kilobytes < 1 << 50,
        let size = PageSize(exactly: .kibibytes(kilobytes))
      else { throw .damaged(path: "\(folder)/\(name)", line: 0, reason: "not a page size") }
      let path = "\(folder)/\(name)"
      pools.append(
        HugePool(
          size: size, node: node,
          total: try root.readNumber("\(path)/nr_hugepages"),
          free: try root.readNumber("\(path)/free_hugepages"),
          reserved: node == nil ? try root.readNumber("\(path)/resv_hugepages") : nil,
          surplus: try root.readNumber("\(path)/surplus_hugepages"),
          overcommit: node == nil ? try root.readNumber("\(path)/nr_overcommit_hugepages") : nil))
    }
    return pools.sorted { $0.size < $1.size }
  }
}

extension Sysroot {
  /// The numbers of the nodes that `/sys` lists, ascending.
  var nodeNumbers: [UInt32] {
    list("sys/devices/system/node").compactMap { $0.hasPrefix("node") ? UInt32($0.dropFirst(4)) : nil }.sorted()
  }
}
