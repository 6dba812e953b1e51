public import MemoryUnits

extension FreeTreeCore {
  /// Takes a free block of `order`, at the lowest or the highest place where there is one.
  ///
  /// - Returns: the block's first frame, or nil where no free block of the order exists; blocks that are on their way between
  ///   two levels, in other threads, are waited for.
  /// - Complexity: O(levels) where the first place looked at serves; O(nodes that have something free, but no block of the
  ///   order) at worst.
  ///
  /// Threads: any. Linux: `__rmqueue_smallest`; there the smallest sufficient block of a list, here the extreme place.
  @inlinable public borrowing func allocate(_ order: Order, from placement: Placement) -> FrameNumber? {
    let order = Int(order.rawValue)
    let level = order / 9
    guard level <= top else { return nil }
    while true {
      let before = motionNow
      var inFlight = false
      if let frame = find(order: order, placement, &inFlight) { return FrameNumber(rawValue: frame) }
      if isDefinite(since: before, inFlight) { return nil }
    }
  }

  /// Whether a search that began at `before` and found nothing may say so.
  @inlinable func isDefinite(since before: UInt64, _ inFlight: Bool) -> Bool {
    !inFlight && before & 0xffff_ffff == 0 && before == motionNow
  }

  /// One search of the whole tree.
  @inlinable func find(order: Int, _ placement: Placement, _ inFlight: inout Bool) -> UInt64? {
    let topLevel = unsafe levels[top]
    let level = order / 9
    for step in 0..<topLevel.nodes {
      let offset = placement == .lowest ? step : topLevel.nodes &- 1 &- step
      let node = TreeNode(level: top, number: topLevel.first &+ offset)
      let frame =
        top == level
        ? findHere(node, order: order, placement, &inFlight) : findBelow(node, order: order, placement, &inFlight)
      if let frame { return frame }
    }
    return nil
  }

  /// A block of the node's own orders.
  @inlinable @inline(__always)
  func findHere(_ node: TreeNode, order: Int, _ placement: Placement, _ inFlight: inout Bool) -> UInt64? {
    guard let run = takeRun(view(node), power: order &- 9 &* node.level, placement, &inFlight) else { return nil }
    return node.frame(run.slot)
  }

  /// A block below the node: in the first child that has one.
  @inlinable
  func findBelow(_ node: TreeNode, order: Int, _ placement: Placement, _ inFlight: inout Bool) -> UInt64? {
    let view = view(node)
    for step in 0..<8 {
      let word = placement == .lowest ? step : 7 &- step
      var left = ~UInt64(0)
      while true {
        let candidates = (view.freeWord(word) | view.partialWord(word)) & left
        guard candidates != 0 else { break }
        let bit = preferredBit(candidates, placement)
        left &= ~(1 &<< UInt64(truncatingIfNeeded: bit))
        let slot = word &<< 6 | bit
        if view.isFree(slot), let frame = split(view, slot, order: order, placement, &inFlight) { return frame }
        guard view.isPartial(slot) else { continue }
        let child = node.child(slot)
        let frame =
          child.level == order / 9
          ? findHere(child, order: order, placement, &inFlight) : findBelow(child, order: order, placement, &inFlight)
        if let frame { return frame }
      }
    }
    return nil
  }

  /// Takes the wholly free child in `slot` apart: the block at its preferred end for the caller, the rest published.
  @inlinable func split(
    _ view: NodeView, _ slot: Int, order: Int, _ placement: Placement, _ inFlight: inout Bool
  ) -> UInt64? {
    beginMotion()
    defer { endMotion() }
    guard takeChild(view, slot, &inFlight) else { return nil }
    let start = view.node.frame(slot)
    let level = view.node.level
    let size = UInt64(1) &<< UInt64(truncatingIfNeeded: order)
    let frame = placement == .lowest ? start : start &+ (1 &<< UInt64(truncatingIfNeeded: 9 &* level)) &- size
    carve(block: frame, order: order, below: level)
    return frame
  }
}
