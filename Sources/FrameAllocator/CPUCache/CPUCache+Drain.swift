public import MemoryUnits
import Synchronization

extension CPUCacheCore {
  /// Gives back what all caches keep. Frames that are freed or allocated meanwhile may be in a cache when it returns; stop their
  /// users first to have all.
  ///
  /// - Complexity: O(processors), and one barrier.
  ///
  /// Threads: any; drains wait for each other, and processors that enter a cache wait for the drain. Linux: `drain_all_pages`.
  public borrowing func drain() {
    lockDrains()
    drainCells()
    unlockDrains()
  }

  /// Drains, once every operation that is inside a zone has come out; new ones wait until all is done. Not to be called from
  /// inside one.
  ///
  /// What was written before the call is seen by every operation that comes after it.
  borrowing func settle() {
    lockDrains()
    for index in 0..<cpus { line(CPUIndex(index)).close() }
    barrier()
    for index in 0..<cpus {
      let line = line(CPUIndex(index))
      while line.isBusy {}
    }
    drainCells()
    for index in 0..<cpus { line(CPUIndex(index)).reopen() }
    unlockDrains()
  }

  /// Runs `body` where ``settle()`` waits for its end.
  @inlinable @inline(__always)
  borrowing func inside<Result: ~Copyable, Failure>(
    _ cpu: CPUIndex, _ body: () throws(Failure) -> Result
  ) throws(Failure) -> Result {
    let line = line(cpu)
    enter(line)
    defer { line.leave() }
    return try body()
  }

  // The first word of the storage is the drainers' lock.

  private borrowing func lockDrains() {
    while unsafe !base.pointee.compareExchange(expected: 0, desired: 1, ordering: .acquiring).exchanged {}
  }
  private borrowing func unlockDrains() { unsafe base.pointee.store(0, ordering: .releasing) }

  private borrowing func drainCells() {
    for index in 0..<(Int(cpus) * 4) { cell(at: index).close() }
    barrier()
    for index in 0..<(Int(cpus) * 4) {
      let cell = cell(at: index)
      while cell.isBusy {}
      let (open, returned) = (cell.open, cell.returned)
      cell.store(3, 0)
      cell.store(5, 0)
      cell.neighbourhood = nil
      if open.bits != 0 { giveBack(open, from: cell) }
      if returned.bits != 0 { giveBack(returned, from: cell) }
      flush(cell)
      cell.reopen()
    }
  }

  /// The frames that the caches keep. Exact while nobody uses them.
  public borrowing func cachedFrames() -> FrameCount {
    var sum = 0
    for index in 0..<(Int(cpus) * 4) {
      let cell = cell(at: index)
      sum += cell.open.bits.nonzeroBitCount + cell.returned.bits.nonzeroBitCount
    }
    return FrameCount(rawValue: UInt64(sum))
  }

  /// The lowest frame of `range` that a cache keeps. About an instant.
  ///
  /// - Complexity: O(processors).
  borrowing func firstCached(in range: FrameRange) -> FrameNumber? {
    var first: FrameNumber?
    for index in 0..<(Int(cpus) * 8) {
      let word = word(at: index)
      let start = word.number << 6
      guard word.bits != 0, start < range.end.rawValue, start + 64 > range.start.rawValue else { continue }
      let below = range.start.rawValue > start ? range.start.rawValue - start : 0
      let bits = word.bits & ~0 << below
      let frame = FrameNumber(start + UInt64(bits.trailingZeroBitCount))
      if bits != 0, frame < range.end, frame < first ?? range.end { first = frame }
    }
    return first
  }

  /// Recounts the tree, and checks that no cached frame is free in it or in two caches. Only while nobody else uses either.
  ///
  /// - Throws: the first difference.
  /// - Complexity: O(all nodes + processors^2).
  public borrowing func checkInvariants() throws(FreeTreeFault) {
    try tree.checkInvariants()
    for index in 0..<(Int(cpus) * 8) {
      let word = word(at: index)
      guard word.bits != 0 else { continue }
      let leaf = tree.view(TreeNode(level: 0, number: word.number >> 3))
      var others = leaf.freeWord(Int(word.number & 7))
      if tree.isBelowWhollyFree(leaf.node) { others = ~0 }
      for other in 0..<index where self.word(at: other).number == word.number { others |= self.word(at: other).bits }
      let twice = others & word.bits
      if twice != 0 { throw .cachedTwice(FrameNumber(rawValue: word.number << 6 + UInt64(twice.trailingZeroBitCount))) }
    }
  }

  private borrowing func word(at index: Int) -> FrameWord {
    index & 1 == 0 ? cell(at: index / 2).open : cell(at: index / 2).returned
  }
}
