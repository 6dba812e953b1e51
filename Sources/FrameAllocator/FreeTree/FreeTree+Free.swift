public import MemoryUnits

extension FreeTreeCore {
  /// Gives back the block of `order` that starts at `start`; it may be a part of what was allocated, or several neighbours.
  ///
  /// - Throws: ``FreeTreeError/outsideZone``, ``FreeTreeError/misaligned``, or ``FreeTreeError/alreadyFree`` where a frame of the
  ///   block is free; the tree is unchanged then. Two threads that free the same frames at the same instant may both succeed;
  ///   the frames are counted once.
  /// - Complexity: O(levels).
  ///
  /// Threads: any. Linux: `__free_one_page`; there merging looks for one buddy after the other, here a full node becomes a bit.
  @inlinable public borrowing func free(_ start: FrameNumber, order: Order) throws(FreeTreeError) {
    let first = start.rawValue
    let power = Int(order.rawValue)
    guard power < 62, zone.start <= start, start < zone.end,
      zone.end.rawValue &- first >= 1 &<< UInt64(truncatingIfNeeded: power)
    else { throw .outsideZone }
    guard first & ((1 &<< UInt64(truncatingIfNeeded: power)) &- 1) == 0 else { throw .misaligned }
    let (view, run) = place(of: first, order: power)
    guard !isAnyFree(view, run), putRun(view, run) else { throw .alreadyFree }
  }

  /// The node of a block's own orders, and the block's bits in it. The block lies inside the zone.
  @inlinable @inline(__always) func place(of start: UInt64, order: Int) -> (NodeView, SlotRun) {
    let level = order / 9
    let node = TreeNode(level: level, covering: start)
    return (view(node), SlotRun(slot: node.slot(of: start), power: order &- 9 &* level))
  }
}
