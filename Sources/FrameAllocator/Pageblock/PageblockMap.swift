import FrameMap
import MemoryUnits
import Synchronization

/// What the pageblocks of a zone are for: a pageblock is the unit in which frames of one mobility are kept together.
///
/// Storage of zeros is a map of movable pageblocks. Marks are hints to where requests look first; a frame of any mobility may lie
/// in any pageblock, so that they may change at any time.
///
/// **Threads.** Any thread may call anything.
///
/// Linux: `pageblock_flags`, `get_pageblock_migratetype`; there free blocks lie on a list for each mobility and move between
/// lists when a mark changes, here a search looks at the marks.
@safe struct PageblockMap: @unchecked Sendable {
  // Unchecked, because of the pointer: all it leads to is atomic. Copies share the storage.

  let zone: FrameRange
  /// The size of a pageblock.
  let order: Order
  /// log2 of the marks for each leaf of 512 frames; where pageblocks are larger than leaves, every leaf has its own copy.
  let marksPerLeafShift: UInt64
  /// Number of the first mark, a multiple of the marks in 512 leaves.
  private let first: UInt64
  /// Words of one kind of marks.
  private let words: Int
  /// One bit a mark; first all that say unmovable, then reclaimable, then contiguous, then isolated.
  private let base: UnsafeMutablePointer<Atomic<UInt64>>

  /// Pageblocks of fewer frames than 8 would not pay.
  static var smallestOrder: Order { Order(3) }

  /// - Parameter storage: at least ``storageBytes(for:order:)``, aligned to 64 bytes, all zero, and in place until the last use.
  init(zone: FrameRange, order: Order, storage: UnsafeMutableRawBufferPointer) {
    precondition(order >= Self.smallestOrder, "pageblock order below 3")
    precondition(UInt64(storage.count) >= Self.storageBytes(for: zone.count, order: order).rawValue, "storage is too small")
    guard let start = storage.baseAddress else { preconditionFailure("storage has no address") }
    self.zone = zone
    self.order = order
    marksPerLeafShift = Self.marksPerLeafShift(order)
    first = (zone.start.rawValue >> 18) << (9 + marksPerLeafShift)
    words = Self.words(zone.count, order)
    // Zeroed words are atomics of zero, and the storage holds four times `words` of them.
    unsafe base = start.bindMemory(to: Atomic<UInt64>.self, capacity: 4 * words)
  }

  private static func marksPerLeafShift(_ order: Order) -> UInt64 { UInt64(9 - min(order.rawValue, 9)) }

  private static func words(_ frames: FrameCount, _ order: Order) -> Int {
    // A zone may begin in the middle of one node of 512 leaves and end in another.
    Int((frames.rawValue >> 18 + 2) << marksPerLeafShift(order)) * 8
  }

  /// The bytes for a zone of `frames` frames, wherever it starts: four bits a pageblock.
  static func storageBytes(for frames: FrameCount, order: Order) -> ByteCount {
    ByteCount(UInt64(words(frames, order) * 4 * 8))
  }

  enum Mark: Int {
    case unmovable, reclaimable, contiguous, isolated
  }

  private func word(_ mark: Mark, _ index: Int) -> UInt64 {
    // Below `words`, for which the storage was laid out.
    unsafe base[mark.rawValue * words + index].load(ordering: .sequentiallyConsistent)
  }

  /// The bits of a word of marks, all of which lie in the zone's nodes.
  private func write(_ mark: Mark, _ index: Int, _ bits: UInt64, _ value: Bool) {
    // Most are so already, and a look is cheaper than an atomic change.
    guard word(mark, index) & bits != (value ? bits : 0) else { return }
    let place = mark.rawValue * words + index
    // As above.
    if value {
      unsafe _ = base[place].bitwiseOr(bits, ordering: .sequentiallyConsistent)
    } else {
      unsafe _ = base[place].bitwiseAnd(~bits, ordering: .sequentiallyConsistent)
    }
  }

  /// The number of the mark that covers `frame`, counted from `first`.
  private func mark(of frame: UInt64) -> UInt64 { frame >> (9 - marksPerLeafShift) - first }

