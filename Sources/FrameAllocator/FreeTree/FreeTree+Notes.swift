import MemoryUnits
import Synchronization

// What searches did not find: notes of leaves, summaries of nodes of leaves, and a bit for each of both in the node above.
//
// Who changes a note changes the bits that follow it in the same motion, so that a search that reads them meanwhile looks again.

/// Where a node of leaves notes what searches of one kind did not find: of which kind, and which order.
@frozen @usableFromInline struct NotePlace {
  /// Kinds 0 to 3 are the filters' slots, for blocks inside leaves; kind 4 is for blocks of whole leaves, anywhere. Below 0 for
  /// searches of which nothing is noted.
  @usableFromInline let kind: Int
  /// 0 to 8; of whole leaves log2 of their number.
  @usableFromInline let power: Int

  @inlinable @inline(__always) init(_ order: Int, _ slot: Int?) {
    if let slot, order < 9 {
      (kind, power) = (slot, order)
    } else if slot == Everywhere.place, order < 18 {
      (kind, power) = (4, order &- 9)
    } else {
      (kind, power) = (-1, 0)
    }
  }

  /// A line of bits for each kind and power.
  @inlinable static var lines: Int { 45 }
  @inlinable static var kinds: Int { 5 }
}

/// The summary of a node of leaves: for each kind of searches, in four bits, one more than the smallest power that was not found below the
/// node, 0 for none. Above these, whether somebody searches, and how often something came meanwhile. Partner: the notes of the
/// leaves, the node's own bits, and what filters say.
@frozen @usableFromInline struct NodeSummary: Equatable {
  @usableFromInline var rawValue: UInt64
  @inlinable init(rawValue: UInt64) { self.rawValue = rawValue }

  @inlinable static var notesMask: UInt64 { 0xf_ffff }
  @inlinable static var searching: UInt64 { 1 &<< 20 }
  @inlinable static var change: UInt64 { 1 &<< 21 }

  @inlinable @inline(__always) func note(_ kind: Int) -> Int {
    Int(truncatingIfNeeded: rawValue &>> UInt64(truncatingIfNeeded: 4 &* kind) & 15)
  }

  @inlinable @inline(__always) func rulesOut(_ place: NotePlace) -> Bool {
    guard place.kind >= 0 else { return false }
    let note = note(place.kind)
    return note != 0 && place.power &+ 1 >= note
  }

  @inlinable mutating func set(_ kind: Int, _ note: Int) {
    let shift = UInt64(truncatingIfNeeded: 4 &* kind)
    rawValue = rawValue & ~(15 &<< shift) | UInt64(truncatingIfNeeded: note) &<< shift
  }

  /// What is left of the notes where blocks of up to `leaf` came inside leaves, and `here` of whole leaves; below 0 for none.
  @inlinable func loosened(leaf: Int, here: Int) -> NodeSummary {
    var left = self
    for kind in 0..<NotePlace.kinds {
      let power = kind == 4 ? here : leaf
      let note = note(kind)
      if note != 0 && note <= power &+ 1 { left.set(kind, power >= 8 ? 0 : power &+ 2) }
    }
    return left
  }
}

extension FreeTreeCore {
  // MARK: Leaves

  /// Loosens a leaf's note where what became free made a run of 2^`power` frames or more: there was none before, so that it would hold
  /// what became free.
  @inlinable func checkNote(_ view: NodeView, _ power: Int, _ run: SlotRun?) {
    guard let run else { return loosenNote(view, 8) }
    guard hasRun(view, power, around: run.firstWord) else { return }
    loosenNote(view, largestRun(view, from: power, around: run.firstWord))
  }

  /// log2 of the largest aligned run that lies in the word, or holds it; there is one of 2^`power`.
  @inlinable func largestRun(_ view: NodeView, from power: Int, around word: Int) -> Int {
    var power = power
    while power < 8 && hasRun(view, power &+ 1, around: word) { power &+= 1 }
    return power
  }

  /// Whether an aligned run of 2^`power` frames is free that lies in the word, or holds it.
  @inlinable func hasRun(_ view: NodeView, _ power: Int, around word: Int) -> Bool {
    if power <= 6 { return runStarts(view.freeWord(word), power: power) != 0 }
    let words = 1 &<< (power &- 6)
    let first = word & ~(words &- 1)
    for word in first..<(first &+ words) where view.freeWord(word) != ~0 { return false }
    return true
  }

  /// A leaf has a run of 2^`power` frames: its note rules out longer ones at most.
  @usableFromInline func loosenNote(_ view: NodeView, _ power: Int) {
    guard view.state.note != 0 && view.state.note <= power else { return }
    beginMotion()
    view.loosenNote(power)
    if top > 0 {
      setDry(view.node, false, upTo: power)
      loosen(view.node.parent, leaf: power, here: -1)
    }
    endMotion()
  }

