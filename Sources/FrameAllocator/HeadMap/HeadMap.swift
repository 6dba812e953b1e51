public import MemoryUnits
import Synchronization

/// Where the blocks of a zone start: one bit a frame.
///
/// Level 0 has a bit for each frame, in lines of 512; each level above has a bit for each line below, set where a block starts
/// at that line's first frame. A block that covers a frame and does not start in its line covers the whole line, and starts at
/// a line's first frame; so a lookup reads one line a level: 512 frames, 2^18, 2^27 and so on.
///
/// The map knows starts, not lengths: the layer above knows the order of a block and decides whether it reaches as far as the
/// frame that was asked for. Storage of zeros is a map without blocks.
///
/// **Threads.** Any thread may call anything. The clear of a start's bit is atomic, and decides which of two threads that free
/// the same block did so. Set a start while its frames are the caller's own, and clear it before they are given back.
///
/// Linux: `PageHead` and the tails' `compound_head`, written into each of the tails; here tails are not written.
@safe @frozen public struct HeadMap: ~Copyable, @unchecked Sendable {
  // Unchecked, because of the pointers: all they lead to is atomic, or unchanged since `init`.

  /// The frames in which blocks may start.
  public let zone: FrameRange
  /// One entry a level: its first line, and that line's number. Written by `init` only.
  @usableFromInline let levels: UnsafeMutablePointer<HeadLevel>
  @usableFromInline let top: Int

  /// Lays out the map of `zone` in `storage`, without blocks.
  ///
  /// - Parameter storage: at least ``storageBytes(for:)``, aligned to 64 bytes, all zero, at this address until the last use.
  /// - Complexity: O(levels); touches one page.
  public init(zone: FrameRange, storage: UnsafeMutableRawBufferPointer) {
    let shape = TreeShape(frames: zone.count)
    precondition(UInt64(storage.count) >= Self.storageBytes(for: zone.count).rawValue, "storage is too small for the zone")
    guard let base = storage.baseAddress else { preconditionFailure("storage has no address") }
    precondition(UInt(bitPattern: base) & 63 == 0, "storage is not aligned to 64 bytes")
    precondition(zone.end.rawValue <= 1 << 62, "zone ends beyond frame 2^62")
    self.zone = zone
    top = shape.top
    // The header's lines hold an entry for each of at most seven levels, and `storageBytes` counted every level's lines.
    unsafe levels = base.bindMemory(to: HeadLevel.self, capacity: shape.top + 1)
    var place = unsafe base + Int(TreeShape.headerBytes)
    for level in 0...shape.top {
      let lines = Int(shape.nodes(level))
      let first = TreeNode(level: level, covering: zone.start.rawValue).number
      unsafe (levels + level).initialize(
        to: HeadLevel(lines: place.bindMemory(to: Atomic<UInt64>.self, capacity: lines * 8), first: first))
      unsafe place += lines * 64
    }
  }

  /// The bytes of storage for a zone of `frames` frames, wherever it starts: a little over one bit a frame.
  public static func storageBytes(for frames: FrameCount) -> ByteCount {
    let shape = TreeShape(frames: frames)
    return ByteCount(rawValue: (0...shape.top).reduce(TreeShape.headerBytes) { $0 + shape.nodes($1) * 64 })
  }

  /// Marks `frame` as the start of a block; its frames are the caller's own. Traps outside the zone.
  ///
  /// - Returns: false where it was one already: a block was handed out twice.
  /// - Complexity: O(levels at whose lines' first frame the block starts): one atomic operation for most.
  @inlinable @discardableResult public borrowing func set(_ frame: FrameNumber) -> Bool {
    precondition(zone.contains(frame), "frame outside the zone")
    // From the top, so that whoever sees a bit sees those that lead to it.
    var level = highestLevel(frame.rawValue)
    while level > 0 {
      _ = bit(of: frame.rawValue, level).set()
      level &-= 1
    }
    return bit(of: frame.rawValue, 0).set()
  }

