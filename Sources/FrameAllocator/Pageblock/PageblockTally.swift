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

  // How many pageblocks are about to change hands, and how many have. Each change counts before and after: partners, in sequential order, so
  // that who saw a change half done sees it here.
  func beginChange() { unsafe _ = words[Self.begun].wrappingAdd(1, ordering: .sequentiallyConsistent) }
  func endChange() { unsafe _ = words[Self.ended].wrappingAdd(1, ordering: .sequentiallyConsistent) }
  var begunChanges: UInt64 { unsafe words[Self.begun].load(ordering: .sequentiallyConsistent) }
  var endedChanges: UInt64 { unsafe words[Self.ended].load(ordering: .sequentiallyConsistent) }
  private static var begun: Int { 3 }
  private static var ended: Int { 4 }

  var counts: PageblockCounts {
    PageblockCounts(claimed: count(.claimed), stolen: count(.stolen), polluted: count(.polluted))
  }
}
