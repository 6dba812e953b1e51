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
    guard top > 0, let place = filter.slot else { return }
    let table = unsafe levels[1]
    for offset in 0..<table.nodes {
      let node = TreeNode(level: 1, number: table.first + offset)
      let noted = Int(unsafe summary(node).pointee.load(ordering: .relaxed) >> UInt64(4 * place) & 15)
      guard noted > 0 else { continue }
      let view = view(node)
      for word in 0..<8 {
        var leaves = (view.freeWord(word) | view.partialWord(word)) & filter.usable(node, word)
        while leaves != 0 {
          let slot = word << 6 | leaves.trailingZeroBitCount
          leaves &= leaves - 1
          let start = FrameNumber(rawValue: node.frame(slot))
          guard !view.isFree(slot) else { throw .note(start: start, power: noted - 1) }
          let leaf = self.view(node.child(slot))
          for word in 0..<8 where hasRun(leaf, noted - 1, around: word) { throw .note(start: start, power: noted - 1) }
        }
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
    for number in 1...8 {
      let isDry = dryWord(view.node.parent, power: number, slot >> 6) >> UInt64(slot & 63) & 1 != 0
      guard isDry == (power > 0 && number >= power) else { throw .note(start: start, power: number) }
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
