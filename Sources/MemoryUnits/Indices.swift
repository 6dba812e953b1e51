/// A NUMA node.
///
/// Linux: `int nid`.
@frozen public struct NodeID: Comparable, Hashable, Sendable, CustomStringConvertible {
  public let rawValue: UInt32
  @inlinable public init(_ rawValue: UInt32) { self.rawValue = rawValue }
  @inlinable public static func < (left: NodeID, right: NodeID) -> Bool { left.rawValue < right.rawValue }
  public var description: String { String(rawValue) }
}

/// The index of a processor, as its owner counts them. The engine never asks which one it runs on; callers say.
@frozen public struct CPUIndex: Comparable, Hashable, Sendable, CustomStringConvertible {
  public let rawValue: UInt32
  @inlinable public init(_ rawValue: UInt32) { self.rawValue = rawValue }
  @inlinable public static func < (left: CPUIndex, right: CPUIndex) -> Bool { left.rawValue < right.rawValue }
  public var description: String { String(rawValue) }
}
