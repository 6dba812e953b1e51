/// A half-open range of places: `start` belongs to it, `end` does not.
///
/// Unlike `Swift.Range` it is not a collection (nobody walks frames one by one outside a run) and it knows its
/// unit's distance.
@frozen public struct UnitRange<Bound: Position>: Hashable, Sendable, CustomStringConvertible {
  public let start: Bound
  public let end: Bound

  /// Traps where `end` lies below `start`.
  @inlinable public init(start: Bound, end: Bound) {
    precondition(start <= end, "range ends before it starts")
    self.start = start
    self.end = end
  }

  /// Traps where the end would overflow.
  @inlinable public init(start: Bound, count: Bound.Distance) {
    self.init(start: start, end: start + count)
  }

  @inlinable public var count: Bound.Distance { end - start }
  @inlinable public var isEmpty: Bool { start == end }

  @inlinable public func contains(_ place: Bound) -> Bool { start <= place && place < end }

  /// Whether all of `other` lies inside. An empty range lies inside where its start does, ends included.
  @inlinable public func contains(_ other: UnitRange) -> Bool { start <= other.start && other.end <= end }

  @inlinable public func overlaps(_ other: UnitRange) -> Bool {
    max(start, other.start) < min(end, other.end)
  }

  /// The common part; empty, at the higher start, where there is none.
  @inlinable public func intersection(_ other: UnitRange) -> UnitRange {
    let low = max(start, other.start)
    return UnitRange(start: low, end: max(low, min(end, other.end)))
  }

  /// The part that consists of whole multiples of `alignment` (`.down`: inside; `.up`: around).
  @inlinable public func aligned(to alignment: Bound.Distance, _ direction: Rounding) -> UnitRange {
    let low = start.aligned(to: alignment, direction == .down ? .up : .down)
    let high = end.aligned(to: alignment, direction)
    return UnitRange(start: low, end: max(low, high))
  }

  /// `[0x200, 0x400)`
  public var description: String { "[" + start.description + ", " + end.description + ")" }
}
