import FrameMap
import MemoryUnits

// Where a request's frames come from: a cache, pageblocks of its own mobility, a wholly free pageblock, others' pageblocks.

extension FolioZone {
  /// A folio for a request, or nil where the zone has no frames that it may give.
  ///
  /// - Parameter drains: whether caches are emptied first where nothing suitable is free beside them.
  borrowing func take(
    _ order: Order, _ mobility: FrameMobility, drains: Bool = true, on cpu: CPUIndex
  ) throws(FolioError) -> Folio? {
    while true {
      let before = tally.endedChanges
      if let folio = try takeInside(order, mobility, on: cpu) { return folio }
      if drains, cache.cachedFrames() > .zero {
        // What is left lies in other processors' caches, or these keep its neighbours from coalescing.
        cache.drain()
        if let folio = try takeInside(order, mobility, on: cpu) { return folio }
      }
      // A pageblock that changed hands meanwhile may have been looked for where it was not yet, or not any more.
      guard tally.begunChanges != before else { break }
    }
    return try borrow(order, mobility, on: cpu)
  }

  /// Gives pageblocks to a mobility.
  private borrowing func hand(_ range: FrameRange, to mobility: FrameMobility) {
    tally.beginChange()
    pageblocks.set(mobility, over: range)
    cache.tree.forgetSummaries(over: range)
    tally.endChange()
  }

  private borrowing func takeInside(
    _ order: Order, _ mobility: FrameMobility, on cpu: CPUIndex
  ) throws(FolioError) -> Folio? {
    try cache.inside(cpu) { () throws(FolioError) in
      let head = order == Order(0) ? takeFrame(mobility, on: cpu) : takeBlock(order, mobility, on: cpu)
      guard let head else { return nil }
      return try prepare(head, order, mobility)
    }
  }

  /// A folio of the processor's own cache, or nil.
  @inline(__always)
  borrowing func takeCached(_ mobility: FrameMobility, on cpu: CPUIndex) throws(FolioError) -> Folio? {
    try cache.inside(cpu) { () throws(FolioError) in
      guard let head = cache.takeCached(mobility, on: cpu) else { return nil }
      return try prepare(head, Order(0), mobility)
    }
  }

  /// A movable folio at the highest place from `start` on, out of movable pageblocks and past the caches; nil where there is none.
  ///
  /// - Complexity: as ``allocate(_:_:on:)``. Linux: the free scanner of compaction.
  public borrowing func claimHighest(_ order: Order, from start: FrameNumber, on cpu: CPUIndex) -> Folio? {
    guard start < zone.end else { return nil }
    let places = Both(
      OwnPageblocks(mobility: .movable, marks: pageblocks),
      Inside(range: FrameRange(start: max(start, zone.start), end: zone.end)))
    return cache.inside(cpu) {
      while true {
        // What is free in blocks larger than a node of the tree belongs to no pageblock yet.
        guard
          let head = cache.tree.allocate(order, from: .highest, in: places)
            ?? takeOutOfWholePageblock(order, .movable, from: start)
        else { return nil }
        cache.count(taken: Int64(order.frames.rawValue), on: cpu)
        if !pageblocks.isAnyIsolated(FrameRange(blockAt: head, order: order)) { return try? prepare(head, order, .movable) }
        capture(head, order)
      }
    }
  }

  private borrowing func takeFrame(_ mobility: FrameMobility, on cpu: CPUIndex) -> FrameNumber? {
    if let frame = cache.takeCached(mobility, on: cpu) { return frame }
    return cache.refill(mobility, on: cpu) { cell in
      while let word = claimWord(cell, mobility) {
        if !isIsolated(word) { return word }
        capture(word, on: cpu)
      }
      return nil
    }
  }

  private borrowing func takeBlock(_ order: Order, _ mobility: FrameMobility, on cpu: CPUIndex) -> FrameNumber? {
    while let head = findBlock(order, mobility) {
      cache.count(taken: Int64(order.frames.rawValue), on: cpu)
      if !pageblocks.isAnyIsolated(FrameRange(blockAt: head, order: order)) { return head }
      capture(head, order)
    }
    return nil
  }

  /// A word for a cache: out of the request's own pageblocks, or as many frames of another one.
  private borrowing func claimWord(_ cell: CacheCell, _ mobility: FrameMobility) -> FrameWord? {
    let own = OwnPageblocks(mobility: mobility, marks: pageblocks)
    if let word = cache.claimWord(cell, mobility.placement, in: own) { return word }
    // As many frames as a cell keeps in a word, or all of a smaller pageblock.
    let order = min(Order(6), pageblocks.order)
    if let head = takeOutOfWholePageblock(order, mobility) ?? fallBack(order, mobility) { return word(head, order) }
    return fallBack(Order(0), mobility).map { word($0, Order(0)) }
  }

