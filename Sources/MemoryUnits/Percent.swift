/// A share in hundredths: 100 is the whole. More than the whole is a share as well, of something else than it is compared with.
@frozen public struct Percent: Quantity {
  public let rawValue: UInt64
  @inlinable public init(rawValue: UInt64) { self.rawValue = rawValue }
  public var description: String { "\(rawValue) %" }

  /// The share of `whole`, rounded down; exact otherwise, however large the whole is. Traps where the result exceeds 64 bits.
  @inlinable public func of<Whole: Amount>(_ whole: Whole) -> Whole {
    Whole(rawValue: whole.rawValue / 100 * rawValue + whole.rawValue % 100 * rawValue / 100)
  }
}
