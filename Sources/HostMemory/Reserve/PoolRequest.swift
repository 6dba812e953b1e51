public import MemoryUnits
public import PhysicalLayout

/// What an operator asks of a pool: `1G:16` pages in all, `1G:+4` more than there are, `0:1G:8` on one node.
public struct PoolRequest: Hashable, Sendable {
  public enum Amount: Hashable, Sendable {
    /// The pool has so many pages afterwards.
    case total(HugePageCount)
    /// The pool has so many more than before.
    case more(HugePageCount)
  }

  public let size: PageSize
  /// Nil where any node will do.
  public let node: NodeID?
  public let amount: Amount

  public init(size: PageSize, node: NodeID? = nil, amount: Amount) {
    self.size = size
    self.node = node
    self.amount = amount
  }

  /// Reads one or several requests, separated by commas.
  public static func parse(_ text: String) throws(PoolRequestError) -> [PoolRequest] {
    var requests: [PoolRequest] = []
    for item in text.split(separator: ",", omittingEmptySubsequences: false) { requests.append(try parse(one: String(item))) }
    return requests
  }

  private static func parse(one text: String) throws(PoolRequestError) -> PoolRequest {
    let parts = text.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
    guard parts.count == 2 || parts.count == 3 else { throw .form(text) }
    var node: NodeID?
    if parts.count == 3 {
      guard let number = UInt32(parts[0]) else { throw .node(parts[0]) }
      node = NodeID(number)
    }
    let sizeText = parts[parts.count - 2]
    guard let bytes = try? ByteCount(parsing: sizeText), let size = PageSize(exactly: bytes) else { throw .size(sizeText) }
    let amountText = parts[parts.count - 1]
    let isMore = amountText.hasPrefix("+")
    let digits = isMore ? amountText.dropFirst() : amountText[...]
    guard digits.allSatisfy(\.isASCII), let number = UInt64(digits), !digits.hasPrefix("+"), number <= largestCount else {
      throw .count(amountText)
    }
    return PoolRequest(size: size, node: node, amount: isMore ? .more(HugePageCount(number)) : .total(HugePageCount(number)))
  }

  /// No host has as many pages; sums and products of such counts cannot overflow.
  private static let largestCount: UInt64 = 1 << 32
}

extension PoolRequest: CustomStringConvertible {
  public var description: String {
    let count =
      switch amount {
      case .total(let count): "\(count)"
      case .more(let count): "+\(count)"
      }
    return (node.map { "\($0):" } ?? "") + "\(size):\(count)"
  }
}

/// Why a text is not a request, or requests do not fit a host.
public enum PoolRequestError: Error, Hashable, Sendable {
  /// Not `SIZE:COUNT` or `NODE:SIZE:COUNT`.
  case form(String)
  case node(String)
  case size(String)
  case count(String)
  /// The host has no pages of this size; those that it has.
  case unknownSize(PageSize, known: [PageSize])
  /// The host has no such node; those that it has.
  case unknownNode(NodeID, known: [NodeID])
  /// A size is asked for twice on the same node, or both with and without a node.
  case ambiguous(PageSize)
}

extension PoolRequestError: CustomStringConvertible {
  public var description: String {
    func list(_ values: some Sequence<some CustomStringConvertible>) -> String {
      values.map(\.description).joined(separator: ", ")
    }
    switch self {
    case .form(let text): return "'\(text)' is not SIZE:COUNT, as 1G:16, 1G:+4 or 0:1G:8."
    case .node(let text): return "'\(text)' is not the number of a node. Write NODE:SIZE:COUNT, as 0:1G:8."
    case .size(let text): return "'\(text)' is not the size of a page. Write it as 1G or 2M."
    case .count(let text): return "'\(text)' is not a count of pages. Write 16 for that many in all, +4 for so many more."
    case .unknownSize(let size, let known): return "this host has no \(size) pages. Use one of \(list(known))."
    case .unknownNode(let node, let known): return "this host has no node \(node). Use one of \(list(known))."
    case .ambiguous(let size):
      return "\(size) is asked for twice for the same memory. Name each node once, or none."
    }
  }
}
