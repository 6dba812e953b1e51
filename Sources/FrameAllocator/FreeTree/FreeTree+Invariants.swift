public import MemoryUnits
import Synchronization

/// What a recount found wrong.
public enum FreeTreeFault: Error, Hashable, Sendable {
  /// The count of the node of `level` that starts at `start` is not the number of its set bits.
  case count(level: Int, start: FrameNumber, counted: UInt16, bits: UInt16)
  /// The child at `start` is marked as having free frames and has none, or the other way round, or is marked wholly free too.
  case hint(level: Int, start: FrameNumber)
  /// The node that starts at `start` has 512 free children and is not one bit of its parent.
  case notCoalesced(level: Int, start: FrameNumber)
  /// The node at `start` lies below a wholly free or wholly held child and is not zero.
  case notZero(level: Int, start: FrameNumber)
  /// The leaf at `start` is noted to have no run of 2^`power` frames, and has one, or the node above says otherwise.
  case note(start: FrameNumber, power: Int)
  /// The frame is free and lies outside the zone.
  case outsideZone(FrameNumber)
  /// The frame is in a processor's cache, and free as well or in another one.
  case cachedTwice(FrameNumber)
  /// Memory is still on its way between two levels.
  case inMotion
}

extension FreeTreeCore {
  /// Recounts the tree from scratch: bits against counts, hints against children, nothing outside the zone, full nodes merged
  /// and unused nodes zero. Only while nobody else is in the tree.
  ///
  /// - Throws: the first difference.
  /// - Complexity: O(all nodes); touches the whole storage.
  public borrowing func checkInvariants() throws(FreeTreeFault) {
    guard motionNow & 0xffff_ffff == 0 else { throw .inMotion }
    for level in 0...top {
      let table = unsafe levels[level]
      for offset in 0..<table.nodes { try check(TreeNode(level: level, number: table.first + offset)) }
    }
    try checkSummaries(in: Everywhere())
  }

  /// Looks for what nodes of leaves note as not being there for searches with such a filter.
  ///
  /// - Complexity: O(leaves).
  borrowing func checkSummaries(in filter: some TreeFilter) throws(FreeTreeFault) {
    guard top > 0, let kind = filter.slot else { return }
    let table = unsafe levels[1]
    for offset in 0..<table.nodes {
      let node = TreeNode(level: 1, number: table.first + offset)
      let view = view(node)
      try checkDry(node)
      let whole = summary(node).note(4) - 1
      if kind == Everywhere.place && whole >= 0 {
        let start = FrameNumber(rawValue: node.frame(0))
        for word in 0..<8 where hasRun(view, whole, around: word) { throw .note(start: start, power: 9 + whole) }
      }
      let noted = summary(node).note(kind) - 1
      guard noted >= 0 else { continue }
      for word in 0..<8 {
        var leaves = (view.freeWord(word) | view.partialWord(word)) & filter.usable(node, word)
        while leaves != 0 {
          let slot = word << 6 | leaves.trailingZeroBitCount
          leaves &= leaves - 1
          let start = FrameNumber(rawValue: node.frame(slot))
          guard !view.isFree(slot) else { throw .note(start: start, power: noted) }
          let leaf = self.view(node.child(slot))
          for word in 0..<8 where hasRun(leaf, noted, around: word) { throw .note(start: start, power: noted) }
          // Else a free that makes such a run would not tell the node.
          guard leaf.available == 0 || noted == 0 || leaf.state.rulesOut(power: noted) else {
            throw .note(start: start, power: noted)
          }
        }
      }
    }
  }

  /// A bit that says of a node of leaves what its summary does not. One that is missing costs a look.
  private func checkDry(_ node: TreeNode) throws(FreeTreeFault) {
    guard top > 1 else { return }
    let slot = node.slotInParent
    for kind in 0..<NotePlace.kinds {
      let note = summary(node).note(kind)
      for power in 0..<9 where note == 0 || power + 1 < note {
        let isDry = dryWord(node.parent, line: kind * 9 + power, slot >> 6) >> UInt64(slot & 63) & 1 != 0
        guard !isDry else { throw .note(start: FrameNumber(rawValue: node.frame(0)), power: power) }
      }
    }
  }

  private func checkNote(of view: NodeView) throws(FreeTreeFault) {
    let power = view.state.note
    let start = FrameNumber(rawValue: view.node.frame(0))
    if power > 0 {
      for word in 0..<8 where hasRun(view, power, around: word) { throw .note(start: start, power: power) }
    }
    guard top > 0, unsafe levels[1].dry != nil else { return }
    let slot = view.node.slotInParent
    for number in 1...8 where power == 0 || number < power {
      let isDry = dryWord(view.node.parent, line: number - 1, slot >> 6) >> UInt64(slot & 63) & 1 != 0
      guard !isDry else { throw .note(start: start, power: number) }
    }
  }

  private func check(_ node: TreeNode) throws(FreeTreeFault) {
    let view = view(node)
    let level = node.level
    let start = FrameNumber(rawValue: node.frame(0))
    var bits = 0
    var hints: UInt64 = 0
    for word in 0..<8 {
      bits += view.freeWord(word).nonzeroBitCount
      if level > 0 { hints |= view.partialWord(word) }
    }
    guard bits == Int(view.available) else {
      throw .count(level: level, start: start, counted: view.available, bits: UInt16(bits))
    }
    if level == 0 { try checkNote(of: view) }
    if level < top {
      if bits == 512 { throw .notCoalesced(level: level, start: start) }
      let parent = self.view(node.parent)
      let isPartial = parent.isPartial(node.slotInParent)
      if isPartial != view.hasAnyFree || (isPartial && parent.isFree(node.slotInParent)) {
        throw .hint(level: level, start: start)
      }
      if (bits != 0 || hints != 0) && isBelowWhollyFree(node) { throw .notZero(level: level, start: start) }
    }
    let size = FrameCount(rawValue: 1 << UInt64(9 * level))
    if !zone.contains(FrameRange(start: start, count: size * 512)) {
      for slot in 0..<512 where view.isFree(slot) {
        let first = FrameNumber(rawValue: node.frame(slot))
        guard zone.contains(FrameRange(start: first, count: size)) else { throw .outsideZone(first) }
      }
    }
    // Children that the zone does not reach have no node, and so nothing free below.
    if level > 0 && hints != 0 {
      let below = unsafe levels[level - 1]
      for slot in 0..<512 where view.isPartial(slot) {
        let child = node.child(slot)
        guard child.number >= below.first, child.number - below.first < below.nodes else {
          throw .hint(level: level - 1, start: FrameNumber(rawValue: child.frame(0)))
        }
      }
    }
  }
}
