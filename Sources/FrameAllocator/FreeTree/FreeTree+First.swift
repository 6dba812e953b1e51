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
      guard let child = firstPartialChild(of: node, order: order, placement, in: filter) else { return nil }
      node = child
    }
    guard let run = takeRun(view(node), power: order &- 9 &* level, placement, in: filter, &search) else { return nil }
    return node.frame(run.slot)
  }

  /// The first child that may have a block of the order, if it is not wholly free.
  @inlinable @inline(__always) func firstPartialChild(
    of node: TreeNode, order: Int, _ placement: Placement, in filter: some TreeFilter
  ) -> TreeNode? {
    let view = view(node)
    let place = NotePlace(order, filter.slot)
    for step in 0..<8 {
      let word = placement == .lowest ? step : 7 &- step
      var free = view.freeWord(word)
      // What a filter says can cost more than a look at what is there.
      if free != 0 { free &= filter.usable(node, word) }
      var candidates = view.partialWord(word)
      if candidates != 0 { candidates &= ~dryWord(node, place, order: order, word) }
      if candidates != 0 { candidates &= filter.some(node, word) }
      candidates |= free
      guard candidates != 0 else { continue }
      let bit = preferredBit(candidates, placement)
      let isWhole = free &>> UInt64(truncatingIfNeeded: bit) & 1 != 0
      return isWhole ? nil : node.child(word &<< 6 | bit)
    }
    return nil
  }
}
