import Synchronization

/// A node of the tree by place: level 0 is a leaf of 512 frames; a node of level n has 512 children of level n - 1.
@frozen @usableFromInline struct TreeNode: Equatable {
  @usableFromInline let level: Int
  /// The node's first frame divided by the frames that a node of its level covers; the same in every zone.
  @usableFromInline let number: UInt64

  @inlinable init(level: Int, number: UInt64) {
    self.level = level
    self.number = number
  }

  /// The node of `level` that covers `frame`.
  @inlinable init(level: Int, covering frame: UInt64) {
    self.init(level: level, number: frame &>> UInt64(truncatingIfNeeded: 9 &* (level &+ 1)))
  }

  @inlinable var parent: TreeNode { TreeNode(level: level &+ 1, number: number &>> 9) }
  /// The node's place among its parent's 512 children.
  @inlinable var slotInParent: Int { Int(truncatingIfNeeded: number & 511) }
  @inlinable func child(_ slot: Int) -> TreeNode {
    TreeNode(level: level &- 1, number: number &<< 9 | UInt64(truncatingIfNeeded: slot))
  }
  /// The first frame of the child (of a leaf: the frame) in `slot`.
  @inlinable func frame(_ slot: Int) -> UInt64 {
    (number &<< 9 | UInt64(truncatingIfNeeded: slot)) &<< UInt64(truncatingIfNeeded: 9 &* level)
  }
  /// The child (of a leaf: the frame) that covers `frame`.
  @inlinable func slot(of frame: UInt64) -> Int {
    Int(truncatingIfNeeded: frame &>> UInt64(truncatingIfNeeded: 9 &* level) & 511)
  }
}

/// Where the nodes of one level lie in the storage. Never changes once the tree is made.
@safe @frozen @usableFromInline struct TreeLevel {
  /// A line of eight words a node: bit set = the child (of a leaf: the frame) is wholly free.
  @usableFromInline let free: UnsafeMutablePointer<Atomic<UInt64>>
  /// A line of eight words a node: bit set = the child is not wholly free, but something below it is. Unused in leaves.
  @usableFromInline let partial: UnsafeMutablePointer<Atomic<UInt64>>
  /// The nodes' counts of free children: packed for leaves, a line each above them, where processors would share it.
  @usableFromInline let counts: UnsafeMutableRawPointer
  @usableFromInline let countShift: UInt64
  /// Level 1 of larger zones: eight lines a node, of power 1 to 8; bit set = the leaf has no run of 2^power frames. Level 2: a line for
  /// each ``NotePlace``; bit set = the node of leaves has no such block. Partner: the leaf's note, the node's summary.
  @usableFromInline let dry: UnsafeMutablePointer<Atomic<UInt64>>?
  /// Number of the first node.
  @usableFromInline let first: UInt64
  @usableFromInline let nodes: UInt64

  @inlinable init(
    free: UnsafeMutablePointer<Atomic<UInt64>>, partial: UnsafeMutablePointer<Atomic<UInt64>>, counts: UnsafeMutableRawPointer,
    countShift: UInt64, dry: UnsafeMutablePointer<Atomic<UInt64>>?, first: UInt64, nodes: UInt64
  ) {
    unsafe self.free = free
    unsafe self.partial = partial
    unsafe self.counts = counts
    self.countShift = countShift
    unsafe self.dry = dry
    self.first = first
    self.nodes = nodes
  }

  /// The node's words and count. Traps, in checked builds, where the level has no such node.
  @inlinable @inline(__always) func view(_ node: TreeNode) -> NodeView {
    assert(node.number >= first && node.number &- first < nodes, "node outside the tree")
    let index = Int(truncatingIfNeeded: node.number &- first)
    // The index is below `nodes`, for which the storage was laid out.
    return unsafe NodeView(
      node: node, free: free + index &* 8, partial: partial + index &* 8,
      count: (counts + index &<< Int(truncatingIfNeeded: countShift)).assumingMemoryBound(to: Atomic<UInt16>.self))
  }
}

