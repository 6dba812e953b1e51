import MemoryUnits
public import FrameMap

extension CPUCacheCore {
  /// Waits out drainers, and enters.
  @inlinable func enter(_ cell: CacheCell) { while !cell.enter() {} }

  @inlinable @inline(never) borrowing func allocateSlowly(_ mobility: FrameMobility, on cpu: CPUIndex) -> FrameNumber? {
    refill(mobility, on: cpu) { claimWord($0, mobility.placement, in: Everywhere()) } ?? allocateLast(mobility.placement)
  }

  /// Takes a frame from the cell, which gets a word by `claim` where it has none; nil where that gives none.
  @inlinable borrowing func refill(
    _ mobility: FrameMobility, on cpu: CPUIndex, _ claim: (CacheCell) -> FrameWord?
  ) -> FrameNumber? {
    let cell = cell(cpu, mobility)
    enter(cell)
    defer { cell.leave() }
    var word = cell.open
    if word.bits == 0 {
      word = cell.returned
      cell.store(5, 0)
      if word.bits == 0 {
        guard let claimed = claim(cell) else { return nil }
        word = claimed
        count(taken: word, by: cell)
      }
    }
    let bit = word.bits.trailingZeroBitCount
    cell.open = FrameWord(number: word.number, bits: word.bits & (word.bits &- 1))
    return FrameNumber(rawValue: word.number &<< 6 | UInt64(truncatingIfNeeded: bit))
  }

  /// A word from the cell's neighbourhood, else from one in which no other cell works, else from anywhere; of each only what the
  /// filter lets through.
  @usableFromInline borrowing func claimWord(
    _ cell: CacheCell, _ placement: Placement, in filter: some TreeFilter
  ) -> FrameWord? {
    while true {
      let before = tree.motionNow
      var search = Search()
      if tree.top > 0, let own = cell.neighbourhood, let word = tree.takeWord(of: own, placement, in: filter, &search) {
        return word
      }
      cell.neighbourhood = nil
      let word =
        tree.takeWord(placement, in: filter, where: { !isTaken($0) }, &search)
        ?? tree.takeWord(placement, in: filter, where: { _ in true }, &search)
      if let word {
        cell.neighbourhood = Neighbourhood(ofWord: word.number)
        return word
      }
      if tree.isDefinite(since: before, search) { return nil }
    }
  }

  /// Whether a cell takes its words there. A hint: it may change at once.
  borrowing func isTaken(_ place: Neighbourhood) -> Bool {
    for index in 0..<(Int(cpus) * 4) where cell(at: index).neighbourhood == place { return true }
    return false
  }

  borrowing func cell(at index: Int) -> CacheCell {
    // Below the number of cells, for which the storage was laid out: four and a line for the gauge a processor.
    unsafe CacheCell(base + 8 + (index / 4 * 5 + index % 4) * 8)
  }

  @usableFromInline borrowing func allocateLast(_ placement: Placement) -> FrameNumber? {
    drain()
    return tree.allocate(Order(0), from: placement)
  }

  @inlinable @inline(never) borrowing func freeSlowly(_ frame: FrameNumber, _ mobility: FrameMobility, on cpu: CPUIndex)
    throws(FreeTreeError)
  {
    guard !tree.isFreeInTree(frame.rawValue) else { throw .alreadyFree }
    let cell = cell(cpu, mobility)
    enter(cell)
    let number = frame.rawValue &>> 6
    let bit = UInt64(1) &<< (frame.rawValue & 63)
    defer { cell.leave() }
    let (open, old) = (cell.open, cell.returned)
    // Bits of a word that is used up, or that a drain took back, are all clear; its number still says where it was.
    let cached = (open.number == number ? open.bits : 0) | (old.number == number ? old.bits : 0)
    if cached & bit != 0 { throw .alreadyFree }
    if open.number == number {
      cell.store(3, open.bits | bit)
      return
    }
    if old.number == number {
      cell.store(5, old.bits | bit)
      return
    }
    cell.returned = FrameWord(number: number, bits: bit)
    if old.bits != 0 { giveBack(old, from: cell) }
  }
}
