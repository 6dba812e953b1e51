import Synchronization
public import MemoryUnits

extension FreeTreeCore {
  /// The frames that are free.
  ///
  /// Exact while nobody else is in the tree; else it misses or repeats what moves.
  /// - Complexity: O(nodes that are partly free).
  public borrowing func freeFrames() -> FrameCount {
    var sum: UInt64 = 0
    forEachTopNode { sum += freeFrames($0) }
    return FrameCount(rawValue: sum)
  }

  /// The frames that are free in aligned blocks of 512 and more. Exact while nobody else is in the tree.
  ///
  /// - Complexity: O(leaves / 512).
  public borrowing func freeFramesInLargeBlocks() -> FrameCount {
    guard top > 0 else { return .zero }
    var sum: UInt64 = 0
    for level in 1...top {
      let table = unsafe levels[level]
      for offset in 0..<table.nodes {
        sum += UInt64(view(TreeNode(level: level, number: table.first &+ offset)).available) << UInt64(9 * level)
      }
    }
    return FrameCount(rawValue: sum)
  }

  /// The frames of `range`, which lies in the zone, that are free. Exact while nobody else is in the tree; nothing is waited for.
  ///
  /// - Complexity: O(log frames + nodes of the range that are partly free).
  borrowing func freeFrames(in range: FrameRange) -> FrameCount {
    var sum: UInt64 = 0
    var blocks = AlignedBlocks(range.start.rawValue, range.end.rawValue)
    while let (start, order) = blocks.pop() {
      let (view, run) = place(of: start, order: order)
      guard !isBelowWhollyFree(view.node) else {
        sum += 1 << UInt64(order)
        continue
      }
      for word in run.firstWord..<(run.firstWord + run.words) {
        sum += UInt64((view.freeWord(word) & run.mask).nonzeroBitCount) << UInt64(9 * view.node.level)
      }
      guard view.node.level > 0 else { continue }
      let words = run.firstWord..<(run.firstWord + run.words)
      forEachSlot({ words.contains($0) ? view.partialWord($0) & run.mask : 0 }) { sum += freeFrames(view.node.child($0)) }
    }
    return FrameCount(rawValue: sum)
  }

  /// The order of the largest free block, or nil where nothing is free.
  ///
  /// Exact while nobody else is in the tree.
  /// - Complexity: O(levels) where a high level has a block; O(nodes that are partly free) at worst.
  public borrowing func largestFreeOrder() -> Order? {
    var best: Int?
    forEachTopNode { node in
      if let order = largestFreeOrder(node), order > best ?? -1 { best = order }
    }
    return best.map { Order(UInt8(truncatingIfNeeded: $0)) }
  }

  /// How many free blocks there are of each order, from 0 to `top`, when free memory is cut into the largest naturally aligned
  /// blocks of at most that order.
  ///
  /// Exact while nobody else is in the tree.
  /// - Complexity: O(nodes that are partly free). Linux: `nr_free` of each `struct free_area`, as in `/proc/buddyinfo`.
  public borrowing func freeBlocks(upTo top: Order) -> [BlockCount] {
    var counts = [BlockCount](repeating: .zero, count: Int(top.rawValue) + 1)
    forEachFreeBlock { _, order in
      let index = min(order, top)
      counts[Int(index.rawValue)] += BlockCount(1 << UInt64(order.rawValue - index.rawValue))
    }
    return counts
  }

  /// Calls `body` with each largest naturally aligned free block. Exact while nobody else is in the tree.
  ///
  /// - Complexity: O(nodes that are partly free + blocks). In no order.
  public borrowing func forEachFreeBlock(_ body: (FrameNumber, Order) -> Void) {
    forEachTopNode { forEachFreeBlock($0, body) }
  }

  private func forEachFreeBlock(_ node: TreeNode, _ body: (FrameNumber, Order) -> Void) {
    let view = view(node)
    var slot = 0
    while let start = nextSlot(in: view, isSet: true, from: slot) {
      let end = nextSlot(in: view, isSet: false, from: start) ?? 512
      var blocks = AlignedBlocks(UInt64(start), UInt64(end))
      while let (first, power) = blocks.pop() {
        body(FrameNumber(rawValue: node.frame(Int(first))), Order(UInt8(truncatingIfNeeded: 9 * node.level + power)))
      }
      slot = end
    }
    guard node.level > 0 else { return }
    forEachSlot(view.partialWord) { forEachFreeBlock(node.child($0), body) }
  }

  /// The first slot from `start` on whose free bit is set, or clear.
  private func nextSlot(in view: NodeView, isSet: Bool, from start: Int) -> Int? {
    var place = start
    while place < 512 {
      let word = view.freeWord(place >> 6)
      let wanted = (isSet ? word : ~word) & (~0 << UInt64(place & 63))
      if wanted != 0 { return place & ~63 | wanted.trailingZeroBitCount }
      place = (place | 63) + 1
    }
    return nil
  }

  borrowing func forEachTopNode(_ body: (TreeNode) -> Void) {
    let topLevel = unsafe levels[top]
    for offset in 0..<topLevel.nodes { body(TreeNode(level: top, number: topLevel.first + offset)) }
  }

  func freeFrames(_ node: TreeNode) -> UInt64 {
    let view = view(node)
    var sum = UInt64(view.available) << UInt64(9 * node.level)
    guard node.level > 0 else { return sum }
    forEachSlot(view.partialWord) { sum += freeFrames(node.child($0)) }
    return sum
  }

  func largestFreeOrder(_ node: TreeNode) -> Int? {
    let view = view(node)
    for power in stride(from: 8, through: 0, by: -1) where findRun(view, power: power, .lowest, in: Everywhere()) != nil {
      return 9 * node.level + power
    }
    guard node.level > 0 else { return nil }
    var best: Int?
    forEachSlot(view.partialWord) { slot in
      if let order = largestFreeOrder(node.child(slot)), order > best ?? -1 { best = order }
    }
    return best
  }

  /// Calls `body` with the place of each set bit of the eight words.
  func forEachSlot(_ words: (Int) -> UInt64, _ body: (Int) -> Void) {
    for word in 0..<8 {
      var bits = words(word)
      while bits != 0 {
        body(word << 6 | bits.trailingZeroBitCount)
        bits &= bits - 1
      }
    }
  }
}

/// An amount of blocks.
@frozen public struct BlockCount: Amount {
  public let rawValue: UInt64
  @inlinable public init(rawValue: UInt64) { self.rawValue = rawValue }
  public var description: String { String(rawValue) }
}