/// A node's count word: how many children are free, and a note.
///
/// A leaf's note is the smallest run that a search did not find there; other nodes have none. It saves looking again, and so do the
/// bits that it has in the node above (``FreeTreeCore/dryWord(_:_:order:_:)``). Who makes a note looks once more after it, and who frees
/// something loosens a note that does not hold any more, so that a note is wrong only while such a free is under way.
@frozen @usableFromInline struct NodeState {
  @usableFromInline let rawValue: UInt16
  @inlinable init(rawValue: UInt16) { self.rawValue = rawValue }

  /// 0 to 512 in the lower bits; the note in the upper four, 0 for none.
  @inlinable static var countMask: UInt16 { 0x3ff }
  @inlinable static var noteShift: UInt16 { 12 }

  @inlinable var available: UInt16 { rawValue & NodeState.countMask }
  @inlinable var hasNote: Bool { rawValue &>> NodeState.noteShift != 0 }
  /// log2 of the smallest run that is not there; 0 where nothing is known.
  @inlinable var note: Int { Int(rawValue &>> NodeState.noteShift) }
  /// Whether no run of 2^`power` was found the last time one was sought.
  @inlinable func rulesOut(power: Int) -> Bool { hasNote && power >= Int(rawValue &>> NodeState.noteShift) }
}

/// The words and the count of one node.
///
/// The count is the guard: who wants children takes them from the count first and then clears as many bits; who gives children
/// sets the bits first and then adds to the count. So there are never fewer bits than the count says, and taking 512 from the
/// count of 512 makes the whole node one's own.
@safe @frozen @usableFromInline struct NodeView {
  @usableFromInline let node: TreeNode
  /// Eight words; partner of `count`.
  @usableFromInline let free: UnsafeMutablePointer<Atomic<UInt64>>
  /// Eight words; bit n follows what the child n's count and partial words say. Partner: those.
  @usableFromInline let partial: UnsafeMutablePointer<Atomic<UInt64>>
  /// Children in `free` that nobody has taken, and a note: see ``NodeState``. Partner of `free`.
  @usableFromInline let count: UnsafeMutablePointer<Atomic<UInt16>>

  @inlinable init(
    node: TreeNode, free: UnsafeMutablePointer<Atomic<UInt64>>, partial: UnsafeMutablePointer<Atomic<UInt64>>,
    count: UnsafeMutablePointer<Atomic<UInt16>>
  ) {
    self.node = node
    unsafe self.free = free
    unsafe self.partial = partial
    unsafe self.count = count
  }

  // The word indices below are 0..<8 and every view has eight words, so that each access is in bounds.

  @inlinable @inline(__always) func freeWord(_ word: Int) -> UInt64 {
    unsafe free[word].load(ordering: .sequentiallyConsistent)
  }
  @inlinable @inline(__always) func partialWord(_ word: Int) -> UInt64 {
    unsafe partial[word].load(ordering: .sequentiallyConsistent)
  }
  @inlinable @inline(__always) var state: NodeState {
    NodeState(rawValue: unsafe count.pointee.load(ordering: .sequentiallyConsistent))
  }
  @inlinable @inline(__always) var available: UInt16 { state.available }

  /// Only for a node that is wholly the caller's own.
  @inlinable func overwriteFreeWord(_ word: Int, _ value: UInt64) { unsafe free[word].store(value, ordering: .relaxed) }

  @inlinable @inline(__always)
  func exchangeFreeWord(_ word: Int, from old: UInt64, to new: UInt64) -> (exchanged: Bool, original: UInt64) {
    unsafe free[word].compareExchange(expected: old, desired: new, ordering: .sequentiallyConsistent)
  }
  /// Returns the word as it was.
  @inlinable @inline(__always) func setFreeBits(_ word: Int, _ mask: UInt64) -> UInt64 {
    unsafe free[word].bitwiseOr(mask, ordering: .sequentiallyConsistent).oldValue
  }