  private func isSet(_ mark: Mark, _ frame: FrameNumber) -> Bool {
    let number = self.mark(of: frame.rawValue)
    return word(mark, Int(number >> 6)) >> (number & 63) & 1 != 0
  }

  /// What the pageblock of `frame` is for. The frame lies in the zone.
  func mobility(of frame: FrameNumber) -> FrameMobility {
    if isSet(.unmovable, frame) { return .unmovable }
    if isSet(.reclaimable, frame) { return .reclaimable }
    return isSet(.contiguous, frame) ? .contiguous : .movable
  }

  /// Whether nothing is handed out of the pageblock of `frame`.
  func isIsolated(_ frame: FrameNumber) -> Bool { isSet(.isolated, frame) }

  /// Whether frames that are freed in the pageblock of `frame` go elsewhere than to the zone's tree and caches.
  func isSpecial(_ frame: FrameNumber) -> Bool { isSet(.isolated, frame) || isSet(.contiguous, frame) }

  /// Whether a pageblock that `range` touches is isolated.
  func isAnyIsolated(_ range: FrameRange) -> Bool { isAny(.isolated, .isolated, in: range) }

  /// Sets what the pageblocks that `range` touches are for.
  func set(_ mobility: FrameMobility, over range: FrameRange) {
    write(.unmovable, over: range, mobility == .unmovable)
    write(.reclaimable, over: range, mobility == .reclaimable)
    write(.contiguous, over: range, mobility == .contiguous)
  }

  func setIsolated(_ value: Bool, over range: FrameRange) { write(.isolated, over: range, value) }

  private func write(_ mark: Mark, over range: FrameRange, _ value: Bool) {
    let whole = range.aligned(to: order.frames, .up).intersection(zone)
    guard !whole.isEmpty else { return }
    var number = self.mark(of: whole.start.rawValue)
    let end = self.mark(of: whole.end.rawValue - 1) + 1
    while number < end {
      let next = min(end, (number | 63) + 1)
      write(mark, Int(number >> 6), (~0 >> (64 - (next - number))) << (number & 63), value)
      number = next
    }
  }

  /// The pageblock of `frame`, whether or not all of it lies in the zone.
  func pageblock(of frame: FrameNumber) -> FrameRange {
    FrameRange(start: frame.aligned(to: order.frames, .down), count: order.frames)
  }

  // MARK: For searches

  /// Whether the marks of 64 leaves say what a request of `mobility` looks for.
  private func matches(_ mobility: FrameMobility, _ index: Int) -> UInt64 {
    switch mobility {
    case .unmovable: word(.unmovable, index)
    case .reclaimable: word(.reclaimable, index)
    case .contiguous: word(.contiguous, index)
    case .movable: ~(word(.unmovable, index) | word(.reclaimable, index) | word(.contiguous, index))
    }
  }

  /// Of the 64 children of `word` of a node of leaves: in which some pageblock, or every one, is of `mobility`.
  func leaves(_ mobility: FrameMobility, below node: TreeNode, _ word: Int) -> (some: UInt64, all: UInt64) {
    let index = Int(node.number << (9 + marksPerLeafShift) - first) >> 6 + word << Int(marksPerLeafShift)
    if marksPerLeafShift == 0 {
      let bits = matches(mobility, index)
      return (bits, bits)
    }
    // Several marks a leaf: a word of them has those of 64 >> shift leaves, and mostly says the same of all.
    let width = UInt64(1) << marksPerLeafShift
    let full = width == 64 ? ~0 : (UInt64(1) << width) - 1
    let leavesPerWord = UInt64(64) >> marksPerLeafShift
    let everyLeaf = leavesPerWord == 64 ? ~0 : (UInt64(1) << leavesPerWord) - 1
    var some: UInt64 = 0
    var all: UInt64 = 0
    for number in 0..<width {
      let marks = matches(mobility, index + Int(number))
      let first = number * leavesPerWord
      if marks == ~0 {
        some |= everyLeaf << first
        all |= everyLeaf << first
      } else if marks != 0 {
        for leaf in 0..<leavesPerWord {
          let its = marks >> (leaf << marksPerLeafShift) & full
          if its != 0 { some |= 1 << (first + leaf) }
          if its == full { all |= 1 << (first + leaf) }
        }
      }
    }
    return (some, all)
  }

