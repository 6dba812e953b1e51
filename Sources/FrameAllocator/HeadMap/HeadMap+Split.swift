import MemoryUnits

extension HeadMap {
  /// Marks the starts of blocks of `order` in all of `range` but the first, which is marked already; the range was one block, and its
  /// frames are the caller's own.
  ///
  /// Highest first, so that a look-up finds the block that was there until it finds the new one. Words that are about this range alone
  /// are nobody else's to write until what they say is seen; each of them is written once, without a locked instruction.
  ///
  /// - Complexity: O(frames / 64), or O(blocks) where these are larger.
  borrowing func splitBlock(_ range: FrameRange, into order: Order) {
    precondition(zone.contains(range), "range outside the zone")
    if order < Order(6), Self.areWhole(range, Self.wordFrames) {
      splitWords(range, order)
    } else if order == Self.line, Self.areWhole(range, Self.upperWordFrames) {
      splitLines(range)
    } else {
      var start = range.end - order.frames
      while start > range.start {
        set(start)
        start -= order.frames
      }
    }
  }

  private static var line: Order { Order(9) }
  /// Frames that a word of level 0 is about, and one of level 1.
  private static var wordFrames: FrameCount { FrameCount(64) }
  private static var upperWordFrames: FrameCount { line.frames * 64 }

  /// Whether words about so many frames are about frames of the range alone.
  private static func areWhole(_ range: FrameRange, _ frames: FrameCount) -> Bool {
    range.start.isAligned(to: frames) && range.end.isAligned(to: frames)
  }

  /// For blocks of which a word has several.
  private borrowing func splitWords(_ range: FrameRange, _ order: Order) {
    // Every 2^order-th bit of a word.
    var mask: UInt64 = 0
    var place: UInt64 = 0
    while place < 64 {
      mask |= 1 << place
      place += order.frames.rawValue
    }
    var word = range.end
    while word > range.start {
      word -= Self.wordFrames
      let first = bit(of: word.rawValue, 0)
      if word > range.start, word.isAligned(to: Self.line.frames) {
        // The line's first start hides from the others' look-ups what was there: it comes last.
        first.store(mask & ~1)
        set(word)
      } else {
        first.store(mask)
      }
    }
  }

  /// For blocks of one line each.
  private borrowing func splitLines(_ range: FrameRange) {
    var word = range.end
    while word > range.start {
      let end = word
      word -= Self.upperWordFrames
      let first = bit(of: word.rawValue, 1)
      var level = highestLevel(word.rawValue)
      if word > range.start, level > 1 {
        first.store(~1)
        while level > 0 {
          _ = bit(of: word.rawValue, level).set()
          level -= 1
        }
      } else {
        first.store(~0)
      }
      var line = end
      while line > word {
        line -= Self.line.frames
        bit(of: line.rawValue, 0).store(1)
      }
    }
  }
}
