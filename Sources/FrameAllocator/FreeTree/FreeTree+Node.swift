import MemoryUnits
import Synchronization

// What can be done to one node: take and put runs of children, keep the hints above true, move memory between levels.

extension FreeTreeCore {
  // MARK: Taking

  /// The place of a free run as `placement` prefers it, or nil. A look only: it may be gone at once.
  @inlinable func findRun(_ view: NodeView, power: Int, _ placement: Placement, in filter: some TreeFilter) -> SlotRun? {
    if power <= 6 {
      for step in 0..<8 {
        let word = placement == .lowest ? step : 7 &- step
        let starts = runStarts(view.freeWord(word) & filter.usable(view.node, word), power: power)
        if starts != 0 { return SlotRun(slot: word &<< 6 | preferredBit(starts, placement), power: power) }
      }
      return nil
    }
    let words = 1 &<< (power &- 6)
    for step in 0..<(8 &>> (power &- 6)) {
      let first = (placement == .lowest ? step : (8 &>> (power &- 6)) &- 1 &- step) &* words
      var all = ~UInt64(0)
      for word in first..<(first &+ words) { all &= view.freeWord(word) & filter.usable(view.node, word) }
      if all == ~0 { return SlotRun(slot: first &<< 6, power: power) }
    }
    return nil
  }

  /// Clears the bits of `run`, of which the caller took as many from the count. False, and the bits as they were, where one of
  /// them is clear already.
  @inlinable func clearRun(_ view: NodeView, _ run: SlotRun) -> Bool {
    let mask = run.mask
    for word in run.firstWord..<(run.firstWord &+ run.words) {
      if word != run.firstWord { observer.reached(.claimedWord) }
      var seen = view.freeWord(word)
      while true {
        guard seen & mask == mask else {
          // Half-way through: put back what was cleared. The caller still holds its share of the count.
          for cleared in run.firstWord..<word { _ = view.setFreeBits(cleared, mask) }
          return false
        }
        let (done, original) = view.exchangeFreeWord(word, from: seen, to: seen & ~mask)
        if done { break }
        seen = original
      }
    }
    return true
  }

  /// Takes a run of 2^`power` free children out of the node, or returns nil. Sets `inFlight` where bits were seen that the count
  /// does not cover, or that changed meanwhile: someone is at work here.
  @inlinable func takeRun(
    _ view: NodeView, power: Int, _ placement: Placement, in filter: some TreeFilter, _ search: inout Search
  ) -> SlotRun? {
    let amount = UInt16(1) &<< UInt16(truncatingIfNeeded: power)
    let before = view.state
    // Only leaves have notes.
    let isLeaf = view.node.level == 0
    if isLeaf && before.rulesOut(power: power) { return nil }
    guard var run = findRun(view, power: power, placement, in: filter) else {
      guard isLeaf else { return nil }
      if !filter.isEverything(below: view.node) {
        search.leftOut = true
      } else if !note(view, noRunOf: power, since: before) {
        search.inFlight = true
      }
      return nil
    }
    if search.keepsMotion { beginMotion() }
    guard let remaining = view.reserve(amount) else {
      if search.keepsMotion { endMotion() }
      search.inFlight = true
      return nil
    }
    observer.reached(.reserved)
    while !clearRun(view, run) {
      // Others took of it since. A single bit is there for everyone who took one from the count: a search that passed it by is
      // repeated. Longer runs may all be broken up, and of what a filter lets through there may be less than was counted.
      if let another = findRun(view, power: power, placement, in: filter) {
        run = another
      } else if power > 0 || !filter.isEverything(below: view.node) {
        search.inFlight = true
        settle(view, amount)
        if search.keepsMotion { endMotion() }
        return nil
      }
    }
    if remaining == 0 { updateHint(view.node) }
    return run
  }

  /// Takes exactly `run`; false where a part of it is not free.
  @inlinable func takeExactly(_ view: NodeView, _ run: SlotRun, _ search: inout Search) -> Bool {
    for word in run.firstWord..<(run.firstWord &+ run.words) where view.freeWord(word) & run.mask != run.mask { return false }
    guard let remaining = view.reserve(run.count) else {
      search.inFlight = true
      return false
    }
    observer.reached(.reserved)
    guard clearRun(view, run) else {
      settle(view, run.count)
      return false
    }
    if remaining == 0 { updateHint(view.node) }
    return true
  }

  // MARK: Putting

  /// Whether a part of `run` is free, here, above or below, so far as can be seen at once.
  @inlinable func isAnyFree(_ view: NodeView, _ run: SlotRun) -> Bool {
    for word in run.firstWord..<(run.firstWord &+ run.words) {
      if view.freeWord(word) & run.mask != 0 { return true }
      if view.node.level > 0 && view.partialWord(word) & run.mask != 0 && isAnyFree(below: view, word, run.mask) { return true }
    }
    // Where something of the node is free and something is held, no ancestor is wholly free.
    return view.available == 0 && isBelowWhollyFree(view.node)
  }