  /// Of the 64 children of `word` of a node further up: those that are a part of one pageblock of `mobility`. Children that hold
  /// whole pageblocks are not among them.
  func parts(_ mobility: FrameMobility, below node: TreeNode, _ word: Int) -> UInt64 {
    guard UInt64(order.rawValue) > UInt64(9 * node.level) else { return 0 }
    var parts: UInt64 = 0
    for bit in 0..<64 {
      let child = FrameNumber(rawValue: node.frame(word << 6 | bit))
      // One that the zone does not hold whole is never wholly free.
      guard zone.contains(child), self.mobility(of: child) == mobility else { continue }
      parts |= 1 << UInt64(bit)
    }
    return parts
  }

  /// Of the 64 frames of `word` of a leaf: those in pageblocks of `mobility`.
  func frames(_ mobility: FrameMobility, in leaf: TreeNode, _ word: Int) -> UInt64 {
    if marksPerLeafShift == 0 {
      let number = mark(of: leaf.number << 9)
      return matches(mobility, Int(number >> 6)) >> (number & 63) & 1 != 0 ? ~0 : 0
    }
    let start = leaf.number << 9 + UInt64(word << 6)
    // Marks of 64 frames or more cover the word; else it is put together.
    let width = min(64, UInt64(512) >> marksPerLeafShift)
    var frames: UInt64 = 0
    var place: UInt64 = 0
    while place < 64 {
      let number = mark(of: start + place)
      if matches(mobility, Int(number >> 6)) >> (number & 63) & 1 != 0 {
        frames |= (width == 64 ? ~0 : (UInt64(1) << width) - 1) << place
      }
      place += width
    }
    return frames
  }

  /// Whether a pageblock that `range` touches is unmovable or reclaimable.
  func isSpoilt(_ range: FrameRange) -> Bool { isAny(.unmovable, .reclaimable, in: range) }

  private func isAny(_ first: Mark, _ second: Mark, in range: FrameRange) -> Bool {
    let inside = range.intersection(zone)
    guard !inside.isEmpty else { return false }
    var number = mark(of: inside.start.rawValue)
    let end = mark(of: inside.end.rawValue - 1) + 1
    while number < end {
      let next = min(end, (number | 63) + 1)
      let mask = (~UInt64(0) >> (64 - (next - number))) << (number & 63)
      if (word(first, Int(number >> 6)) | word(second, Int(number >> 6))) & mask != 0 { return true }
      number = next
    }
    return false
  }
}

/// A search in the pageblocks of one mobility.
///
/// Children of higher nodes that hold whole pageblocks and are wholly free are nobody's: a request takes a pageblock out of them
/// first. Parts of larger pageblocks are their pageblock's.
struct OwnPageblocks: TreeFilter {
  let mobility: FrameMobility
  let marks: PageblockMap

  var slot: Int? {
    switch mobility {
    case .unmovable: 0
    case .reclaimable: 1
    case .movable: 2
    case .contiguous: nil
    }
  }

  func usable(_ node: TreeNode, _ word: Int) -> UInt64 {
    switch node.level {
    case 0: marks.frames(mobility, in: node, word)
    case 1: marks.leaves(mobility, below: node, word).all
    default: marks.parts(mobility, below: node, word)
    }
  }

  func some(_ node: TreeNode, _ word: Int) -> UInt64 {
    node.level == 1 ? marks.leaves(mobility, below: node, word).some : ~0
  }

  func isEverything(below node: TreeNode) -> Bool {
    switch node.level {
    case 0 where marks.marksPerLeafShift == 0: marks.frames(mobility, in: node, 0) == ~0
    case 0: (0..<8).allSatisfy { marks.frames(mobility, in: node, $0) == ~0 }
    case 1: (0..<8).allSatisfy { marks.leaves(mobility, below: node, $0).all == ~0 }
    default: false
    }
  }
}