  /// Unmarks the start of a block. Of several threads that do so at once, one gets true: it frees the block.
  ///
  /// - Returns: false where `frame` starts no block: it is free, or a tail, or was freed by someone else.
  /// - Complexity: as ``set(_:)``. Traps outside the zone.
  @inlinable public borrowing func clear(_ frame: FrameNumber) -> Bool {
    precondition(zone.contains(frame), "frame outside the zone")
    guard bit(of: frame.rawValue, 0).clear() else { return false }
    var level = highestLevel(frame.rawValue)
    while level > 0 {
      _ = bit(of: frame.rawValue, level).clear()
      level &-= 1
    }
    return true
  }

  /// Whether a block starts at `frame`. Traps outside the zone.
  @inlinable public borrowing func contains(_ frame: FrameNumber) -> Bool {
    precondition(zone.contains(frame), "frame outside the zone")
    return bit(of: frame.rawValue, 0).isSet
  }

  /// The start of the only block that can contain `frame`; the caller looks at its order to see whether it does.
  ///
  /// A start counts from when its bit of level 0 is set to when that is cleared; higher levels have theirs for longer.
  ///
  /// - Returns: nil where no block can.
  /// - Complexity: O(levels), one line each, and the start's own. Traps outside the zone.
  @inlinable public borrowing func candidate(containing frame: FrameNumber) -> FrameNumber? {
    precondition(zone.contains(frame), "frame outside the zone")
    var level = 0
    while level <= top {
      let node = TreeNode(level: level, covering: frame.rawValue)
      let slot = node.slot(of: frame.rawValue)
      // Bits of this word up to the frame's own, then whole words before it.
      var mask = ~UInt64(0) &>> UInt64(truncatingIfNeeded: 63 &- (slot & 63))
      var word = slot &>> 6
      while word >= 0 {
        var found = unsafe levels[level].load(node.number, word) & mask
        while found != 0 {
          let last = 63 &- found.leadingZeroBitCount
          let start = node.frame(word &<< 6 | last)
          if level == 0 || bit(of: start, 0).isSet { return FrameNumber(rawValue: start) }
          found &= ~(1 &<< UInt64(truncatingIfNeeded: last))
        }
        mask = ~0
        word &-= 1
      }
      level &+= 1
    }
    return nil
  }

  /// The first start from `place` on, below `limit`; nil where there is none.
  ///
  /// - Parameter limit: nil for the zone's end.
  /// - Complexity: O(frames in between / 64).
  public borrowing func next(from place: FrameNumber, below limit: FrameNumber? = nil) -> FrameNumber? {
    let end = min(limit ?? zone.end, zone.end)
    guard place < end else { return nil }
    var frame = max(place, zone.start).rawValue
    while frame < end.rawValue {
      let bits = unsafe levels[0].load(frame >> 9, Int(frame >> 6 & 7)) & ~0 << (frame & 63)
      if bits != 0 {
        let found = FrameNumber(rawValue: frame & ~63 + UInt64(bits.trailingZeroBitCount))
        return found < end ? found : nil
      }
      frame = (frame | 63) + 1
    }
    return nil
  }

  /// The highest level that has a bit for a block that starts at `frame`.
  @inlinable @inline(__always) func highestLevel(_ frame: UInt64) -> Int {
    // Nearly all blocks start in the middle of a line; the division is for the others.
    frame & 511 != 0 ? 0 : min(top, frame == 0 ? top : frame.trailingZeroBitCount / 9)
  }

  @inlinable @inline(__always) func bit(of frame: UInt64, _ level: Int) -> HeadBit {
    let node = TreeNode(level: level, covering: frame)
    let slot = node.slot(of: frame)
    // The frame is inside the zone, whose lines were laid out.
    return unsafe HeadBit(levels[level].word(node.number, slot &>> 6), 1 &<< UInt64(truncatingIfNeeded: slot & 63))
  }
}

