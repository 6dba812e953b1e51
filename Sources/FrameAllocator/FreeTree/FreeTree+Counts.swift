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
    for power in stride(from: 8, through: 0, by: -1) where findRun(view, power: power, .lowest) != nil {
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