  /// Notes that a search of a leaf which began at `before` found no run of 2^`power`. False where something has changed since.
  @usableFromInline func note(_ view: NodeView, noRunOf power: Int, since before: NodeState) -> Bool {
    guard power > 0, !before.rulesOut(power: power) else { return true }
    beginMotion()
    defer { endMotion() }
    guard view.note(noRunOf: power, since: before) else { return false }
    // As much may have been taken as was freed meanwhile, so that the count tells nothing: who frees from now on sees the note.
    for word in 0..<8 where hasRun(view, power, around: word) {
      loosenNote(view, 8)
      return false
    }
    guard top > 0 else { return true }
    while true {
      let noted = view.state.note
      setDry(view.node, false, upTo: noted == 0 ? 8 : noted &- 1)
      if noted != 0 { setDry(view.node, true, from: noted) }
      if view.state.note == noted { return true }
    }
  }

  /// Of the 64 children of `word`: those of which it was noted that they have no such block. Partner: their notes.
  @inlinable @inline(__always) func dryWord(_ node: TreeNode, _ place: NotePlace, order: Int, _ word: Int) -> UInt64 {
    guard node.level <= 2 else { return 0 }
    if node.level == 1 { return order == 0 ? 0 : dryWord(node, line: order &- 1, word) }
    return place.kind < 0 ? 0 : dryWord(node, line: place.kind &* 9 &+ place.power, word)
  }

  @inlinable @inline(__always) func dryWord(_ node: TreeNode, line: Int, _ word: Int) -> UInt64 {
    let level = unsafe levels[node.level]
    guard let dry = unsafe level.dry else { return 0 }
    let lines = node.level == 1 ? 8 : NotePlace.lines
    let index = (Int(truncatingIfNeeded: node.number &- level.first) &* lines &+ line) &* 8 &+ word
    // So many lines a node of the level were laid out.
    return unsafe dry[index].load(ordering: .sequentiallyConsistent)
  }

  /// Sets or clears a child's bit in a line of its node's.
  @usableFromInline func setDry(_ child: TreeNode, line: Int, _ value: Bool) {
    let slot = child.slotInParent
    let bit = UInt64(1) &<< UInt64(truncatingIfNeeded: slot & 63)
    // Most are so already, and a look is cheaper than an atomic change.
    guard (dryWord(child.parent, line: line, slot &>> 6) & bit != 0) != value else { return }
    let level = unsafe levels[child.level &+ 1]
    guard let dry = unsafe level.dry else { return }
    let lines = child.level == 0 ? 8 : NotePlace.lines
    let index = (Int(truncatingIfNeeded: child.parent.number &- level.first) &* lines &+ line) &* 8 &+ slot &>> 6
    // As in `dryWord`.
    if value {
      unsafe _ = dry[index].bitwiseOr(bit, ordering: .sequentiallyConsistent)
    } else {
      unsafe _ = dry[index].bitwiseAnd(~bit, ordering: .sequentiallyConsistent)
    }
  }

  /// Sets or clears a leaf's bits of the powers.
  func setDry(_ leaf: TreeNode, _ value: Bool, from first: Int = 1, upTo last: Int = 8) {
    guard unsafe levels[1].dry != nil, first <= last else { return }
    for power in first...last { setDry(leaf, line: power - 1, value) }
  }

  /// Whether a search could find a block of `order`, by what was noted at the highest level.
  ///
  /// - Complexity: O(1) for zones up to 2^27 frames, and O(frames / 2^24) beyond.
  borrowing func mayHave(_ order: Order, in filter: some TreeFilter) -> Bool {
    let before = motionNow
    guard before & 0xffff_ffff == 0 else { return true }
    let order = Int(order.rawValue)
    let place = NotePlace(order, filter.slot)
    let topLevel = unsafe levels[top]
    for offset in 0..<topLevel.nodes
    where mayHave(TreeNode(level: top, number: topLevel.first &+ offset), place, order: order, in: filter) { return true }
    return before != motionNow
  }

  private func mayHave(_ node: TreeNode, _ place: NotePlace, order: Int, in filter: some TreeFilter) -> Bool {
    guard node.level > 1 else { return node.level == 0 || !summary(node).rulesOut(place) }
    let view = view(node)
    for word in 0..<8 {
      let free = view.freeWord(word)
      if free != 0, free & filter.usable(node, word) != 0 { return true }
      var partial = view.partialWord(word)
      guard partial != 0 else { continue }
      partial &= ~dryWord(node, place, order: order, word)
      if partial != 0 && node.level == 2 { return true }
      while partial != 0 {
        if mayHave(node.child(word &<< 6 | partial.trailingZeroBitCount), place, order: order, in: filter) { return true }
        partial &= partial &- 1
      }
    }
    return false
  }

  // MARK: Nodes of leaves

  @inlinable @inline(__always) func summary(_ node: TreeNode) -> NodeSummary {
    NodeSummary(rawValue: unsafe summaryWord(node).pointee.load(ordering: .sequentiallyConsistent))
  }

