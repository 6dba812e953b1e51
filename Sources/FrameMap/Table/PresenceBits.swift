/// Which sections are present: a bit for each, and above it levels in which a bit says that a word below is not zero.
///
/// The next present section is found in one step a level and back, so that a hole costs the same whatever its size. One
/// writer at a time; readers need no lock. A section that is present all the while is found; one that comes or goes may or
/// may not be.
@usableFromInline @frozen @safe struct PresenceBits: Sendable {
  @usableFromInline let words: AtomicWords
  /// Sections, present or not.
  @usableFromInline let count: UInt64

  init(_ words: AtomicWords, count: UInt64) {
    self.words = words
    self.count = count
  }

  /// Words of all levels for `count` sections.
  static func wordCount(_ count: UInt64) -> UInt64 {
    var total: UInt64 = 0
    var bits = count
    repeat {
      bits = (bits + 63) / 64
      total += bits
    } while bits > 1
    return total
  }

  func contains(_ section: UInt64) -> Bool { words.load(section >> 6) >> (section & 63) & 1 != 0 }

  func insert(_ section: UInt64) {
    var index = section
    var bits = count
    var base: UInt64 = 0
    while true {
      words.set(base + index >> 6, 1 << (index & 63))
      let inLevel = (bits + 63) / 64
      if inLevel <= 1 { return }
      base += inLevel
      index >>= 6
      bits = inLevel
    }
  }

  func remove(_ section: UInt64) {
    var index = section
    var bits = count
    var base: UInt64 = 0
    while words.clear(base + index >> 6, 1 << (index & 63)) == 0 {
      let inLevel = (bits + 63) / 64
      if inLevel <= 1 { return }
      base += inLevel
      index >>= 6
      bits = inLevel
    }
  }

  /// The first present section from `start` on, or nil.
  ///
  /// - Complexity: O(log64 of all sections), whatever lies between.
  func next(from start: UInt64) -> UInt64? {
    var start = start
    while start < count {
      guard let (level, index, end) = climb(from: start) else { return nil }
      if let found = descend(level, index) { return found }
      // What the upper bit promised has gone meanwhile; go on behind it.
      start = end
    }
    return nil
  }

  /// The lowest level that has a set bit at or after `start`'s place in it, that bit, and the first section behind it.
  private func climb(from start: UInt64) -> (level: UInt64, index: UInt64, end: UInt64)? {
    var index = start
    var bits = count
    var base: UInt64 = 0
    var level: UInt64 = 0
    while index < bits {
      let word = words.load(base + index >> 6) & (UInt64.max << (index & 63))
      if word != 0 {
        let found = (index & ~63) + UInt64(word.trailingZeroBitCount)
        return (level, found, (found + 1) << (6 * level))
      }
      let inLevel = (bits + 63) / 64
      if inLevel <= 1 { return nil }
      base += inLevel
      index = (index >> 6) + 1
      bits = inLevel
      level += 1
    }
    return nil
  }

  /// The lowest set bit below a set bit of a level.
  private func descend(_ level: UInt64, _ index: UInt64) -> UInt64? {
    var index = index
    var level = level
    while level > 0 {
      level -= 1
      let word = words.load(base(of: level) + index)
      guard word != 0 else { return nil }
      index = index << 6 + UInt64(word.trailingZeroBitCount)
    }
    return index
  }

  private func base(of level: UInt64) -> UInt64 {
    var base: UInt64 = 0
    var bits = count
    for _ in 0..<level {
      bits = (bits + 63) / 64
      base += bits
    }
    return base
  }
}
