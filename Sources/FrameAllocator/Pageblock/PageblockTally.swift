import Synchronization

/// The counters behind ``PageblockCounts``: a line of words that any thread adds to.
@safe struct PageblockTally: @unchecked Sendable {
  // Unchecked, because of the pointer: all it leads to is atomic.
  enum Event: Int {
    case claimed, stolen, polluted
  }

  private let words: UnsafeMutablePointer<Atomic<UInt64>>

  /// - Parameter storage: a zeroed line that outlives the tally.
  init(_ storage: UnsafeMutableRawPointer) {
    // Zeroed words are atomics of zero.
    unsafe words = storage.bindMemory(to: Atomic<UInt64>.self, capacity: 8)
  }

  // Events are below 8.
  func add(_ event: Event) { unsafe _ = words[event.rawValue].wrappingAdd(1, ordering: .relaxed) }
  private func count(_ event: Event) -> UInt64 { unsafe words[event.rawValue].load(ordering: .relaxed) }

  var counts: PageblockCounts {
    PageblockCounts(claimed: count(.claimed), stolen: count(.stolen), polluted: count(.polluted))
  }
}
