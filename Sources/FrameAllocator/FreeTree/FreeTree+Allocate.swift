import Synchronization
public import MemoryUnits

/// One search of the tree.
@frozen @usableFromInline struct Search {
  /// Bits were seen that the count does not cover: someone is about to take them, or to count them.
  @usableFromInline var inFlight = false
  /// A leaf was looked into of which the filter lets only a part be taken, so that nothing was noted of it.
  @usableFromInline var leftOut = false
  /// Whether the search is for something that will partly go back: what it takes stays on its way, as others see it, until the
  /// caller calls ``FreeTreeCore/endMotion()``.
  @usableFromInline var keepsMotion = false
  @inlinable init() {}
}

extension FreeTreeCore {
  /// Takes a free block of `order`, at the lowest or the highest place where there is one.
  ///
  /// - Returns: the block's first frame, or nil where no free block of the order exists; blocks that are on their way between
  ///   two levels, in other threads, are waited for.
  /// - Complexity: O(levels) where the first place looked at serves. Leaves that had no block of the order when one was last sought
  ///   are passed over, 64 at a glance, until one is freed in them.
  ///
  /// Threads: any. Linux: `__rmqueue_smallest`; there the smallest sufficient block of a list, here the extreme place.
  @inlinable public borrowing func allocate(_ order: Order, from placement: Placement) -> FrameNumber? {
    allocate(order, from: placement, in: Everywhere())
  }

  /// Takes a free block of `order` of which the filter lets every frame be taken.
  ///
  /// - Parameter keepsMotion: see ``Search/keepsMotion``; only where a block is returned.
  @inlinable borrowing func allocate(
    _ order: Order, from placement: Placement, in filter: some TreeFilter, keepsMotion: Bool = false
  ) -> FrameNumber? {
    let order = Int(order.rawValue)
    let level = order / 9
    guard level <= top else { return nil }
    while true {
      let before = motionNow
      var search = Search()
      search.keepsMotion = keepsMotion
      if let frame = takeFirst(order: order, placement, in: filter, &search) { return FrameNumber(rawValue: frame) }
      if let frame = find(order: order, placement, in: filter, &search) { return FrameNumber(rawValue: frame) }
      if isDefinite(since: before, search) { return nil }
    }
  }

  /// Takes a free block of `order` inside the naturally aligned `block`, of which a part may lie outside the zone.
  ///
  /// - Complexity: as ``allocate(_:from:)``.
  borrowing func allocate(
    _ order: Order, from placement: Placement, inside block: FrameRange, keepsMotion: Bool = false
  ) -> FrameNumber? {
    let range = block.intersection(zone)
    let aligned = range.aligned(to: order.frames, .down)
    guard !aligned.isEmpty, range.contains(aligned) else { return nil }
    // Where the whole block is a part of something free, its ends are as good as any place, and no search gets there.
    for start in [aligned.start, aligned.end - order.frames] {
      var search = Search()
      search.keepsMotion = keepsMotion
      if isBelowWhollyFree(place(of: start.rawValue, order: Int(order.rawValue)).0.node),
        claimBlock(start.rawValue, order: Int(order.rawValue), &search)
      {
        return start
      }
    }
    return allocate(order, from: placement, in: Inside(range: range), keepsMotion: keepsMotion)
  }

  /// Whether a search that began at `before` and found nothing may say so.
  @inlinable func isDefinite(since before: UInt64, _ search: Search) -> Bool {
    !search.inFlight && before & 0xffff_ffff == 0 && before == motionNow
  }

  /// One search of the whole tree.
  @inlinable func find(order: Int, _ placement: Placement, in filter: some TreeFilter, _ search: inout Search) -> UInt64? {
    let topLevel = unsafe levels[top]
    let level = order / 9
    for step in 0..<topLevel.nodes {
      let offset = placement == .lowest ? step : topLevel.nodes &- 1 &- step
      let node = TreeNode(level: top, number: topLevel.first &+ offset)
      let frame =
        top == level
        ? findHere(node, order: order, placement, in: filter, &search)
        : findBelow(node, order: order, placement, in: filter, &search)
      if let frame { return frame }
    }
    return nil
  }

