import MemoryUnits

/// An amount of holes.
@frozen public struct HoleCount: Amount {
  public let rawValue: UInt64
  @inlinable public init(rawValue: UInt64) { self.rawValue = rawValue }
  public var description: String { String(rawValue) }
}

/// What a hole is to be.
public enum HoleKind: Hashable, Sendable {
  /// The firmware reserves it: no memory, and known as such.
  case reserved
  /// The firmware says nothing about it.
  case absent
}

/// Why holes could not be punched.
public enum HoleError: Error, Hashable, Sendable {
  /// The size is zero, or the alignment no power of two.
  case invalidShape(size: ByteCount, alignment: ByteCount)
  /// Only so many fit.
  case noRoom(placed: HoleCount)
}

extension FirmwareMap {
  /// Picks places in usable memory that do not overlap each other; the same seed picks the same places.
  ///
  /// Every aligned place that is still free is as likely as any other.
  ///
  /// - Complexity: O(count * (entries + count)).
  public func holes(
    count: HoleCount, size: ByteCount, aligned alignment: ByteCount, seed: UInt64
  ) throws(HoleError) -> [PhysicalRange] {
    guard size > .zero, alignment.rawValue.nonzeroBitCount == 1 else {
      throw .invalidShape(size: size, alignment: alignment)
    }
    var random = HoleGenerator(state: seed)
    var left = self
    var holes: [PhysicalRange] = []
    while UInt64(holes.count) < count.rawValue {
      let candidates = left.map.intervals.filter { $0.value == .usable }
      let slots = candidates.map { $0.range.slots(size, alignment) }
      let total = slots.reduce(0, +)
      guard total > 0 else { throw .noRoom(placed: HoleCount(UInt64(holes.count))) }
      var pick = random.next() % total
      for (candidate, slots) in zip(candidates, slots) {
        guard pick >= slots else {
          let first = candidate.range.start.aligned(to: alignment, .up)
          let hole = PhysicalRange(start: first + alignment * pick, count: size)
          holes.append(hole)
          left.set(nil, over: hole)
          break
        }
        pick -= slots
      }
    }
    return holes
  }

  /// The map with `holes` taken out of its memory.
  public func punching(_ holes: [PhysicalRange], as kind: HoleKind) -> FirmwareMap {
    var map = self
    for hole in holes { map.replace(.usable, with: kind == .reserved ? .reserved : nil, over: hole) }
    return map
  }
}

extension PhysicalRange {
  /// How many aligned starts leave room for `size`.
  fileprivate func slots(_ size: ByteCount, _ alignment: ByteCount) -> UInt64 {
    guard count >= size else { return 0 }
    let last = (end - size).aligned(to: alignment, .down)
    guard last >= start else { return 0 }
    return (last - start.aligned(to: alignment, .up)) / alignment + 1
  }
}

/// SplitMix64: small, and the same everywhere.
private struct HoleGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
    return mixed ^ (mixed >> 31)
  }
}
