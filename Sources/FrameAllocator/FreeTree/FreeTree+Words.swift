import MemoryUnits

// Words of 64 frames, for the caches of single frames: taken and put with one operation on the bits and one on the count.

/// The free frames that were taken out of one word of a leaf.
@frozen @usableFromInline struct FrameWord {
  /// The word's first frame, divided by 64.
  @usableFromInline let number: UInt64
  /// A bit for each frame that was taken.
  @usableFromInline let bits: UInt64
  @inlinable init(number: UInt64, bits: UInt64) {
    self.number = number
    self.bits = bits
  }
}

/// Leaves whose counts share a cache line. Processors that work in different neighbourhoods share no line of the leaf level.
@frozen @usableFromInline struct Neighbourhood: Equatable {
  /// 32 leaves of 512 frames: the number is the frame's, divided by 2^14.
  @usableFromInline let number: UInt64
  @inlinable init(number: UInt64) { self.number = number }
  @inlinable init(ofWord word: UInt64) { self.init(number: word &>> 8) }
  @inlinable init(ofLeaf leaf: UInt64) { self.init(number: leaf &>> 5) }
}

extension FreeTreeCore {
  /// Takes all free frames of one word, at the preferred end of the leaves that `isWelcome`, or nil where none of these has any.
  @usableFromInline func takeWord(
    _ placement: Placement, in filter: some TreeFilter, where isWelcome: (Neighbourhood) -> Bool, _ search: inout Search
  ) -> FrameWord? {
    let topLevel = unsafe levels[top]
    for step in 0..<topLevel.nodes {
      let offset = placement == .lowest ? step : topLevel.nodes &- 1 &- step
      let node = TreeNode(level: top, number: topLevel.first &+ offset)
      let word =
        top == 0
        ? wordHere(node, placement, in: filter, &search) : wordBelow(node, placement, in: filter, where: isWelcome, &search)
      if let word { return word }
    }
    return nil
  }

  /// Takes all free frames of one word of `neighbourhood`, or nil where it has none; the tree has more than one level.
  @usableFromInline func takeWord(
    of neighbourhood: Neighbourhood, _ placement: Placement, in filter: some TreeFilter, _ search: inout Search
  ) -> FrameWord? {
    let node = TreeNode(level: 1, number: neighbourhood.number &>> 4)
    let half = Int(truncatingIfNeeded: neighbourhood.number & 1)
    return wordBelow(
      node, word: Int(truncatingIfNeeded: neighbourhood.number &>> 1 & 7), mask: half == 0 ? 0xffff_ffff : 0xffff_ffff_0000_0000,
      placement, in: filter, where: { _ in true }, &search)
  }

  func wordBelow(
    _ node: TreeNode, _ placement: Placement, in filter: some TreeFilter, where isWelcome: (Neighbourhood) -> Bool,
    _ search: inout Search
  ) -> FrameWord? {
    guard node.level == 1, filter.slot != nil else {
      return lookForWord(node, placement, in: filter, where: isWelcome, &search)
    }
    let place = NotePlace(0, filter.slot)
    guard let before = beginSearch(node, place) else { return nil }
    var own = Search()
    let word = lookForWord(node, placement, in: filter, where: isWelcome, &own)
    finish(own, of: node, place, since: before, hasFound: word != nil, &search)
    return word
  }

  func lookForWord(
    _ node: TreeNode, _ placement: Placement, in filter: some TreeFilter, where isWelcome: (Neighbourhood) -> Bool,
    _ search: inout Search
  ) -> FrameWord? {
    for step in 0..<8 {
      let word = placement == .lowest ? step : 7 &- step
      if let found = wordBelow(node, word: word, mask: ~0, placement, in: filter, where: isWelcome, &search) { return found }
    }
    return nil
  }

