import MemoryUnits

/// The look-up side of a ``FrameMap``: a copyable view, good for as long as its map lives.
///
/// Look-ups take no lock and may run on any thread while memory comes and goes. A descriptor, once found, stays while the
/// caller holds a reference to its frame or is inside a read section (``read(on:_:)``).
///
/// Linux: `pfn_to_page` and `page_to_pfn`, in all five forms.
@frozen @safe public struct FrameTable: @unchecked Sendable {
  public let model: MemoryModel

  /// The flat model: the first frame with a descriptor. Zero in others.
  @usableFromInline let firstFrame: UInt64
  /// Frames from `firstFrame` that can be valid.
  @usableFromInline let frameCount: UInt64
  /// Flat and virtual: where the descriptor of frame 0 is or would be. Scattered: where the first slot's is. The arithmetic
  /// wraps, as it may name a place below the address space.
  @usableFromInline let origin: UInt64

  @usableFromInline let sectionOrder: UInt64
  @usableFromInline let subsectionOrder: UInt64
  @usableFromInline let recordShift: UInt64
  @usableFromInline let leafShift: UInt64
  /// Entries of sections, or the upper level of two.
  @usableFromInline let sections: AtomicWords
  @usableFromInline let presence: PresenceBits
  @usableFromInline let pieces: PieceTable
  @usableFromInline let slots: SlotGeometry
  @usableFromInline let readers: ReadCounters

  /// Which frames of a section are memory, for sections that are it in part.
  @usableFromInline let frameBits: AtomicWords
  @usableFromInline let frameBitsShift: UInt64
  @usableFromInline let control: MapControl

  /// Whether the frame has a descriptor.
  ///
  /// Linux: `pfn_valid`.
  @inlinable public func isValid(_ frame: FrameNumber) -> Bool {
    guard model == .vmemmap else { return unsafe descriptor(frame) != nil }
    guard frame.rawValue < frameCount, let record = record(frame.rawValue &>> sectionOrder) else { return false }
    return isValid(frame, in: record)
  }

  /// The descriptor of a frame, or nil where it has none.
  ///
  /// - Complexity: O(1); O(log ranges) in the discontiguous model. Linux: `pfn_to_page` after `pfn_valid`.
  @inlinable @inline(__always) public func descriptor(_ frame: FrameNumber) -> DescriptorPointer? {
    // Called, it would get a copy of the whole table wherever that is a field of something else.
    let number = frame.rawValue
    guard number &- firstFrame < frameCount else { return nil }
    switch model {
    case .flat: break
    case .discontiguous: return unsafe pieces.piece(of: frame).map { unsafe pointer(from: $0.base, frame) }
    case .sparse, .sparseExtreme:
      guard let record = record(number &>> sectionOrder) else { return nil }
      let state = record.load(0)
      guard state & SectionState.present != 0 else { return nil }
      return unsafe pointer(from: state & SectionState.baseMask, frame)
    case .vmemmap:
      guard let record = record(number &>> sectionOrder), isValid(frame, in: record) else { return nil }
    }
    return unsafe pointer(from: origin, frame)
  }

  /// The frame that a descriptor of this map describes. Means nothing for any other pointer.
  ///
  /// - Complexity: O(1); O(log nodes) in the discontiguous model. Linux: `page_to_pfn`.
  @inlinable public func frame(of descriptor: DescriptorPointer) -> FrameNumber {
    let address = UInt64(UInt(bitPattern: descriptor))
    switch model {
    case .flat, .vmemmap: return FrameNumber((address &- origin) &>> FrameDescriptor.shift)
    case .discontiguous: return FrameNumber((address &- pieces.base(ofDescriptorAt: address)) &>> FrameDescriptor.shift)
    case .sparse, .sparseExtreme:
      let (slot, bytes) = slots.place(address &- origin)
      return FrameNumber(slot &<< sectionOrder | bytes &>> FrameDescriptor.shift)
    }
  }