  @inlinable func summaryWord(_ node: TreeNode) -> UnsafeMutablePointer<Atomic<UInt64>> {
    let level = unsafe levels[1]
    // Counts above the leaves have a line each, of which the count takes two bytes; zeroed memory is an atomic of zero.
    return unsafe (level.counts + Int(truncatingIfNeeded: node.number &- level.first) &<< 6 + 8)
      .assumingMemoryBound(to: Atomic<UInt64>.self)
  }

  /// Begins a search below a node of leaves; nil where it was noted that there is nothing to be found.
  @inlinable func beginSearch(_ node: TreeNode, _ place: NotePlace) -> NodeSummary? {
    let before = summary(node)
    if before.rulesOut(place) { return nil }
    // Who frees something has to count it from now on.
    guard before.rawValue & NodeSummary.searching == 0 else { return before }
    return NodeSummary(
      rawValue: unsafe summaryWord(node).pointee.bitwiseOr(NodeSummary.searching, ordering: .sequentiallyConsistent).newValue)
  }

  /// Notes that a search which began at `before` found no such block, and left nothing out.
  @usableFromInline func endSearch(_ node: TreeNode, _ place: NotePlace, since before: NodeSummary) {
    var noted = before
    noted.rawValue &= ~NodeSummary.searching
    noted.set(place.kind, place.power + 1)
    beginMotion()
    defer { endMotion() }
    // Where something has come since, or somebody else noted something, it is not noted: that costs another look at most.
    let isNoted = unsafe summaryWord(node).pointee.compareExchange(
      expected: before.rawValue, desired: noted.rawValue, ordering: .sequentiallyConsistent
    ).exchanged
    guard isNoted, top > 1 else { return }
    while true {
      let note = summary(node).note(place.kind)
      for power in 0..<9 { setDry(node, line: place.kind * 9 + power, note != 0 && power + 1 >= note) }
      if summary(node).note(place.kind) == note { return }
    }
  }

  /// Blocks of up to `leaf` came inside leaves below the node, and `here` of whole leaves; below 0 for none.
  @inlinable @inline(__always) func loosen(_ node: TreeNode, leaf: Int, here: Int) {
    // Neither a note nor a search: nothing to do.
    if summary(node).rawValue & (NodeSummary.notesMask | NodeSummary.searching) != 0 {
      loosenSlowly(node, leaf: leaf, here: here)
    }
  }

  @usableFromInline func loosenSlowly(_ node: TreeNode, leaf: Int, here: Int) {
    while true {
      let old = summary(node)
      var new = old.loosened(leaf: leaf, here: here)
      let hasChanged = new != old
      guard hasChanged || old.rawValue & NodeSummary.searching != 0 else { return }
      // A search that is under way must not note what was so before.
      new.rawValue = (new.rawValue & ~NodeSummary.searching) &+ NodeSummary.change
      if hasChanged { beginMotion() }
      defer { if hasChanged { endMotion() } }
      let isDone = unsafe summaryWord(node).pointee.compareExchange(
        expected: old.rawValue, desired: new.rawValue, ordering: .sequentiallyConsistent
      ).exchanged
      guard isDone else { continue }
      guard hasChanged, top > 1 else { return }
      for kind in 0..<NotePlace.kinds where new.note(kind) != old.note(kind) {
        for power in (old.note(kind) - 1)..<(new.note(kind) == 0 ? 9 : new.note(kind) - 1) {
          setDry(node, line: kind * 9 + power, false)
        }
      }
      return
    }
  }

  /// A leaf without anything free has got something.
  @inlinable @inline(__always) func loosenFull(_ leaf: NodeView, _ run: SlotRun?) {
    guard summary(leaf.node.parent).rawValue & (NodeSummary.notesMask | NodeSummary.searching) != 0 else { return }
    noteFilled(leaf, run)
  }

  @usableFromInline func noteFilled(_ leaf: NodeView, _ run: SlotRun?) {
    var power = run.map { largestRun(leaf, from: $0.power, around: $0.firstWord) } ?? 8
    // What the node's notes go on to rule out the leaf must rule out too: else the next free would not look whether that still holds.
    if power < 8, !note(leaf, noRunOf: power + 1, since: leaf.state) { power = 8 }
    loosen(leaf.node.parent, leaf: power, here: -1)
  }

  /// Whole leaves have become free in a node of leaves.
  @inlinable @inline(__always) func checkSummary(_ view: NodeView, _ run: SlotRun?) {
    guard summary(view.node).rawValue & (NodeSummary.notesMask | NodeSummary.searching) != 0 else { return }
    let here = run.map { largestRun(view, from: $0.power, around: $0.firstWord) } ?? 8
    loosenSlowly(view.node, leaf: 8, here: here)
  }

  /// What filters say of frames of the range has changed.
  func forgetSummaries(over range: FrameRange) {
    let inside = range.intersection(zone)
    guard top > 0, !inside.isEmpty else { return }
    var number = TreeNode(level: 1, covering: inside.start.rawValue).number
    let last = TreeNode(level: 1, covering: inside.end.rawValue - 1).number
    while number <= last {
      loosen(TreeNode(level: 1, number: number), leaf: 8, here: 8)
      number += 1
    }
  }
}
