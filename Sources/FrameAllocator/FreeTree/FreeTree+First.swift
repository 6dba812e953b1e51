import MemoryUnits

extension FreeTreeCore {
  /// A block at the first place that could have one, where it does: what most requests find. Nil says nothing; a search begins
  /// at the same place then, and also takes larger blocks apart.
  ///
  /// It goes straight down, without the state that a search keeps in each level to go on from there.
  @inlinable func takeFirst(
    order: Int, _ placement: Placement, in filter: some TreeFilter, _ search: inout Search
  ) -> UInt64? {
    let level = order / 9
    let topLevel = unsafe levels[top]
    let last = placement == .lowest ? 0 : topLevel.nodes &- 1
    var node = TreeNode(level: top, number: topLevel.first &+ last)
    while node.level > level {
      let power = node.level == 1 && level == 0 ? order : 0
      guard let child = firstPartialChild(of: node, power: power, placement, in: filter) else { return nil }
      node = child
    }
    guard let run = takeRun(view(node), power: order &- 9 &* level, placement, in: filter, &search) else { return nil }
    return node.frame(run.slot)
  }

  /// The first child with anything free, if it is not wholly free; of a node of leaves, one that may have a run of 2^`power`.
  @inlinable @inline(__always) func firstPartialChild(
    of node: TreeNode, power: Int, _ placement: Placement, in filter: some TreeFilter
  ) -> TreeNode? {
    let view = view(node)
    for step in 0..<8 {
      let word = placement == .lowest ? step : 7 &- step
      let free = view.freeWord(word) & filter.usable(node, word)
      var candidates = view.partialWord(word) & filter.some(node, word)
      if power > 0 && candidates != 0 { candidates &= ~dryWord(node, power: power, word) }
      candidates |= free
      guard candidates != 0 else { continue }
      let bit = preferredBit(candidates, placement)
      let isWhole = free &>> UInt64(truncatingIfNeeded: bit) & 1 != 0
      return isWhole ? nil : node.child(word &<< 6 | bit)
    }
    return nil
  }
}
