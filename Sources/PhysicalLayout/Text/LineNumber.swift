/// The number of a line in a text that was parsed; the first is 1.
@frozen public struct LineNumber: Comparable, Hashable, Sendable, CustomStringConvertible {
  public let rawValue: UInt64

  @inlinable public init(_ rawValue: UInt64) { self.rawValue = rawValue }
  @inlinable public static func < (left: LineNumber, right: LineNumber) -> Bool { left.rawValue < right.rawValue }
  public var description: String { String(rawValue) }
}