  /// Whether anything is free below the children of `mask`. Hints can be behind; the counts below a held child are not.
  @inlinable func isAnyFree(below view: NodeView, _ word: Int, _ mask: UInt64) -> Bool {
    var hinted = view.partialWord(word) & mask
    while hinted != 0 {
      let child = self.view(view.node.child(word &<< 6 | hinted.trailingZeroBitCount))
      if child.available != 0 { return true }
      if child.node.level > 0 {
        for word in 0..<8 where isAnyFree(below: child, word, ~0) { return true }
      }
      hinted &= hinted &- 1
    }
    return false
  }

  /// Whether an ancestor of `node` is wholly free.
  @inlinable func isBelowWhollyFree(_ node: TreeNode) -> Bool {
    var node = node
    while node.level < top {
      if view(node.parent).isFree(node.slotInParent) { return true }
      node = node.parent
    }
    return false
  }

  /// Sets the bits of `run` and counts them. False where some were set already; those are not counted again.
  @inlinable @discardableResult func putRun(_ view: NodeView, _ run: SlotRun) -> Bool {
    let mask = run.mask
    var fresh: UInt16 = 0
    for word in run.firstWord..<(run.firstWord &+ run.words) {
      let old = view.setFreeBits(word, mask)
      fresh &+= old & mask == 0 ? UInt16(truncatingIfNeeded: run.power > 6 ? 64 : Int(run.count)) : newBits(old, mask)
    }
    settle(view, fresh, run)
    return fresh == run.count
  }

  @inlinable func newBits(_ old: UInt64, _ mask: UInt64) -> UInt16 {
    UInt16(truncatingIfNeeded: (mask & ~old).nonzeroBitCount)
  }

  /// Adds to the count what has its bits set, and tells the levels above.
  ///
  /// - Parameter run: what became free; nil where that is not known.
  @inlinable func settle(_ view: NodeView, _ amount: UInt16, _ run: SlotRun? = nil) {
    guard amount != 0 else { return }
    let old = view.addToCount(amount)
    if old.hasNote { checkNote(view, old.note, run) }
    if old.available == 0 { updateHint(view.node) }
    if view.node.level == 1 {
      checkSummary(view, run)
    } else if old.available == 0 && view.node.level == 0 && top > 0 {
      loosenFull(view, run)
    }
    if old.available &+ amount == 512 && view.node.level < top { promote(view) }
  }

  // MARK: Between the levels

  /// Turns a node whose 512 children are free into one bit of its parent, unless someone takes of it first.
  @inlinable func promote(_ view: NodeView) {
    beginMotion()
    defer { endMotion() }
    guard view.claimWhole() else { return }
    observer.reached(.movingUp)
    for word in 0..<8 { view.overwriteFreeWord(word, 0) }
    let slot = view.node.slotInParent
    putRun(self.view(view.node.parent), SlotRun(slot: slot, power: 0))
    updateHint(view.node)
  }

  /// Takes the child in `slot` out of the node, where it is wholly free, and with it the duty to fill it; the caller has begun a
  /// motion.
  @inlinable func takeChild(_ view: NodeView, _ slot: Int, _ search: inout Search) -> Bool {
    guard takeExactly(view, SlotRun(slot: slot, power: 0), &search) else { return false }
    observer.reached(.movingDown)
    return true
  }

  /// Fills the nodes from just below `level` down to the block's own, all the caller's, with everything but the block.
  @inlinable func carve(block frame: UInt64, order: Int, below level: Int) {
    let own = order / 9
    var level = level &- 1
    while level >= own {
      let node = TreeNode(level: level, covering: frame)
      let view = self.view(node)
      let run = SlotRun(slot: node.slot(of: frame), power: level == own ? order &- 9 &* own : 0)
      for word in 0..<8 {
        let isTaken = word >= run.firstWord && word < run.firstWord &+ run.words
        view.overwriteFreeWord(word, isTaken ? ~run.mask : ~0)
      }
      // The count publishes the bits.
      _ = view.addToCount(512 &- run.count)
      updateHint(node)
      if level == 1 { loosen(node, leaf: 8, here: 8) } else if level == 0 { loosen(node.parent, leaf: 8, here: -1) }
      level &-= 1
    }
  }

  // MARK: Hints

  /// Makes the parent's "has free" bit say what the node says. Whoever changes the node from having nothing to having something,
  /// or back, calls this afterwards; whoever writes the bit looks again at the node. So the last writer leaves the truth.
  @inlinable func updateHint(_ node: TreeNode) {
    guard node.level < top else { return }
    let own = view(node)
    let parent = view(node.parent)
    let slot = node.slotInParent
    while true {
      let value = own.hasAnyFree
      guard let word = parent.setPartial(slot, value) else { return }
      // The word's first bit, or its last one: the parent's own state may have turned.
      if word & (word &- 1) == 0 { updateHint(parent.node) }
    }
  }
}