  func wordBelow(
    _ node: TreeNode, word: Int, mask: UInt64, _ placement: Placement, in filter: some TreeFilter,
    where isWelcome: (Neighbourhood) -> Bool, _ search: inout Search
  ) -> FrameWord? {
    let view = view(node)
    let place = NotePlace(0, filter.slot)
    var left = mask
    while true {
      let free = view.freeWord(word) & left
      var partial = view.partialWord(word) & left
      if partial != 0 { partial &= ~dryWord(node, place, order: 0, word) }
      guard free | partial != 0 else { return nil }
      let usable = free != 0 ? filter.usable(node, word) : 0
      let candidates = (free & usable) | (partial != 0 ? partial & filter.some(node, word) : 0)
      guard candidates != 0 else { return nil }
      let bit = preferredBit(candidates, placement)
      left &= ~(1 &<< UInt64(truncatingIfNeeded: bit))
      let slot = word &<< 6 | bit
      let child = node.child(slot)
      // Of a larger child that is wholly free, the part that would be taken decides.
      if node.level == 1, !isWelcome(Neighbourhood(ofLeaf: child.number)) {
        search.leftOut = true
        continue
      }
      if usable &>> UInt64(truncatingIfNeeded: bit) & 1 != 0, view.isFree(slot),
        let frame = split(view, slot, order: 6, placement, &search)
      {
        return FrameWord(number: frame &>> 6, bits: ~0)
      }
      guard view.isPartial(slot) else { continue }
      let found =
        child.level == 0
        ? wordHere(child, placement, in: filter, &search) : wordBelow(child, placement, in: filter, where: isWelcome, &search)
      if let found { return found }
    }
  }

  /// Takes all free frames of the leaf's preferred word that has any.
  func wordHere(
    _ node: TreeNode, _ placement: Placement, in filter: some TreeFilter, _ search: inout Search
  ) -> FrameWord? {
    let view = view(node)
    for step in 0..<8 {
      let word = placement == .lowest ? step : 7 &- step
      var seen = view.freeWord(word)
      guard seen != 0 else { continue }
      let usable = filter.usable(node, word)
      guard seen & usable != 0 else {
        search.leftOut = true
        continue
      }
      let wanted = UInt16(truncatingIfNeeded: (seen & usable).nonzeroBitCount)
      let (taken, remaining) = view.reserve(upTo: wanted)
      guard taken != 0 else {
        search.inFlight = true
        return nil
      }
      observer.reached(.reserved)
      while seen & usable != 0 {
        // The lowest `taken` bits of what is there now.
        var keep = seen & usable
        var count = keep.nonzeroBitCount
        while count > Int(taken) {
          keep &= ~(1 &<< UInt64(truncatingIfNeeded: 63 &- keep.leadingZeroBitCount))
          count &-= 1
        }
        let (done, original) = view.exchangeFreeWord(word, from: seen, to: seen & ~keep)
        guard done else {
          seen = original
          continue
        }
        settle(view, taken &- UInt16(truncatingIfNeeded: count))
        if remaining == 0 { updateHint(node) }
        return FrameWord(number: node.number &<< 3 | UInt64(truncatingIfNeeded: word), bits: keep)
      }
      settle(view, taken)
    }
    return nil
  }

  /// Makes the frames of `word` free. Frames that are free already, freed twice, are not counted again.
  @usableFromInline func put(_ word: FrameWord) {
    let view = view(TreeNode(level: 0, number: word.number &>> 3))
    let old = view.setFreeBits(Int(truncatingIfNeeded: word.number & 7), word.bits)
    let fresh = word.bits & ~old
    // One frame is the common case, and counting bits is slow where the processor is not asked for it.
    settle(
      view, fresh & (fresh &- 1) == 0 ? (fresh == 0 ? 0 : 1) : UInt16(truncatingIfNeeded: fresh.nonzeroBitCount),
      SlotRun(slot: Int(truncatingIfNeeded: word.number & 7) &<< 6, power: 0))
  }

  /// Whether the frame is free in the tree, so far as can be seen at once.
  @inlinable @inline(__always) func isFreeInTree(_ frame: UInt64) -> Bool {
    let view = view(TreeNode(level: 0, covering: frame))
    return isAnyFree(view, SlotRun(slot: Int(truncatingIfNeeded: frame & 511), power: 0))
  }

  /// The frames of a word that are free in its leaf.
  @inlinable @inline(__always) func leafWord(_ number: UInt64) -> UInt64 {
    view(TreeNode(level: 0, number: number &>> 3)).freeWord(Int(truncatingIfNeeded: number & 7))
  }
}
