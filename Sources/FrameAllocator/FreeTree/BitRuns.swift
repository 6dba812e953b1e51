/// Which end of the zone a request prefers.
///
/// Unmovable and reclaimable requests take the lowest suitable place and movable ones the highest, so that the two grow towards
/// each other and the middle stays whole.
@frozen public enum Placement: Hashable, Sendable {
  case lowest, highest
}

/// 2^`power` children next to each other in a node, from a multiple of 2^`power` on.
@frozen @usableFromInline struct SlotRun {
  @usableFromInline let slot: Int
  @usableFromInline let power: Int
  @inlinable init(slot: Int, power: Int) {
    self.slot = slot
    self.power = power
  }

  @inlinable var count: UInt16 { 1 &<< UInt16(truncatingIfNeeded: power) }
  @inlinable var firstWord: Int { slot &>> 6 }
  @inlinable var words: Int { power <= 6 ? 1 : 1 &<< (power &- 6) }
  /// The run's bits in each of its words.
  @inlinable var mask: UInt64 {
    power >= 6 ? ~0 : ((1 &<< (1 &<< UInt64(truncatingIfNeeded: power))) &- 1) &<< UInt64(truncatingIfNeeded: slot & 63)
  }
}

/// The bits at which an aligned run of 2^`power` set bits starts; `power` is at most 6.
@inlinable func runStarts(_ word: UInt64, power: Int) -> UInt64 {
  var starts = word
  if power == 0 { return starts }
  starts &= (starts &>> 1) & 0x5555_5555_5555_5555
  if power == 1 { return starts }
  starts &= (starts &>> 2) & 0x1111_1111_1111_1111
  if power == 2 { return starts }
  starts &= (starts &>> 4) & 0x0101_0101_0101_0101
  if power == 3 { return starts }
  starts &= (starts &>> 8) & 0x0001_0001_0001_0001
  if power == 4 { return starts }
  starts &= (starts &>> 16) & 0x0000_0001_0000_0001
  if power == 5 { return starts }
  return starts & (starts &>> 32) & 1
}

/// The set bit of a word, not 0, that `placement` prefers.
@inlinable @inline(__always) func preferredBit(_ word: UInt64, _ placement: Placement) -> Int {
  placement == .lowest ? word.trailingZeroBitCount : 63 &- word.leadingZeroBitCount
}

/// The naturally aligned blocks that make up a range, lowest first: at most two of each order.
@frozen @usableFromInline struct AlignedBlocks {
  @usableFromInline var next: UInt64
  @usableFromInline let end: UInt64
  @inlinable init(_ start: UInt64, _ end: UInt64) {
    self.next = start
    self.end = end
  }

  @inlinable mutating func pop() -> (start: UInt64, order: Int)? {
    guard next < end else { return nil }
    let order = min(next.trailingZeroBitCount, 63 &- (end &- next).leadingZeroBitCount)
    defer { next &+= 1 &<< UInt64(truncatingIfNeeded: order) }
    return (next, order)
  }
}
