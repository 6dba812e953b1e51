import MemoryUnits

/// A range of addresses that belongs to a node, whether there is memory or not.
///
/// Linux: `struct numa_memblk`.
public struct NodeRange: Hashable, Sendable {
  public let range: PhysicalRange
  public let node: NodeID
  /// Whether the firmware says that memory there may come and go while running.
  public let isHotpluggable: Bool

  public init(_ range: PhysicalRange, node: NodeID, isHotpluggable: Bool = false) {
    self.range = range
    self.node = node
    self.isHotpluggable = isHotpluggable
  }
}

/// Which node addresses belong to, as the firmware says it: ACPI's resource affinity table, or a device tree.
///
/// Linux: `struct numa_meminfo`.
public struct NUMATopology: Hashable, Sendable {
  /// In the firmware's order, which node emulation follows.
  public let ranges: [NodeRange]

  public init(_ ranges: [NodeRange]) { self.ranges = ranges }

  /// A machine of one node.
  public static let singleNode = NUMATopology([NodeRange(.everything, node: NodeID(0))])
}