  private func word(_ head: FrameNumber, _ order: Order) -> FrameWord {
    let bits = order == Order(6) ? ~0 : (UInt64(1) << order.frames.rawValue) - 1
    return FrameWord(number: head.rawValue >> 6, bits: bits << (head.rawValue & 63))
  }

  private borrowing func findBlock(_ order: Order, _ mobility: FrameMobility) -> FrameNumber? {
    if order >= pageblocks.order {
      guard let head = takeWholePageblocks(order, mobility, keepsMotion: false) else { return nil }
      hand(FrameRange(blockAt: head, order: order), to: mobility)
      return head
    }
    let own = OwnPageblocks(mobility: mobility, marks: pageblocks)
    return cache.tree.allocate(order, from: mobility.placement, in: own) ?? takeOutOfWholePageblock(order, mobility)
      ?? fallBack(order, mobility)
  }

  // MARK: Wholly free pageblocks

  /// A block of whole pageblocks; a request that cannot move takes it from a group that is spoilt already, where there is one.
  private borrowing func takeWholePageblocks(
    _ order: Order, _ mobility: FrameMobility, keepsMotion: Bool
  ) -> FrameNumber? {
    let spoils = mobility == .unmovable || mobility == .reclaimable
    if spoils, let group = policy.groupOrder, order < group,
      let head = inSpoiltGroups(group, { cache.tree.allocate(order, from: .lowest, inside: $0, keepsMotion: keepsMotion) })
    {
      return head
    }
    return cache.tree.allocate(order, from: mobility.placement, in: Everywhere(), keepsMotion: keepsMotion)
  }

  /// A block of less than a pageblock: a wholly free pageblock becomes the request's, and the rest of it stays free.
  ///
  /// - Parameter lowest: where it may lie at the lowest; nil for anywhere.
  private borrowing func takeOutOfWholePageblock(
    _ order: Order, _ mobility: FrameMobility, from lowest: FrameNumber? = nil
  ) -> FrameNumber? {
    // Between the two steps the rest of the pageblock is nowhere to be found; searches wait for it.
    guard let start = takeWholePageblocks(pageblocks.order, mobility, keepsMotion: true) else { return nil }
    defer { cache.tree.endMotion() }
    if let lowest, start < lowest {
      cache.tree.putBlocks(start.rawValue, (start + pageblocks.order.frames).rawValue)
      return nil
    }
    let pageblock = FrameRange(blockAt: start, order: pageblocks.order)
    if pageblocks.mobility(of: start) != mobility { hand(pageblock, to: mobility) }
    tally.add(.claimed)
    return keep(order, of: pageblock, for: mobility)
  }

  /// Keeps a block of `order` at the end of a block that the mobility prefers, and makes the rest free.
  private borrowing func keep(_ order: Order, of block: FrameRange, for mobility: FrameMobility) -> FrameNumber {
    let head = mobility.placement == .lowest ? block.start : block.end - order.frames
    let end = head + order.frames
    if block.start < head { cache.tree.putBlocks(block.start.rawValue, head.rawValue) }
    if end < block.end { cache.tree.putBlocks(end.rawValue, block.end.rawValue) }
    return head
  }

  /// What `body` finds in the lowest group that has unmovable or reclaimable pageblocks.
  ///
  /// - Complexity: O(groups) at worst, a word of marks for each 32 or 64 pageblocks.
  private borrowing func inSpoiltGroups(_ order: Order, _ body: (FrameRange) -> FrameNumber?) -> FrameNumber? {
    var start = zone.start.aligned(to: order.frames, .down)
    while start < zone.end {
      let group = FrameRange(start: start, count: order.frames)
      if pageblocks.isSpoilt(group), let found = body(group) { return found }
      start = group.end
    }
    return nil
  }

  // MARK: Others' pageblocks

  /// Frames from a pageblock of another mobility: a request that is large, or cannot move, looks for the largest free block, so
  /// that it spoils one pageblock and not many; a small movable one takes the smallest that serves.
  ///
  /// Linux: `find_suitable_fallback`, `can_steal_fallback`.
  private borrowing func fallBack(_ order: Order, _ mobility: FrameMobility) -> FrameNumber? {
    guard policy.fallback == .stealOrPollute else { return nil }
    if mobility != .movable, let group = policy.groupOrder,
      let head = inSpoiltGroups(group, { fallBack(order, mobility, inside: $0) })
    {
      return head
    }
    return fallBack(order, mobility, inside: zone)
  }

