/// An amount of pages of one size, which the context names.
///
/// Linux: `nr_huge_pages` and its like.
@frozen public struct PageCount: Amount {
  public let rawValue: UInt64
  @inlinable public init(rawValue: UInt64) { self.rawValue = rawValue }
  public var description: String { String(rawValue) }
}

/// The place of a page in a file, in pages of the file's size.
///
/// Linux: `pgoff_t`.
@frozen public struct PageIndex: Position {
  public typealias Distance = PageCount
  public let rawValue: UInt64
  @inlinable public init(rawValue: UInt64) { self.rawValue = rawValue }
  public var description: String { String(rawValue) }
}
