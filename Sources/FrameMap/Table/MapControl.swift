/// Totals of a map and its writers' lock, in words that all who share the map see.
@usableFromInline @frozen @safe struct MapControl: Sendable {
  static let bytes: UInt64 = 128

  enum Counter: UInt64 {
    case sections = 1
    case validFrames, memoryFrames
    /// Leaves of a two-level table; sections with frame bits.
    case leaves, partialSections
    case guards, missingGuards
    /// Frames that descriptors exist for; more than the valid ones where nodes interleave.
    case describedFrames
  }

  @usableFromInline let words: AtomicWords

  init(_ words: AtomicWords) { self.words = words }

  subscript(counter: Counter) -> UInt64 { words.load(counter.rawValue) }

  /// Writers only.
  func add(_ amount: UInt64, to counter: Counter) { words.store(counter.rawValue, self[counter] + amount) }

  /// Writers only.
  func subtract(_ amount: UInt64, from counter: Counter) { words.store(counter.rawValue, self[counter] - amount) }

  /// Runs `body` while nobody else changes the map.
  func changing<Failure>(_ storage: some MemmapStorage, _ body: () throws(Failure) -> Void) throws(Failure) {
    while !words.tryExchange(0, 0, 1) { storage.pause() }
    defer { words.store(0, 0) }
    try body()
  }
}