  private borrowing func fallBack(_ order: Order, _ mobility: FrameMobility, inside range: FrameRange) -> FrameNumber? {
    let largest = pageblocks.order.rawValue - 1
    guard let others = mobility.fallbacks, order.rawValue <= largest else { return nil }
    // Most requests that come here find nothing, and what is not there is known of most.
    let first = ordersToSeek(order, largest, others.first)
    let second = ordersToSeek(order, largest, others.second)
    func serves(_ found: Order, _ maySteal: Bool) -> FrameNumber? {
      if found < first, let block = takeForeign(found, order, others.first, mobility, inside: range, maySteal: maySteal) {
        return block
      }
      guard found < second else { return nil }
      return takeForeign(found, order, others.second, mobility, inside: range, maySteal: maySteal)
    }
    let smallest = mobility == .movable ? max(order.rawValue, pageblocks.order.rawValue / 2) : order.rawValue
    let end = max(first, second).rawValue
    var found = end
    while found > smallest {
      found -= 1
      if let block = serves(Order(found), true) { return block }
    }
    guard mobility == .movable else { return nil }
    found = order.rawValue
    while found < end {
      if let block = serves(Order(found), false) { return block }
      found += 1
    }
    return nil
  }

  /// The order, from `order` up to one more than `largest`, from which on nothing is in pageblocks of a mobility.
  private borrowing func ordersToSeek(_ order: Order, _ largest: UInt8, _ other: FrameMobility) -> Order {
    let filter = OwnPageblocks(mobility: other, marks: pageblocks)
    var end = order
    while end.rawValue <= largest, cache.tree.mayHave(end, in: filter) { end = Order(end.rawValue + 1) }
    return end
  }

  /// Takes a block of `found` frames out of another mobility's pageblocks, keeps `order` of it and puts the rest back.
  private borrowing func takeForeign(
    _ found: Order, _ order: Order, _ other: FrameMobility, _ mobility: FrameMobility, inside range: FrameRange, maySteal: Bool
  ) -> FrameNumber? {
    let others = OwnPageblocks(mobility: other, marks: pageblocks)
    let start =
      range == zone
      ? cache.tree.allocate(found, from: mobility.placement, in: others, keepsMotion: true)
      : cache.tree.allocate(found, from: mobility.placement, in: Both(others, Inside(range: range)), keepsMotion: true)
    guard let start else { return nil }
    defer { cache.tree.endMotion() }
    let block = FrameRange(blockAt: start, order: found)
    let pageblock = pageblocks.pageblock(of: start).intersection(zone)
    if maySteal, isWorthStealing(pageblock, block, for: mobility) {
      hand(pageblock, to: mobility)
      tally.add(.stolen)
    } else {
      tally.add(.polluted)
    }
    return keep(order, of: block, for: mobility)
  }

  /// Whether at least half of a pageblock is free, or used by what is like the request. `taken` is free but for the caller.
  ///
  /// - Complexity: O(folios in the pageblock + frames / 64). Linux: `move_freepages_block` and the comparison after it.
  private borrowing func isWorthStealing(_ pageblock: FrameRange, _ taken: FrameRange, for mobility: FrameMobility) -> Bool {
    let half = FrameCount(pageblocks.order.frames.rawValue / 2)
    var good = taken.count + cache.tree.freeFrames(in: pageblock)
    var head = (try? find(pageblock.start))?.head ?? heads.next(from: pageblock.start)
    while good < half, let start = head, start < pageblock.end {
      guard let descriptor = unsafe table.descriptor(start) else { break }
      let shape = unsafe descriptor.pointee.shape
      if shape.mobility.isLike(mobility) {
        good += FrameRange(start: start, count: shape.order.frames).intersection(pageblock).count
      }
      // A folio that is freed and handed out again meanwhile has another order; then this is a guess, as all of it is.
      head = heads.next(from: start + FrameCount(1))
    }
    return good >= half
  }
}

extension FrameMobility {
  /// Whether frames of both may share a pageblock without harm: neither moves, or both do.
  fileprivate func isLike(_ other: FrameMobility) -> Bool {
    (self == .movable || self == .contiguous) == (other == .movable || other == .contiguous)
  }
}

/// What two filters let through.
struct Both<First: TreeFilter, Second: TreeFilter>: TreeFilter {
  let first: First
  let second: Second

  init(_ first: First, _ second: Second) {
    self.first = first
    self.second = second
  }

  func usable(_ node: TreeNode, _ word: Int) -> UInt64 { first.usable(node, word) & second.usable(node, word) }
  func some(_ node: TreeNode, _ word: Int) -> UInt64 { first.some(node, word) & second.some(node, word) }
  func isEverything(below node: TreeNode) -> Bool { first.isEverything(below: node) && second.isEverything(below: node) }
  var slot: Int? { nil }
}
