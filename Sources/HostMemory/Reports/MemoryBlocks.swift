import MemoryUnits
import PhysicalLayout

/// The blocks in which the kernel brings memory online and takes it offline.
///
/// `removable` in the same folder says nothing: it is 1 for every block on kernels that can offline at all.
public struct MemoryBlocks: Sendable, Hashable {
  public let size: ByteCount
  /// Blocks that are there, ascending by index.
  public let blocks: [Block]

  public struct Block: Sendable, Hashable {
    public let index: MemoryBlockNumber
    public let isOnline: Bool
    /// The node that the block belongs to, where `/sys` says.
    public let node: NodeID?

    public init(index: MemoryBlockNumber, isOnline: Bool, node: NodeID?) {
      self.index = index
      self.isOnline = isOnline
      self.node = node
    }
  }

  public init(size: ByteCount, blocks: [Block]) {
    self.size = size
    self.blocks = blocks
  }

  /// Nil where the kernel has no such blocks (memory hotplug is not built in). Block 0 may be missing.
  public init?(of root: Sysroot) throws(HostFileError) {
    let folder = "sys/devices/system/memory"
    let sizePath = "\(folder)/block_size_bytes"
    guard root.exists(sizePath) else { return nil }
    guard let bytes = try root.readText(sizePath).prefix(while: { $0 != 0x0a }).hexadecimal,
      bytes.nonzeroBitCount == 1, (20...40).contains(bytes.trailingZeroBitCount)
    else { throw .damaged(path: sizePath, line: LineNumber(1), reason: "not a size of memory blocks in hexadecimal") }
    if root.exists(Self.runsPath) {
      self.init(size: ByteCount(bytes), blocks: try Self.parseRuns(try root.readText(Self.runsPath), size: bytes))
      return
    }

    var nodes: [UInt64: NodeID] = [:]
    for node in try root.nodeNumbers() {
      for index in Self.indices(try root.list("sys/devices/system/node/node\(node)")) { nodes[index] = NodeID(node) }
    }
    var blocks: [Block] = []
    for index in Self.indices(try root.list(folder)).sorted() {
      guard index < 1 << 48, !index.multipliedReportingOverflow(by: bytes).overflow else {
        throw .damaged(path: "\(folder)/memory\(index)", line: nil, reason: "block lies beyond any address")
      }
      let state: String
      do {
        state = try root.readLine("\(folder)/memory\(index)/state")
      } catch .missing {
        // The block was removed between listing and reading.
        continue
      }
      guard ["online", "offline", "going-offline"].contains(state) else {
        throw .damaged(path: "\(folder)/memory\(index)/state", line: LineNumber(1), reason: "unknown state \(state)")
      }
      blocks.append(Block(index: MemoryBlockNumber(index), isOnline: state != "offline", node: nodes[index]))
    }
    self.init(size: ByteCount(bytes), blocks: blocks)
  }

  private static func indices(_ names: [String]) -> [UInt64] {
    names.compactMap { $0.hasPrefix("memory") ? UInt64($0.dropFirst(6)) : nil }
  }

  /// The frames of a block.
  public func frames(of block: Block, baseShift: PageShift) -> FrameRange {
    let count = FrameCount(size, baseShift, rounded: .down)
    return FrameRange(start: FrameNumber(block.index.rawValue * count.rawValue), count: count)
  }
}