/// One bit of one level.
@safe @frozen @usableFromInline struct HeadBit {
  @usableFromInline let word: UnsafeMutablePointer<Atomic<UInt64>>
  @usableFromInline let mask: UInt64

  @inlinable @inline(__always) init(_ word: UnsafeMutablePointer<Atomic<UInt64>>, _ mask: UInt64) {
    unsafe self.word = word
    self.mask = mask
  }

  // The word lies in the map's storage: see `HeadMap.bit(of:_:)`.

  /// False where it was set.
  @inlinable @inline(__always) func set() -> Bool {
    unsafe word.pointee.bitwiseOr(mask, ordering: .acquiringAndReleasing).oldValue & mask == 0
  }
  /// Makes the bit's word `bits`, where nobody else may write the word.
  func store(_ bits: UInt64) { unsafe word.pointee.store(bits, ordering: .releasing) }
  /// False where it was clear.
  @inlinable @inline(__always) func clear() -> Bool {
    unsafe word.pointee.bitwiseAnd(~mask, ordering: .acquiringAndReleasing).oldValue & mask != 0
  }
  @inlinable @inline(__always) var isSet: Bool { unsafe word.pointee.load(ordering: .acquiring) & mask != 0 }
}

/// The lines of one level of a head map.
@safe @frozen @usableFromInline struct HeadLevel {
  @usableFromInline let lines: UnsafeMutablePointer<Atomic<UInt64>>
  /// Number of the first line.
  @usableFromInline let first: UInt64

  @inlinable init(lines: UnsafeMutablePointer<Atomic<UInt64>>, first: UInt64) {
    unsafe self.lines = lines
    self.first = first
  }

  // For lines that cover a frame of the zone, and words below 8, these stay inside the storage.

  @inlinable @inline(__always) func word(_ number: UInt64, _ word: Int) -> UnsafeMutablePointer<Atomic<UInt64>> {
    unsafe lines + (Int(truncatingIfNeeded: number &- first) &* 8 &+ word)
  }
  @inlinable @inline(__always) func load(_ number: UInt64, _ word: Int) -> UInt64 {
    unsafe self.word(number, word).pointee.load(ordering: .acquiring)
  }
}

/// What a recount of a head map found wrong.
public enum HeadMapFault: Error, Hashable, Sendable {
  /// The level's bit for the line at `start` is not what the line's first bit is.
  case summary(level: Int, start: FrameNumber)
}

extension HeadMap {
  /// Compares every level with the one below. Only while nobody changes the map.
  ///
  /// - Throws: the first difference.
  /// - Complexity: O(frames / 512); touches the whole storage.
  public borrowing func checkInvariants() throws(HeadMapFault) {
    guard top > 0, !zone.isEmpty else { return }
    for level in 1...top {
      let first = TreeNode(level: level - 1, covering: zone.start.rawValue).number
      let last = TreeNode(level: level - 1, covering: zone.end.rawValue - 1).number
      for number in first...last {
        let frame = TreeNode(level: level - 1, number: number).frame(0)
        let below = unsafe levels[level - 1].load(number, 0) & 1 != 0
        guard bit(of: frame, level).isSet == below else {
          throw .summary(level: level, start: FrameNumber(rawValue: frame))
        }
      }
    }
  }

  /// The blocks that start in the zone. Exact while nobody changes the map.
  ///
  /// - Complexity: O(frames / 512); touches the whole lowest level.
  public borrowing func count() -> UInt64 {
    guard !zone.isEmpty else { return 0 }
    let last = TreeNode(level: 0, covering: zone.end.rawValue - 1).number
    var sum: UInt64 = 0
    for number in (unsafe levels[0].first)...last {
      for word in 0..<8 { sum += UInt64(unsafe levels[0].load(number, word).nonzeroBitCount) }
    }
    return sum
  }
}
