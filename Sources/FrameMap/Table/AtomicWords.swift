import Synchronization

/// Atomic 64-bit words in a map's tables, by index.
///
/// Every index comes from a table's own geometry, which is fixed when the table is made; the storage outlives all uses
/// because the map owns it.
@usableFromInline @frozen @safe struct AtomicWords: @unchecked Sendable {
  @usableFromInline let base: UnsafeMutablePointer<Atomic<UInt64>>

  @inlinable init(_ address: UnsafeMutableRawPointer) {
    // Zeroed, aligned words are atomics of value zero: an atomic has its value's layout.
    unsafe base = address.assumingMemoryBound(to: Atomic<UInt64>.self)
  }

  /// The words at an address that was stored in a word.
  @inlinable init?(stored address: UInt64) {
    // Only addresses of tables that stay until the map goes are stored.
    guard let pointer = unsafe UnsafeMutableRawPointer(bitPattern: UInt(address)) else { return nil }
    unsafe self.init(pointer)
  }

  @inlinable var address: UInt64 { unsafe UInt64(UInt(bitPattern: base)) }

  @inlinable func word(_ index: UInt64) -> UnsafeMutablePointer<Atomic<UInt64>> {
    unsafe base + Int(truncatingIfNeeded: index)
  }

  /// Sees all that was written before the value was stored.
  @inlinable func load(_ index: UInt64) -> UInt64 { unsafe word(index).pointee.load(ordering: .acquiring) }

  @inlinable func loadRelaxed(_ index: UInt64) -> UInt64 { unsafe word(index).pointee.load(ordering: .relaxed) }

  /// Publishes all that was written before.
  @inlinable func store(_ index: UInt64, _ value: UInt64) { unsafe word(index).pointee.store(value, ordering: .releasing) }

  @inlinable func storeRelaxed(_ index: UInt64, _ value: UInt64) {
    unsafe word(index).pointee.store(value, ordering: .relaxed)
  }

  func set(_ index: UInt64, _ bits: UInt64) { unsafe _ = word(index).pointee.bitwiseOr(bits, ordering: .releasing) }

  /// Clears bits; returns what is left.
  @discardableResult func clear(_ index: UInt64, _ bits: UInt64) -> UInt64 {
    unsafe word(index).pointee.bitwiseAnd(~bits, ordering: .releasing).newValue
  }

  func tryExchange(_ index: UInt64, _ old: UInt64, _ new: UInt64) -> Bool {
    unsafe word(index).pointee.compareExchange(expected: old, desired: new, ordering: .acquiringAndReleasing).exchanged
  }

  /// Words further on.
  @inlinable func advanced(by words: UInt64) -> AtomicWords {
    unsafe AtomicWords(UnsafeMutableRawPointer(word(words)))
  }
}

extension AtomicWords {
  /// Calls `body` with each word that holds some of `bits`, and the mask of those in it.
  static func forEachWord(of bits: Range<UInt64>, _ body: (_ index: UInt64, _ mask: UInt64) -> Void) {
    var place = bits.lowerBound
    while place < bits.upperBound {
      let end = min(bits.upperBound, (place | 63) + 1)
      let mask = (UInt64.max >> (64 - (end - place))) << (place & 63)
      body(place >> 6, mask)
      place = end
    }
  }

  func setBits(_ bits: Range<UInt64>) { AtomicWords.forEachWord(of: bits) { set($0, $1) } }

  func clearBits(_ bits: Range<UInt64>) { AtomicWords.forEachWord(of: bits) { _ = clear($0, $1) } }

  func countBits(_ bits: Range<UInt64>) -> UInt64 {
    var count = 0
    AtomicWords.forEachWord(of: bits) { count += (loadRelaxed($0) & $1).nonzeroBitCount }
    return UInt64(count)
  }

  /// The first place from `start` on, below `end`, whose bit is set (or clear); `end` where there is none.
  func firstBit(isSet: Bool, from start: UInt64, below end: UInt64) -> UInt64 {
    var place = start
    while place < end {
      let word = load(place >> 6)
      let wanted = (isSet ? word : ~word) & (UInt64.max << (place & 63))
      if wanted != 0 { return min(end, (place & ~63) + UInt64(wanted.trailingZeroBitCount)) }
      place = (place | 63) + 1
    }
    return end
  }
}
