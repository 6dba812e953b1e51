import Synchronization

/// The metadata of one frame: 32 bytes, of which all zero is a valid state (free, or the untouched tail of a folio).
///
/// It is never made or copied; it lies in a memmap and is reached by pointer. Every field is atomic, so any thread may
/// read any field at any time; who may write is said at each.
///
/// Linux: `struct page`.
@frozen public struct FrameDescriptor: ~Copyable {
  /// References and pins (``FrameCounts``). Written by anyone who holds a reference; from zero only by the owner of the
  /// free frame, who puts a first reference, or who froze it.
  public let countsWord: Atomic<UInt64>

  /// What the frame's owner wants to find again: a mapping, a pool, a node of a list. Guarded by the owner's lock; means
  /// nothing where `shape` names no owner.
  public let privateWord: Atomic<UInt64>

  /// How many page-table entries map the frame as a part of its own, or, on a head, the folio as a whole. Written under
  /// the lock of the page table that gains or loses the entry. Linux: `_mapcount`, there one less.
  public let mapCount: Atomic<UInt32>

  /// ``FrameFlags``. Written bit by bit with atomic or/and, by anyone who holds a reference.
  public let flagsWord: Atomic<UInt32>

  /// ``FrameShape``. Written by who owns the frame alone: the allocator before it hands the frame out, or who froze it.
  /// Readers without a reference check it again after they took one.
  public let shapeWord: Atomic<UInt32>

  /// Where within its owner the frame lies, in frames; partner of `privateWord`, guarded like it. Linux: `index`.
  public let privateIndex: Atomic<UInt32>
}

/// A descriptor in a memmap. Valid while its section is: for one who holds a reference to the frame, or is inside a read
/// section of the map.
public typealias DescriptorPointer = UnsafeMutablePointer<FrameDescriptor>

extension FrameDescriptor {
  /// log2 of the bytes of a descriptor.
  @inlinable static var shift: UInt64 { 5 }

  @inlinable public var shape: FrameShape { FrameShape(rawValue: shapeWord.load(ordering: .relaxed)) }

  /// Describes a frame that the caller alone owns; visible to who then takes a reference.
  @inlinable public func setShape(_ shape: FrameShape) { shapeWord.store(shape.rawValue, ordering: .releasing) }

  @inlinable public var flags: FrameFlags { FrameFlags(rawValue: flagsWord.load(ordering: .relaxed)) }

  /// Sets `flags`; says which of them were set before.
  @discardableResult @inlinable public func insert(_ flags: FrameFlags) -> FrameFlags {
    let old = flagsWord.bitwiseOr(flags.rawValue, ordering: .acquiringAndReleasing).oldValue
    return FrameFlags(rawValue: old & flags.rawValue)
  }

  /// Clears `flags`; says which of them were set before.
  @discardableResult @inlinable public func remove(_ flags: FrameFlags) -> FrameFlags {
    let old = flagsWord.bitwiseAnd(~flags.rawValue, ordering: .acquiringAndReleasing).oldValue
    return FrameFlags(rawValue: old & flags.rawValue)
  }
}

extension FrameDescriptor {
  @inlinable public var counts: FrameCounts { FrameCounts(rawValue: countsWord.load(ordering: .acquiring)) }

  /// Adds to the counts of a frame that the caller has a reference to already. Traps where there was none, and where a
  /// count passes 32 bits.
  ///
  /// Linux: `folio_ref_add`.
  @inlinable public func take(_ added: FrameCounts) {
    let old = FrameCounts(rawValue: countsWord.wrappingAdd(added.rawValue, ordering: .relaxed).oldValue)
    precondition(old.references != 0, "a frame without references was taken")
    _ = old + added
  }

  /// Adds to the counts unless there is no reference: the frame is free, or frozen.
  ///
  /// Linux: `folio_try_get`.
  @inlinable public func tryTake(_ added: FrameCounts) -> Bool {
    var old = countsWord.load(ordering: .relaxed)
    while FrameCounts(rawValue: old).references != 0 {
      let new = FrameCounts(rawValue: old) + added
      let (isDone, found) = countsWord.weakCompareExchange(expected: old, desired: new.rawValue, ordering: .acquiring)
      if isDone { return true }
      old = found
    }
    return false
  }

  /// Takes from the counts. True where nothing is left, which one caller alone is told: the frame is then its to free.
  /// Traps where a count would fall below zero.
  ///
  /// Linux: `folio_put_testzero`.
  @inlinable public func give(_ removed: FrameCounts) -> Bool {
    let old = FrameCounts(
      rawValue: countsWord.wrappingSubtract(removed.rawValue, ordering: .acquiringAndReleasing).oldValue)
    return (old - removed).isZero
  }

  /// Makes the counts zero if they are exactly `expected`, so that nobody can take a reference until ``unfreeze(_:)``.
  ///
  /// Linux: `folio_ref_freeze`.
  @inlinable public func freeze(expecting expected: FrameCounts) -> Bool {
    countsWord.compareExchange(expected: expected.rawValue, desired: 0, ordering: .acquiringAndReleasing).exchanged
  }

  /// Sets the counts of a frame that nobody can have a reference to: frozen, or just taken from the free ones.
  ///
  /// Linux: `folio_ref_unfreeze`, `set_page_count`.
  @inlinable public func unfreeze(_ counts: FrameCounts) { countsWord.store(counts.rawValue, ordering: .releasing) }
}