  /// Whether the frame is memory. A hole is not, whether it has a descriptor or not.
  ///
  /// - Complexity: O(1).
  public func isMemory(_ frame: FrameNumber) -> Bool {
    let number = frame.rawValue
    guard number &- firstFrame < frameCount, let record = record(number >> sectionOrder) else { return false }
    let state = record.load(0)
    if state & SectionState.isWhole != 0 { return true }
    guard state & SectionState.hasFrameBits != 0 else { return false }
    let bit = number & (1 << sectionOrder - 1)
    return frameBits(of: number >> sectionOrder).load(bit >> 6) >> (bit & 63) & 1 != 0
  }

  /// The address arithmetic that every model ends in.
  @inlinable @inline(__always) func pointer(from base: UInt64, _ frame: FrameNumber) -> DescriptorPointer {
    let address = base &+ frame.rawValue &<< FrameDescriptor.shift
    // Bases come from reservations of the map, so that the place of a valid frame is never null and lies inside one.
    return unsafe DescriptorPointer(bitPattern: UInt(address)).unsafelyUnwrapped
  }

  /// The entry of a section below the limit; nil where its leaf does not exist.
  @inlinable @inline(__always) func record(_ section: UInt64) -> AtomicWords? {
    guard model.hasTwoLevels else { return sections.advanced(by: section &<< recordShift) }
    guard let leaf = AtomicWords(stored: sections.load(section &>> leafShift)) else { return nil }
    return leaf.advanced(by: (section & (1 &<< leafShift &- 1)) &<< recordShift)
  }

  /// Virtual memmap: whether the frame's subsection is valid.
  @inlinable @inline(__always) func isValid(_ frame: FrameNumber, in record: AtomicWords) -> Bool {
    let subsection = frame.rawValue &>> subsectionOrder & (1 &<< (sectionOrder &- subsectionOrder) &- 1)
    return record.load(1 &+ subsection &>> 6) &>> (subsection & 63) & 1 != 0
  }

  func frameBits(of section: UInt64) -> AtomicWords { frameBits.advanced(by: section << (frameBitsShift - 3)) }
}

/// The first word of a section's entry: where the descriptor of frame 0 would be if the section's array went on to it, and
/// marks in the five bits that a multiple of 32 leaves free.
@usableFromInline enum SectionState {
  /// The section has descriptors, all of them or some subsections.
  @usableFromInline static let present: UInt64 = 1
  /// Every frame of it is memory.
  static let isWhole: UInt64 = 2
  /// Its frame bits are committed, and tell what is memory.
  static let hasFrameBits: UInt64 = 4
  /// Scattered models: the gap behind the section's array traps.
  static let isGuarded: UInt64 = 8
  @usableFromInline static let baseMask: UInt64 = ~31
}

/// Where the arrays of the scattered models lie: one slot for each section, with a gap behind.
@usableFromInline @frozen @safe struct SlotGeometry: Sendable {
  /// Bytes from one slot to the next, a multiple of the granule.
  @usableFromInline let stride: UInt64
  @usableFromInline let granuleShift: UInt64
  /// 2^64 divided by the granules of a slot, rounded up.
  @usableFromInline let reciprocal: UInt64

  init(stride: UInt64, granule: UInt64) {
    self.stride = stride
    granuleShift = UInt64(granule.trailingZeroBitCount)
    reciprocal = UInt64.max / (stride >> granuleShift) + 1
  }

  /// The slot that holds the byte at `offset`, and the bytes before it in the slot.
  ///
  /// Multiplying by the rounded reciprocal is exact while granules * granules of a slot stay below 2^64.
  @inlinable func place(_ offset: UInt64) -> (slot: UInt64, bytes: UInt64) {
    let slot = (offset &>> granuleShift).multipliedFullWidth(by: reciprocal).high
    return (slot, offset &- slot &* stride)
  }
}
