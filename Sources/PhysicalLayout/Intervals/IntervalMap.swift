import MemoryUnits

/// Values over ranges of bytes: sorted, disjoint, and neighbours of equal value are one.
///
/// The firmware map and the region set are both this; they differ in the value only.
struct IntervalMap<Value: Hashable & Sendable>: Hashable, Sendable {
  struct Interval: Hashable, Sendable {
    var range: PhysicalRange
    var value: Value
  }

  private(set) var intervals: [Interval] = []

  /// Replaces what `range` holds. `body` sees each piece's value, nil for a gap, and gives the new one, nil for none.
  ///
  /// - Complexity: O(log n + pieces touched + intervals moved).
  mutating func rewrite(_ range: PhysicalRange, _ body: (PhysicalRange, Value?) -> Value?) {
    guard !range.isEmpty else { return }
    // Neighbours that only touch take part, so that they can join.
    let first = firstIndex { $0.range.end >= range.start }
    var window = Window()
    var place = range.start
    var index = first
    while index < intervals.count, intervals[index].range.start <= range.end {
      let interval = intervals[index]
      index += 1
      if interval.range.start < range.start {
        window.append(PhysicalRange(start: interval.range.start, end: min(interval.range.end, range.start)), interval.value)
      }
      let inside = interval.range.intersection(range)
      if !inside.isEmpty {
        window.append(rewriting: PhysicalRange(start: place, end: inside.start), nil, body)
        window.append(rewriting: inside, interval.value, body)
        place = inside.end
      }
      if interval.range.end > range.end {
        window.append(rewriting: PhysicalRange(start: place, end: range.end), nil, body)
        place = range.end
        window.append(PhysicalRange(start: max(interval.range.start, range.end), end: interval.range.end), interval.value)
      }
    }
    window.append(rewriting: PhysicalRange(start: place, end: range.end), nil, body)
    intervals.replaceSubrange(first..<index, with: window.intervals)
  }

  /// The index of the first interval for which `isAtOrPast` holds; it holds for all after it.
  func firstIndex(where isAtOrPast: (Interval) -> Bool) -> Int {
    var low = 0
    var high = intervals.count
    while low < high {
      let middle = low + (high - low) / 2
      if isAtOrPast(intervals[middle]) { high = middle } else { low = middle + 1 }
    }
    return low
  }

  /// The value at `address`.
  func value(at address: PhysicalAddress) -> Value? {
    let index = firstIndex { $0.range.end > address }
    guard index < intervals.count, intervals[index].range.contains(address) else { return nil }
    return intervals[index].value
  }

  /// The parts of `range` that no interval covers.
  func gaps(in range: PhysicalRange) -> [PhysicalRange] {
    var gaps: [PhysicalRange] = []
    var place = range.start
    var index = firstIndex { $0.range.end > range.start }
    while index < intervals.count, intervals[index].range.start < range.end {
      let covered = intervals[index].range
      if place < covered.start { gaps.append(PhysicalRange(start: place, end: covered.start)) }
      place = max(place, covered.end)
      index += 1
    }
    if place < range.end { gaps.append(PhysicalRange(start: place, end: range.end)) }
    return gaps
  }

  /// Pieces in rising order, joined where they touch and agree.
  private struct Window {
    var intervals: [Interval] = []

    mutating func append(_ range: PhysicalRange, _ value: Value) {
      guard !range.isEmpty else { return }
      if let last = intervals.last, last.range.end == range.start, last.value == value {
        intervals[intervals.count - 1].range = PhysicalRange(start: last.range.start, end: range.end)
      } else {
        intervals.append(Interval(range: range, value: value))
      }
    }

    mutating func append(rewriting range: PhysicalRange, _ value: Value?, _ body: (PhysicalRange, Value?) -> Value?) {
      guard !range.isEmpty, let new = body(range, value) else { return }
      append(range, new)
    }
  }
}

extension UnitRange where Bound == PhysicalAddress {
  /// Everything that an address can name but its very last byte, which no half-open range can hold.
  public static var everything: PhysicalRange { PhysicalRange(start: .zero, end: PhysicalAddress(UInt64.max)) }

  /// The range of `count` bytes from `start`, or nil where it would end above the last address.
  init?(checkedStart start: PhysicalAddress, count: ByteCount) {
    let (end, overflowed) = start.rawValue.addingReportingOverflow(count.rawValue)
    guard !overflowed else { return nil }
    self.init(start: start, end: PhysicalAddress(end))
  }
}
