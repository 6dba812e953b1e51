import MemoryUnits
import PhysicalLayout

/// A zone's free blocks by order, as `/proc/buddyinfo` prints them.
public struct FreeLists: Sendable, Hashable {
  public let node: NodeID
  public let zone: String
  /// Blocks, by order from 0.
  public let blocks: [UInt64]

  /// The highest order of which a block is free.
  public var largestOrder: Order? {
    blocks.lastIndex { $0 > 0 }.map { Order(UInt8(clamping: $0)) }
  }

  /// The number of orders that the kernel's allocator keeps lists for, less one.
  public var topOrder: Order? { blocks.isEmpty ? nil : Order(UInt8(clamping: blocks.count - 1)) }

  public static func parse(_ content: [UInt8], path: String) throws(HostFileError) -> [FreeLists] {
    var zones: [FreeLists] = []
    for (number, line) in TextLines(content) {
      let fields = line.fields
      if fields.isEmpty { continue }
      guard fields.count >= 4, fields[0] == "Node", fields[2] == "zone",
        let id = fields[1].dropLast().decimal, let node = UInt32(exactly: id)
      else { throw .damaged(path: path, line: number, reason: "not a line of free lists") }
      var blocks: [UInt64] = []
      for field in fields[4...] {
        guard let count = field.decimal, count < 1 << 40 else {
          throw .damaged(path: path, line: number, reason: "not a count of blocks: \(field.text)")
        }
        blocks.append(count)
      }
      guard (1...32).contains(blocks.count), zones.allSatisfy({ $0.blocks.count == blocks.count }) else {
        throw .damaged(path: path, line: number, reason: "\(blocks.count) orders, unlike other lines or any kernel")
      }
      zones.append(FreeLists(node: NodeID(node), zone: fields[3].text, blocks: blocks))
    }
    return zones
  }
}

/// How many pageblocks of each mobility a zone has, as `/proc/pagetypeinfo` prints them.
public struct PageblockCounts: Sendable, Hashable {
  public let node: NodeID
  public let zone: String
  /// Mobility name and pageblocks, in the file's order.
  public let blocks: [Mobility]

  public struct Mobility: Sendable, Hashable {
    public let name: String
    public let count: UInt64
  }

  public func count(_ mobility: String) -> UInt64 { blocks.first { $0.name == mobility }?.count ?? 0 }
}

/// `/proc/pagetypeinfo`.
public struct PageTypeReport: Sendable, Hashable {
  /// The order of a pageblock.
  public let pageblockOrder: Order
  public let zones: [PageblockCounts]

  /// Reads the file. Free lists too long to count print as `>100000`; they carry no figure and are passed over.
  public init(parsing content: [UInt8], path: String) throws(HostFileError) {
    var order: Order?
    var names: [String] = []
    var isCountingBlocks = false
    var zones: [PageblockCounts] = []
    for (number, line) in TextLines(content) {
      if line.starts(with: "Page block order:") {
        guard let value = line.fields.last?.decimal, value < 64 else {
          throw .damaged(path: path, line: number, reason: "not an order")
        }
        order = Order(UInt8(value))
      } else if line.starts(with: "Number of blocks type") {
        names = line.fields.dropFirst(4).map(\.text)
        isCountingBlocks = true
      } else if line.starts(with: "Free pages count") {
        isCountingBlocks = false
      } else if isCountingBlocks, line.starts(with: "Node") {
        zones.append(try Self.counts(line.fields, names, path, number))
      }
    }
    guard let order else { throw .damaged(path: path, line: LineNumber(1), reason: "no page block order") }
    pageblockOrder = order
    self.zones = zones
  }

  private static func counts(
    _ fields: [ArraySlice<UInt8>], _ names: [String], _ path: String, _ line: LineNumber
  ) throws(HostFileError) -> PageblockCounts {
    guard fields.count == names.count + 4, fields[2] == "zone",
      let id = fields[1].dropLast().decimal, let node = UInt32(exactly: id)
    else { throw .damaged(path: path, line: line, reason: "not a line of \(names.count) block counts") }
    var blocks: [PageblockCounts.Mobility] = []
    for (name, field) in zip(names, fields[4...]) {
      guard let count = field.decimal else {
        throw .damaged(path: path, line: line, reason: "not a number: \(field.text)")
      }
      blocks.append(.init(name: name, count: count))
    }
    return PageblockCounts(node: NodeID(node), zone: fields[3].text, blocks: blocks)
  }
}
