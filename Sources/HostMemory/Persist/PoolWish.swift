public import MemoryUnits
public import PhysicalLayout

/// So many pages of a size that are to be there after every boot, on one node or anywhere.
public struct PoolWish: Sendable, Hashable {
  public let size: PageSize
  /// Nil for the whole host: the kernel spreads them evenly.
  public let node: NodeID?
  public let count: HugePageCount

  public init(size: PageSize, node: NodeID?, count: HugePageCount) {
    self.size = size
    self.node = node
    self.count = count
  }

  /// Memory that the pages take; nil where it exceeds 64 bits.
  var bytes: ByteCount? {
    let (bytes, overflowed) = size.bytes.rawValue.multipliedReportingOverflow(by: count.rawValue)
    return overflowed ? nil : ByteCount(bytes)
  }
}

/// Why a text names no pages.
public enum PoolWishError: Error, Hashable, Sendable, CustomStringConvertible {
  /// Not `SIZE:COUNT` and not `NODE:SIZE:COUNT`.
  case shape(String)
  case size(String)
  case node(String)
  case count(String)
  /// More memory than 64 bits count.
  case tooLarge(String)

  public var description: String {
    switch self {
    case .shape(let text): "'\(text)' is not SIZE:COUNT or NODE:SIZE:COUNT, as in 1G:16 or 0:1G:8"
    case .size(let text): "'\(text)' is not a page size, as 2M or 1G are"
    case .node(let text): "'\(text)' is not a node's number"
    case .count(let text): "'\(text)' is not a number of pages"
    case .tooLarge(let text): "'\(text)' is more memory than there can be"
    }
  }
}

extension PoolWish {
  /// Reads `1G:16`, `0:1G:8`, and several of them with commas between.
  public static func parse(_ text: String) throws(PoolWishError) -> [PoolWish] {
    var wishes: [PoolWish] = []
    for part in text.split(separator: ",", omittingEmptySubsequences: false) {
      let fields = part.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
      guard fields.count == 2 || fields.count == 3 else { throw .shape(String(part)) }
      var node: NodeID?
      if fields.count == 3 {
        guard let number = decimal(fields[0]).flatMap(UInt32.init(exactly:)) else { throw .node(fields[0]) }
        node = NodeID(number)
      }
      let sizeText = fields[fields.count - 2]
      guard let bytes = try? ByteCount(parsing: sizeText), let size = PageSize(exactly: bytes) else { throw .size(sizeText) }
      guard let count = decimal(fields[fields.count - 1]) else { throw .count(fields[fields.count - 1]) }
      let wish = PoolWish(size: size, node: node, count: HugePageCount(count))
      guard wish.bytes != nil else { throw .tooLarge(String(part)) }
      wishes.append(wish)
    }
    return wishes
  }

  /// Digits alone: a sign or a blank is a mistake.
  private static func decimal(_ text: String) -> UInt64? { Array(text.utf8)[...].decimal }
}
