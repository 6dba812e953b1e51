import MemoryUnits

/// Which places of a line are free: a bit each.
struct FreeBits<Place: Position>: Sendable {
  let count: Place.Distance
  /// How many bits are set.
  private(set) var free: Place.Distance
  /// Bits behind the last place are zero.
  private var words: [UInt64]

  private static var perWord: UInt64 { 64 }

  /// All free, or none.
  init(count: Place.Distance, free isFree: Bool) {
    self.count = count
    free = .zero
    words = [UInt64](repeating: 0, count: Int((count.rawValue + Self.perWord - 1) / Self.perWord))
    if isFree { set(UnitRange(start: Place(0), count: count), free: true) }
  }

  /// All places.
  var all: UnitRange<Place> { UnitRange(start: Place(0), count: count) }

  subscript(place: Place) -> Bool {
    get { words[Int(place.rawValue / Self.perWord)] & 1 &<< (place.rawValue % Self.perWord) != 0 }
    set { set(UnitRange(start: place, count: Place.Distance(1)), free: newValue) }
  }

  /// - Complexity: O(words).
  mutating func set(_ range: UnitRange<Place>, free isFree: Bool) {
    Self.forEachWord(of: range) { word, mask in
      let old = words[word]
      words[word] = isFree ? old | mask : old & ~mask
      free += Place.Distance(UInt64(words[word].nonzeroBitCount))
      free -= Place.Distance(UInt64(old.nonzeroBitCount))
    }
  }

  /// - Complexity: O(words).
  func free(in range: UnitRange<Place>) -> Place.Distance {
    var sum: UInt64 = 0
    Self.forEachWord(of: range) { word, mask in sum += UInt64((words[word] & mask).nonzeroBitCount) }
    return Place.Distance(sum)
  }

  /// The words of a range, with the bits of each that are in it.
  private static func forEachWord(of range: UnitRange<Place>, _ body: (Int, UInt64) -> Void) {
    var start = range.start.rawValue
    while start < range.end.rawValue {
      let end = min(range.end.rawValue, (start / perWord + 1) * perWord)
      let width = end - start
      let ones = width == perWord ? ~0 : 1 &<< width &- 1
      body(Int(start / perWord), ones &<< (start % perWord))
      start = end
    }
  }

  /// The lowest block inside `range` that is aligned to its size, 2^order places, and free.
  ///
  /// - Complexity: O(words of the range).
  func first(_ order: Order, in range: UnitRange<Place>) -> Place? {
    let size = Place.Distance(order.frames.rawValue)
    guard size <= count else { return nil }
    guard size <= range.count else { return nil }
    let start = range.start.aligned(to: size, .up)
    guard start < range.end, size <= range.end - start else { return nil }
    let rest = UnitRange(start: start, end: range.end)
    return size.rawValue < Self.perWord ? firstInWord(order, size, rest) : firstOfWords(size, rest)
  }

  private func firstInWord(_ order: Order, _ size: Place.Distance, _ range: UnitRange<Place>) -> Place? {
    var place = range.start
    while place < range.end {
      let word = place.rawValue / Self.perWord
      // A bit stays where it and as many behind it as the block takes are set.
      var starts = words[Int(word)]
      for step in 0..<order.rawValue { starts &= starts &>> (1 &<< UInt64(step)) }
      // A block's first place is a multiple of its size.
      let aligned: UInt64 = ~0 / (1 &<< size.rawValue &- 1)
      starts &= aligned &<< (place.rawValue % Self.perWord)
      if starts != 0 {
        let found = Place(word * Self.perWord + UInt64(starts.trailingZeroBitCount))
        return found < range.end && size <= range.end - found ? found : nil
      }
      place = Place((word + 1) * Self.perWord)
    }
    return nil
  }

  private func firstOfWords(_ size: Place.Distance, _ range: UnitRange<Place>) -> Place? {
    var place = range.start
    while place < range.end, size <= range.end - place {
      var isFree = true
      for word in place.rawValue / Self.perWord..<(place + size).rawValue / Self.perWord where words[Int(word)] != ~0 {
        isFree = false
        break
      }
      if isFree { return place }
      place += size
    }
    return nil
  }
}
