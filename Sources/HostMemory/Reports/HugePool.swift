import MemoryUnits
import PhysicalLayout

/// The pool of one size of huge page, on the whole host or on one node.
public struct HugePool: Sendable, Hashable {
  public let size: PageSize
  /// Nil for the whole host.
  public let node: NodeID?
  public let total: HugePageCount
  public let free: HugePageCount
  /// Promised to mappings and not yet taken; known for the whole host only.
  public let reserved: HugePageCount?
  public let surplus: HugePageCount
  /// Pages that may be taken beyond the pool; known for the whole host only.
  public let overcommit: HugePageCount?

  /// Reads all pools: the host's, then each node's, sizes ascending.
  public static func all(of root: Sysroot, baseShift: PageShift) throws(HostFileError) -> [HugePool] {
    var pools = try read(root, node: nil, baseShift)
    for node in try root.nodeNumbers() { pools += try read(root, node: NodeID(node), baseShift) }
    return pools
  }

  /// The largest page that any architecture has is 16 GiB; larger ones in a name are damage.
  private static let largestShift: UInt8 = 40

  private static func read(_ root: Sysroot, node: NodeID?, _ baseShift: PageShift) throws(HostFileError) -> [HugePool] {
    let folder = HugePoolFiles.folder(of: node)
    var pools: [HugePool] = []
    for name in try root.list(folder) where name.hasPrefix("hugepages-") && name.hasSuffix("kB") {
      guard let kilobytes = UInt64(name.dropFirst(10).dropLast(2)), kilobytes < 1 << 50,
        let size = PageSize(exactly: .kibibytes(kilobytes)),
        size.shift.rawValue > baseShift.rawValue, size.shift.rawValue <= largestShift
      else { throw .damaged(path: "\(folder)/\(name)", line: nil, reason: "not a page size") }
      pools.append(try HugePoolFiles(size: size, node: node).read(of: root))
    }
    return pools.sorted { $0.size < $1.size }
  }
}

extension Sysroot {
  /// The numbers of the nodes that `/sys` lists, ascending.
  func nodeNumbers() throws(HostFileError) -> [UInt32] {
    try list("sys/devices/system/node").compactMap { $0.hasPrefix("node") ? UInt32($0.dropFirst(4)) : nil }.sorted()
  }
}