  /// A block of the node's own orders.
  @inlinable @inline(__always)
  func findHere(
    _ node: TreeNode, order: Int, _ placement: Placement, in filter: some TreeFilter, _ search: inout Search
  ) -> UInt64? {
    guard node.level == 1, filter.slot == Everywhere.place else {
      return lookHere(node, order: order, placement, in: filter, &search)
    }
    let place = NotePlace(order, filter.slot)
    guard let before = beginSearch(node, place) else { return nil }
    var own = Search()
    own.keepsMotion = search.keepsMotion
    let frame = lookHere(node, order: order, placement, in: filter, &own)
    finish(own, of: node, place, since: before, hasFound: frame != nil, &search)
    return frame
  }

  @inlinable @inline(__always)
  func lookHere(
    _ node: TreeNode, order: Int, _ placement: Placement, in filter: some TreeFilter, _ search: inout Search
  ) -> UInt64? {
    guard let run = takeRun(view(node), power: order &- 9 &* node.level, placement, in: filter, &search) else { return nil }
    return node.frame(run.slot)
  }

  /// A block below the node: in the first child that has one.
  @inlinable
  func findBelow(
    _ node: TreeNode, order: Int, _ placement: Placement, in filter: some TreeFilter, _ search: inout Search
  ) -> UInt64? {
    guard node.level == 1, filter.slot != nil else {
      return lookBelow(node, order: order, placement, in: filter, &search)
    }
    let place = NotePlace(order, filter.slot)
    guard let before = beginSearch(node, place) else { return nil }
    var own = Search()
    own.keepsMotion = search.keepsMotion
    let frame = lookBelow(node, order: order, placement, in: filter, &own)
    finish(own, of: node, place, since: before, hasFound: frame != nil, &search)
    return frame
  }

  /// Ends a search of a node of leaves that was a part of another.
  @inlinable @inline(__always) func finish(
    _ own: Search, of node: TreeNode, _ place: NotePlace, since before: NodeSummary, hasFound: Bool, _ search: inout Search
  ) {
    if !hasFound && !own.inFlight && !own.leftOut { endSearch(node, place, since: before) }
    search.inFlight = search.inFlight || own.inFlight
    search.leftOut = search.leftOut || own.leftOut
  }

  @inlinable
  func lookBelow(
    _ node: TreeNode, order: Int, _ placement: Placement, in filter: some TreeFilter, _ search: inout Search
  ) -> UInt64? {
    let view = view(node)
    let place = NotePlace(order, filter.slot)
    for step in 0..<8 {
      let word = placement == .lowest ? step : 7 &- step
      var left = ~UInt64(0)
      while true {
        let free = view.freeWord(word) & left
        var partial = view.partialWord(word) & left
        if partial != 0 { partial &= ~dryWord(node, place, order: order, word) }
        // What a filter says can cost more than a look at what is there.
        guard free | partial != 0 else { break }
        let usable = free != 0 ? filter.usable(node, word) : 0
        let candidates = (free & usable) | (partial != 0 ? partial & filter.some(node, word) : 0)
        guard candidates != 0 else { break }
        let bit = preferredBit(candidates, placement)
        left &= ~(1 &<< UInt64(truncatingIfNeeded: bit))
        let slot = word &<< 6 | bit
        if usable &>> UInt64(truncatingIfNeeded: bit) & 1 != 0, view.isFree(slot),
          let frame = split(view, slot, order: order, placement, &search)
        {
          return frame
        }
        guard view.isPartial(slot) else { continue }
        let child = node.child(slot)
        let frame =
          child.level == order / 9
          ? findHere(child, order: order, placement, in: filter, &search)
          : findBelow(child, order: order, placement, in: filter, &search)
        if let frame { return frame }
      }
    }
    return nil
  }

  /// Takes the wholly free child in `slot` apart: the block at its preferred end for the caller, the rest published.
  @inlinable func split(
    _ view: NodeView, _ slot: Int, order: Int, _ placement: Placement, _ search: inout Search
  ) -> UInt64? {
    beginMotion()
    guard takeChild(view, slot, &search) else {
      endMotion()
      return nil
    }
    defer { if !search.keepsMotion { endMotion() } }
    let start = view.node.frame(slot)
    let level = view.node.level
    let size = UInt64(1) &<< UInt64(truncatingIfNeeded: order)
    let frame = placement == .lowest ? start : start &+ (1 &<< UInt64(truncatingIfNeeded: 9 &* level)) &- size
    carve(block: frame, order: order, below: level)
    return frame
  }
}
