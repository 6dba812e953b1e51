import MemoryUnits
import Synchronization

/// Which processors are inside a read section.
///
/// A word for each processor, in a line of its own: the low 16 bits count how deep it is inside, the others how often it
/// left. One thread at a time runs as a processor, so that a word has one writer and needs no locked instruction.
@usableFromInline @frozen @safe struct ReadCounters: Sendable {
  @usableFromInline let words: AtomicWords
  @usableFromInline let count: UInt64
  /// Whether who enters has to fence, because a writer's barrier does not reach it.
  @usableFromInline let fences: Bool

  @usableFromInline static let wordsPerCPU: UInt64 = MapPlan.readerBytes / 8
  @usableFromInline static let depthMask: UInt64 = 0xffff

  init(_ words: AtomicWords, count: UInt64, fences: Bool) {
    self.words = words
    self.count = count
    self.fences = fences
  }

  @inlinable func enter(_ cpu: CPUIndex) {
    precondition(UInt64(cpu.rawValue) < count, "processor above the map's number of processors")
    let index = UInt64(cpu.rawValue) &* ReadCounters.wordsPerCPU
    words.storeRelaxed(index, words.loadRelaxed(index) &+ 1)
    // The store must come before every look-up that follows: either by this fence or by the writer's barrier, which runs on
    // this processor too. That the fence is possible keeps the compiler from moving look-ups up across this place.
    if fences { atomicMemoryFence(ordering: .sequentiallyConsistent) }
  }

  @inlinable func leave(_ cpu: CPUIndex) {
    let index = UInt64(cpu.rawValue) &* ReadCounters.wordsPerCPU
    let inside = words.loadRelaxed(index)
    precondition(inside & ReadCounters.depthMask != 0, "a read section that was not entered was left")
    let outermost = inside & ReadCounters.depthMask == 1
    words.store(index, outermost ? inside &+ ReadCounters.depthMask : inside &- 1)
  }

  /// Returns when every read section that was entered before the call has been left.
  func waitForReaders(_ storage: some MemmapStorage) {
    waitForReaders(barrier: { storage.barrier() }, pause: { storage.pause() })
  }

  func waitForReaders(barrier: () -> Void, pause: () -> Void) {
    atomicMemoryFence(ordering: .sequentiallyConsistent)
    barrier()
    for cpu in 0..<count {
      let before = words.load(cpu * ReadCounters.wordsPerCPU)
      guard before & ReadCounters.depthMask != 0 else { continue }
      while true {
        let now = words.load(cpu * ReadCounters.wordsPerCPU)
        if now & ReadCounters.depthMask == 0 || now >> 16 != before >> 16 { break }
        pause()
      }
    }
  }
}

extension FrameTable {
  /// Runs `body` inside a read section: what it looks up stays, whatever is removed meanwhile, until it returns. It takes
  /// no lock and never waits; sections may nest.
  ///
  /// - Parameter cpu: one thread at a time may use each index. Inside, removing memory from the same map never returns.
  /// Linux: `rcu_read_lock` around `pfn_to_online_page`.
  @inlinable public func read<Result: ~Copyable, Failure>(
    on cpu: CPUIndex, _ body: () throws(Failure) -> Result
  ) throws(Failure) -> Result {
    readers.enter(cpu)
    defer { readers.leave(cpu) }
    return try body()
  }

  /// Returns when every read section that was entered before the call has been left: what nobody can find any more may then be
  /// freed. Not inside a read section.
  ///
  /// - Parameters:
  ///   - barrier: see ``MemmapStorage/barrier()``.
  ///   - pause: lets others run.
  /// Linux: `synchronize_rcu`; for page tables `tlb_remove_table`.
  public func waitForReaders(barrier: () -> Void, pause: () -> Void) {
    readers.waitForReaders(barrier: barrier, pause: pause)
  }
}