  /// Takes `amount` from the count; nil, and nothing taken, where there are fewer. Else what remains.
  @inlinable @inline(__always) func reserve(_ amount: UInt16) -> UInt16? {
    var seen = state
    while seen.available >= amount {
      let (done, original) = unsafe count.pointee.weakCompareExchange(
        expected: seen.rawValue, desired: seen.rawValue &- amount, ordering: .sequentiallyConsistent)
      if done { return seen.available &- amount }
      seen = NodeState(rawValue: original)
    }
    return nil
  }
  /// Takes up to `amount` from the count, as far as it goes. Returns what was taken and what remains.
  @inlinable @inline(__always) func reserve(upTo amount: UInt16) -> (taken: UInt16, remaining: UInt16) {
    var seen = state
    while seen.available != 0 {
      let taken = min(seen.available, amount)
      let (done, original) = unsafe count.pointee.weakCompareExchange(
        expected: seen.rawValue, desired: seen.rawValue &- taken, ordering: .sequentiallyConsistent)
      if done { return (taken, seen.available &- taken) }
      seen = NodeState(rawValue: original)
    }
    return (0, 0)
  }
  /// Returns the count, and the note, as they were.
  @inlinable @inline(__always) func addToCount(_ amount: UInt16) -> NodeState {
    NodeState(rawValue: unsafe count.pointee.wrappingAdd(amount, ordering: .sequentiallyConsistent).oldValue)
  }
  /// Makes a wholly free node the caller's own; false where it is not wholly free.
  @inlinable func claimWhole() -> Bool {
    var seen = state
    while seen.available == 512 {
      let (done, original) = unsafe count.pointee.weakCompareExchange(
        expected: seen.rawValue, desired: 0, ordering: .sequentiallyConsistent)
      if done { return true }
      seen = NodeState(rawValue: original)
    }
    return false
  }

  /// Notes that a search which began at `before` found no run of 2^`power`, which `before` did not rule out. False where the count
  /// has changed since.
  @inlinable func note(noRunOf power: Int, since before: NodeState) -> Bool {
    let noted = before.available | UInt16(truncatingIfNeeded: power) &<< NodeState.noteShift
    return unsafe count.pointee.compareExchange(
      expected: before.rawValue, desired: noted, ordering: .sequentiallyConsistent
    ).exchanged
  }
  /// A run of 2^`power` frames has become free: only longer ones are ruled out any more.
  @inlinable func loosenNote(_ power: Int) {
    var seen = state
    while seen.hasNote && seen.note <= power {
      let note = power >= 8 ? 0 : UInt16(truncatingIfNeeded: power &+ 1)
      let (done, original) = unsafe count.pointee.weakCompareExchange(
        expected: seen.rawValue, desired: seen.available | note &<< NodeState.noteShift, ordering: .sequentiallyConsistent)
      if done { return }
      seen = NodeState(rawValue: original)
    }
  }

  /// Sets or clears a hint; returns the word as it is then, or nil where the bit was so already.
  @inlinable func setPartial(_ slot: Int, _ value: Bool) -> UInt64? {
    let word = slot &>> 6
    let bit = UInt64(1) &<< UInt64(truncatingIfNeeded: slot & 63)
    if (partialWord(word) & bit != 0) == value { return nil }
    if value { return unsafe partial[word].bitwiseOr(bit, ordering: .sequentiallyConsistent).newValue }
    return unsafe partial[word].bitwiseAnd(~bit, ordering: .sequentiallyConsistent).newValue
  }

  @inlinable func isFree(_ slot: Int) -> Bool {
    freeWord(slot &>> 6) &>> UInt64(truncatingIfNeeded: slot & 63) & 1 != 0
  }
  @inlinable func isPartial(_ slot: Int) -> Bool {
    partialWord(slot &>> 6) &>> UInt64(truncatingIfNeeded: slot & 63) & 1 != 0
  }
  /// Whether anything is free in the node or below it, so far as its own words tell.
  @inlinable var hasAnyFree: Bool {
    if available != 0 { return true }
    guard node.level > 0 else { return false }
    var all: UInt64 = 0
    for word in 0..<8 { all |= partialWord(word) }
    return all != 0
  }
}
