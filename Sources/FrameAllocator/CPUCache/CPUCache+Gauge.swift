import MemoryUnits
import Synchronization

// The gauge: how many frames are free in the tree. The tree itself can only be counted through; watermarks need the figure at every
// refill. Each processor adds up what it takes and gives, and tells the common word once in a while.
//
// Linux: `NR_FREE_PAGES` with per-processor deltas, `zone_page_state_snapshot`.

extension CPUCacheCore {
  /// What a processor keeps to itself at most, in each of five sums.
  @inlinable static var toldAt: Int64 { 256 }

  private borrowing func tell(_ taken: Int64) {
    // The second word of the storage, which is larger.
    unsafe base[1].wrappingSubtract(UInt64(bitPattern: taken), ordering: .relaxed)
  }

  /// What processors told so far.
  private var told: Int64 {
    Int64(bitPattern: unsafe base[1].load(ordering: .relaxed))
  }

  /// The cell took a word from the tree.
  @inlinable borrowing func count(taken word: FrameWord, by cell: CacheCell) {
    cell.untold += Int64(word.bits.nonzeroBitCount)
    if cell.untold >= Self.toldAt { flush(cell) }
  }

  /// Returns a word of the cell's to the tree.
  @inlinable borrowing func giveBack(_ word: FrameWord, from cell: CacheCell) {
    tree.put(word)
    cell.untold -= Int64(word.bits.nonzeroBitCount)
    if cell.untold <= -Self.toldAt { flush(cell) }
  }

  @usableFromInline borrowing func flush(_ cell: CacheCell) {
    tell(cell.untold)
    cell.untold = 0
  }

  /// The processor took so many frames from the tree past its cells, or, below zero, gave them back.
  borrowing func count(taken frames: Int64, on cpu: CPUIndex) {
    let line = line(cpu)
    line.untold += frames
    if abs(line.untold) >= Self.toldAt { flush(line) }
  }

  /// Frames came to the tree, or, below zero, left it, on nobody's account.
  borrowing func count(given frames: Int64) { tell(-frames) }

  /// The processor's line behind its cells: its gauge, and whether it is inside a zone.
  @inlinable borrowing func line(_ cpu: CPUIndex) -> CacheCell {
    precondition(cpu.rawValue < cpus, "no such processor")
    // The fifth of the processor's lines.
    return unsafe CacheCell(base + 8 + (Int(cpu.rawValue) * 5 + 4) * 8)
  }

  /// Whether more than `mark` frames are free in the tree: by the common word where that is clear enough, else by all sums.
  ///
  /// - Complexity: O(1), or O(processors) near the mark.
  borrowing func hasMore(than mark: FrameCount) -> Bool {
    let rough = told
    let mark = Int64(bitPattern: mark.rawValue)
    if rough > mark + Int64(cpus) * 5 * Self.toldAt { return true }
    return gauge() > mark
  }

  /// The frames that are free in the tree, by all sums. Exact while nobody is at work; else it may be off by what is under way.
  borrowing func gauge() -> Int64 {
    var sum = told
    for index in 0..<(Int(cpus) * 5) {
      // As many lines as the storage was laid out for.
      sum -= unsafe CacheCell(base + 8 + index * 8).untold
    }
    return sum
  }
}
