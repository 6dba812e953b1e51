import MemoryUnits

/// How many 32-bit cells a device tree uses for an address or a size.
///
/// Linux: `#address-cells`, `#size-cells`.
public enum CellCount: UInt8, Hashable, Sendable {
  case one = 1
  case two = 2

  var byteCount: Int { Int(rawValue) * 4 }
}

/// A memory node of a device tree, as far as it says where memory is.
///
/// Linux: `early_init_dt_scan_memory`.
public struct DeviceTreeMemory: Hashable, Sendable {
  /// The node's path, for messages: `/memory@80000000`.
  public let path: [UInt8]
  /// The bytes of its `reg` property: big-endian pairs of address and size.
  public let reg: [UInt8]
  /// Its `numa-node-id`, where it has one.
  public let node: NodeID?
  /// Whether it has the property `hotpluggable`.
  public let isHotpluggable: Bool

  public init(path: [UInt8], reg: [UInt8], node: NodeID? = nil, isHotpluggable: Bool = false) {
    self.path = path
    self.reg = reg
    self.node = node
    self.isHotpluggable = isHotpluggable
  }

  /// The ranges that `reg` names; entries of zero bytes are left out.
  public func ranges(addressCells: CellCount, sizeCells: CellCount) throws(FirmwareMapError) -> [PhysicalRange] {
    let entry = addressCells.byteCount + sizeCells.byteCount
    guard reg.count % entry == 0 else {
      throw .truncatedProperty(length: ByteCount(UInt64(reg.count)), entry: ByteCount(UInt64(entry)))
    }
    var ranges: [PhysicalRange] = []
    var index = 0
    while index < reg.count {
      let start = PhysicalAddress(bigEndian(at: index, count: addressCells.byteCount))
      let size = ByteCount(bigEndian(at: index + addressCells.byteCount, count: sizeCells.byteCount))
      index += entry
      guard let range = PhysicalRange(checkedStart: start, count: size) else {
        throw .addressTooLarge(start: start, size: size)
      }
      if !range.isEmpty { ranges.append(range) }
    }
    return ranges
  }

  private func bigEndian(at index: Int, count: Int) -> UInt64 {
    reg[index..<(index + count)].reduce(0) { $0 << 8 | UInt64($1) }
  }
}

extension FirmwareMap {
  /// The usable ranges that a device tree's memory nodes name.
  public init(
    deviceTree nodes: [DeviceTreeMemory], addressCells: CellCount, sizeCells: CellCount
  ) throws(FirmwareMapError) {
    var entries: [Entry] = []
    for node in nodes {
      for range in try node.ranges(addressCells: addressCells, sizeCells: sizeCells) { entries.append(Entry(range, .usable)) }
    }
    guard !entries.isEmpty else { throw .noEntries }
    self.init(entries)
  }
}

extension NUMATopology {
  /// The nodes that a device tree's memory nodes name; nil where none of them has a `numa-node-id`.
  public init?(
    deviceTree nodes: [DeviceTreeMemory], addressCells: CellCount, sizeCells: CellCount
  ) throws(FirmwareMapError) {
    var found: [NodeRange] = []
    for node in nodes {
      guard let id = node.node else { continue }
      for range in try node.ranges(addressCells: addressCells, sizeCells: sizeCells) {
        found.append(NodeRange(range, node: id, isHotpluggable: node.isHotpluggable))
      }
    }
    guard !found.isEmpty else { return nil }
    self.init(found)
  }
}
