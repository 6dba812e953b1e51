import Synchronization

/// What one processor keeps for one mobility: a line of its own.
///
/// Every field but `closed` is written by the owner alone, between `enter` and `leave`, with plain stores; or by a drainer that has
/// set `closed`, issued the barrier and seen `busy` clear. Partner of `busy` is `closed`.
@safe @frozen @usableFromInline struct CacheCell {
  /// 0 busy, 1 closed, 2 open word's number, 3 its bits, 4 returned word's number, 5 its bits, 6 neighbourhood + 1, 7 gauge.
  @usableFromInline let words: UnsafeMutablePointer<Atomic<UInt64>>

  @inlinable init(_ words: UnsafeMutablePointer<Atomic<UInt64>>) { unsafe self.words = words }

  // All indices are below 8, and a cell has eight words.
  @inlinable @inline(__always) func load(_ field: Int) -> UInt64 { unsafe words[field].load(ordering: .relaxed) }
  @inlinable @inline(__always) func store(_ field: Int, _ value: UInt64) { unsafe words[field].store(value, ordering: .relaxed) }

  /// The owner's way in. False where a drainer is at work; the owner is not in then.
  ///
  /// The store of `busy` and the load of `closed` must not pass each other. The owner pays nothing for it but a compiler's
  /// fence; the drainer's barrier, which runs on every processor, makes up for it.
  @inlinable @inline(__always) func enter() -> Bool {
    unsafe words[0].store(1, ordering: .relaxed)
    atomicMemoryFence(ordering: .acquiringAndReleasing)
    if _fastPath(unsafe words[1].load(ordering: .acquiring) == 0) { return true }
    leave()
    return false
  }
  @inlinable @inline(__always) func leave() { unsafe words[0].store(0, ordering: .releasing) }

  /// The drainer's way in, before the barrier.
  @inlinable func close() { unsafe words[1].store(1, ordering: .sequentiallyConsistent) }
  /// Whether the owner is inside; after the barrier.
  @inlinable var isBusy: Bool { unsafe words[0].load(ordering: .acquiring) != 0 }
  /// The drainer's way out.
  @inlinable func reopen() { unsafe words[1].store(0, ordering: .releasing) }

  /// The word from which frames are handed out.
  @inlinable var open: FrameWord {
    @inline(__always) get { FrameWord(number: load(2), bits: load(3)) }
    nonmutating set {
      store(2, newValue.number)
      store(3, newValue.bits)
    }
  }
  /// The word to which frames were last given back, so far as it is not the open one.
  @inlinable var returned: FrameWord {
    @inline(__always) get { FrameWord(number: load(4), bits: load(5)) }
    nonmutating set {
      store(4, newValue.number)
      store(5, newValue.bits)
    }
  }
  /// Frames that the cell took from the tree, less those that it gave back, since it last told the gauge. Read by others.
  @inlinable var untold: Int64 {
    get { Int64(bitPattern: load(7)) }
    nonmutating set { store(7, UInt64(bitPattern: newValue)) }
  }
  /// Where the processor takes its words. Read by others, to keep away from it.
  @inlinable var neighbourhood: Neighbourhood? {
    get {
      let stored = load(6)
      return stored == 0 ? nil : Neighbourhood(number: stored &- 1)
    }
    nonmutating set { store(6, newValue.map { $0.number &+ 1 } ?? 0) }
  }
}
