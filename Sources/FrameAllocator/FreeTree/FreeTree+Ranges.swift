public import MemoryUnits

extension FreeTreeCore {
  /// Takes exactly the frames of `range`, of any length and start.
  ///
  /// - Throws: ``FreeTreeError/outsideZone``, or ``FreeTreeError/notFree`` where a frame is held; what was claimed by then goes
  ///   back, and the tree is as it was.
  /// - Complexity: O(log(frames) * levels): at most two blocks of each order.
  ///
  /// Threads: any. Linux: the end of `alloc_contig_range`, where the isolated free blocks leave their lists.
  public borrowing func claim(_ range: FrameRange) throws(FreeTreeError) {
    guard zone.contains(range) else { throw .outsideZone }
    while true {
      let before = motionNow
      guard isFreeNow(range) else {
        if isDefinite(since: before, Search()) { throw .notFree }
        continue
      }
      var search = Search()
      var blocks = AlignedBlocks(range.start.rawValue, range.end.rawValue)
      var claimed = range.start.rawValue
      while let (start, order) = blocks.pop() {
        if claimed != range.start.rawValue { observer.reached(.claimedBlock) }
        guard claimBlock(start, order: order, &search) else { break }
        claimed = blocks.next
      }
      if claimed == range.end.rawValue { return }
      // Someone took of it after the look above. The next look decides.
      putBlocks(range.start.rawValue, claimed)
    }
  }

  /// Makes the frames of `range` free: those of a zone that is being filled, a range that was claimed, or parts of either.
  ///
  /// - Throws: ``FreeTreeError/outsideZone``, or ``FreeTreeError/alreadyFree`` where a frame is free; the tree is unchanged then.
  /// - Complexity: O(log(frames) * levels), whatever the length; touches no node below the range's own blocks.
  ///
  /// Threads: any. Linux: `__free_memory_core`, which frees a boot region block by block.
  public borrowing func release(_ range: FrameRange) throws(FreeTreeError) {
    guard zone.contains(range) else { throw .outsideZone }
    var blocks = AlignedBlocks(range.start.rawValue, range.end.rawValue)
    while let (start, order) = blocks.pop() {
      let (view, run) = place(of: start, order: order)
      guard !isAnyFree(view, run) else { throw .alreadyFree }
    }
    putBlocks(range.start.rawValue, range.end.rawValue)
  }

  /// Whether every frame of `range` is free. Frames outside the zone are not.
  ///
  /// The answer is about an instant; claim the range to act on it. Blocks on their way between two levels are waited for.
  ///
  /// - Complexity: O(log(frames) * levels).
  public borrowing func isFree(_ range: FrameRange) -> Bool {
    guard zone.contains(range) else { return false }
    while true {
      let before = motionNow
      if isFreeNow(range) { return true }
      if isDefinite(since: before, Search()) { return false }
    }
  }

  /// The first free frame of `range`, or nil. Exact while nobody else is in the tree.
  ///
  /// - Complexity: O(log(frames) * levels) where nothing is free.
  borrowing func firstFree(in range: FrameRange) -> FrameNumber? {
    var blocks = AlignedBlocks(range.start.rawValue, range.end.rawValue)
    while let (start, order) = blocks.pop() {
      let (view, run) = place(of: start, order: order)
      guard isAnyFree(view, run) else { continue }
      return firstFreeRun(in: FrameRange(start: FrameNumber(start), end: range.end))?.start
    }
    return nil
  }

  /// The first frames of `range` that are free, as far as they are neighbours in one leaf or in what is wholly free above it.
  ///
  /// - Complexity: O(frames / 512), or O(frames / 2^18) where nothing is free.
  borrowing func firstFreeRun(in range: FrameRange) -> FrameRange? {
    var frame = range.start.rawValue
    let end = range.end.rawValue
    while frame < end {
      if let above = whollyFree(above: frame) {
        return FrameRange(start: FrameNumber(frame), end: FrameNumber(min(end, above)))
      }
      let leaf = TreeNode(level: 0, covering: frame)
      if top > 0, !view(leaf.parent).hasAnyFree {
        frame = min(end, (frame >> 18 + 1) << 18)
        continue
      }
      let view = view(leaf)
      let limit = min(end, (frame >> 9 + 1) << 9)
      if let start = bit(in: view, isSet: true, from: frame, below: limit) {
        let stop = bit(in: view, isSet: false, from: start, below: limit) ?? limit
        return FrameRange(start: FrameNumber(start), end: FrameNumber(stop))
      }
      frame = limit
    }
    return nil
  }

  /// The end of the wholly free node that covers `frame`, of whatever level; nil where its leaf counts.
  private func whollyFree(above frame: UInt64) -> UInt64? {
    var node = TreeNode(level: 0, covering: frame)
    while node.level < top {
      if view(node.parent).isFree(node.slotInParent) {
        return (node.number + 1) << UInt64(9 * (node.level + 1))
      }
      node = node.parent
    }
    return nil
  }

  /// The first frame from `start` on, in the leaf of `view`, whose bit is set, or clear.
  private func bit(in view: NodeView, isSet: Bool, from start: UInt64, below end: UInt64) -> UInt64? {
    var frame = start
    while frame < end {
      let word = view.freeWord(Int(frame >> 6 & 7))
      let wanted = (isSet ? word : ~word) & ~0 << (frame & 63)
      let found = frame & ~63 + UInt64(wanted.trailingZeroBitCount)
      if wanted != 0 { return found < end ? found : nil }
      frame = (frame | 63) + 1
    }
    return nil
  }

  func isFreeNow(_ range: FrameRange) -> Bool {
    var blocks = AlignedBlocks(range.start.rawValue, range.end.rawValue)
    while let (start, order) = blocks.pop() {
      let (view, run) = place(of: start, order: order)
      var isFree = true
      for word in run.firstWord..<(run.firstWord + run.words) where view.freeWord(word) & run.mask != run.mask { isFree = false }
      guard isFree || isBelowWhollyFree(view.node) else { return false }
    }
    return true
  }

  /// Takes the block, from its own node or out of the ancestor that is wholly free.
  func claimBlock(_ start: UInt64, order: Int, _ search: inout Search) -> Bool {
    let (own, run) = place(of: start, order: order)
    if search.keepsMotion { beginMotion() }
    if takeExactly(own, run, &search) { return true }
    if search.keepsMotion { endMotion() }
    var node = own.node
    while node.level < top {
      let slot = node.slotInParent
      node = node.parent
      let view = view(node)
      guard view.isFree(slot) else { continue }
      beginMotion()
      guard takeChild(view, slot, &search) else {
        endMotion()
        return false
      }
      defer { if !search.keepsMotion { endMotion() } }
      carve(block: start, order: order, below: node.level)
      return true
    }
    return false
  }

  func putBlocks(_ start: UInt64, _ end: UInt64) {
    var blocks = AlignedBlocks(start, end)
    while let (start, order) = blocks.pop() {
      let (view, run) = place(of: start, order: order)
      putRun(view, run)
    }
  }
}
