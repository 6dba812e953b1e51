/// A value of one unit, stored in 64 bits.
///
/// Two units never meet in one expression unless a conversion is spelled out, which is the whole point: a size
/// in bytes cannot be compared with a number of frames.
public protocol Quantity: RawRepresentable, Comparable, Hashable, Sendable, CustomStringConvertible
where RawValue == UInt64 {
  /// Wraps a bare number; every number is a valid value of the unit.
  init(rawValue: UInt64)
}

extension Quantity {
  /// Wraps a bare number.
  @inlinable public init(_ rawValue: UInt64) { self.init(rawValue: rawValue) }

  /// The quantity 0.
  @inlinable public static var zero: Self { Self(rawValue: 0) }

  @inlinable public static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
}

/// An amount: the difference of two positions. Amounts add up and scale; overflow traps.
public protocol Amount: Quantity {}

extension Amount {
  @inlinable public static func + (left: Self, right: Self) -> Self { Self(rawValue: left.rawValue + right.rawValue) }
  @inlinable public static func - (left: Self, right: Self) -> Self { Self(rawValue: left.rawValue - right.rawValue) }
  @inlinable public static func * (left: Self, right: UInt64) -> Self { Self(rawValue: left.rawValue * right) }
  @inlinable public static func += (left: inout Self, right: Self) { left = left + right }
  @inlinable public static func -= (left: inout Self, right: Self) { left = left - right }

  /// How many whole times `other` fits. Traps when `other` is zero.
  @inlinable public static func / (left: Self, other: Self) -> UInt64 { left.rawValue / other.rawValue }

  /// What is left after taking `other` as often as it fits. Traps when `other` is zero.
  @inlinable public static func % (left: Self, other: Self) -> Self { Self(rawValue: left.rawValue % other.rawValue) }

  /// The difference, or zero where `other` is the larger one.
  @inlinable public func saturatingSubtracting(_ other: Self) -> Self {
    self > other ? self - other : .zero
  }
}

/// A place on a line of frames or bytes. Places differ by an ``Amount``; they do not add up.
public protocol Position: Quantity {
  /// The unit of the distance between two places.
  associatedtype Distance: Amount
}

extension Position {
  @inlinable public static func + (left: Self, right: Distance) -> Self {
    Self(rawValue: left.rawValue + right.rawValue)
  }
  @inlinable public static func - (left: Self, right: Distance) -> Self {
    Self(rawValue: left.rawValue - right.rawValue)
  }
  @inlinable public static func += (left: inout Self, right: Distance) { left = left + right }
  @inlinable public static func -= (left: inout Self, right: Distance) { left = left - right }

  /// The distance from `right` up to `left`. Traps when `left` lies below `right`.
  @inlinable public static func - (left: Self, right: Self) -> Distance {
    Distance(rawValue: left.rawValue - right.rawValue)
  }

  /// Whether the place is a multiple of `alignment`, a power of two.
  @inlinable public func isAligned(to alignment: Distance) -> Bool {
    alignment.requirePowerOfTwo()
    return rawValue & (alignment.rawValue &- 1) == 0
  }

  /// The nearest multiple of `alignment` (a power of two) in the named direction. Rounding up past the last
  /// representable place traps.
  @inlinable public func aligned(to alignment: Distance, _ direction: Rounding) -> Self {
    Self(rawValue: rawValue.aligned(to: alignment.rawValue, direction))
  }
}

extension Amount {
  /// The nearest multiple of `alignment` (a power of two) in the named direction.
  @inlinable public func aligned(to alignment: Self, _ direction: Rounding) -> Self {
    Self(rawValue: rawValue.aligned(to: alignment.rawValue, direction))
  }

  @inlinable func requirePowerOfTwo() {
    precondition(rawValue != 0 && rawValue & (rawValue &- 1) == 0, "alignment is not a power of two")
  }
}

/// The direction in which a conversion that cannot be exact moves its value. There is no default.
@frozen public enum Rounding: Sendable {
  case down, up
}

extension UInt64 {
  @inlinable func aligned(to alignment: UInt64, _ direction: Rounding) -> UInt64 {
    precondition(alignment != 0 && alignment & (alignment &- 1) == 0, "alignment is not a power of two")
    switch direction {
    case .down: return self & ~(alignment &- 1)
    case .up: return (self + (alignment &- 1)) & ~(alignment &- 1)
    }
  }

  /// `self / 2^shift`, moved in the named direction.
  @inlinable func shiftedRight(_ shift: PageShift, _ direction: Rounding) -> UInt64 {
    let whole = self &>> UInt64(shift.rawValue)
    let isExact = whole &<< UInt64(shift.rawValue) == self
    return direction == .up && !isExact ? whole + 1 : whole
  }

  /// `self * 2^shift`; traps on overflow.
  @inlinable func shiftedLeft(_ shift: PageShift) -> UInt64 {
    precondition(leadingZeroBitCount >= Int(shift.rawValue) || self == 0, "size in bytes exceeds 64 bits")
    return self &<< UInt64(shift.rawValue)
  }

  @inlinable func shiftedRightExactly(_ shift: PageShift) -> UInt64? {
    let whole = self &>> UInt64(shift.rawValue)
    return whole &<< UInt64(shift.rawValue) == self ? whole : nil
  }
}
