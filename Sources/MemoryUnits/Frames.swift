/// The index of a base page of physical memory.
///
/// Linux: page frame number, `unsigned long pfn`.
@frozen public struct FrameNumber: Position {
  public typealias Distance = FrameCount
  public let rawValue: UInt64
  @inlinable public init(rawValue: UInt64) { self.rawValue = rawValue }

  /// The frame that holds the byte at `address`.
  @inlinable public init(_ address: PhysicalAddress, _ shift: PageShift, rounded direction: Rounding) {
    self.init(rawValue: address.rawValue.shiftedRight(shift, direction))
  }

  /// The frame that begins at `address`, or nil where none does.
  @inlinable public init?(exactly address: PhysicalAddress, _ shift: PageShift) {
    guard let number = address.rawValue.shiftedRightExactly(shift) else { return nil }
    self.init(rawValue: number)
  }

  /// The largest order at which a block can begin here; 64 for frame 0.
  @inlinable public var alignmentOrder: Order { Order(rawValue: UInt8(truncatingIfNeeded: rawValue.trailingZeroBitCount)) }

  /// Hexadecimal, as kernels print frame numbers: `0x40000`.
  public var description: String { hexadecimal(rawValue) }
}

/// An amount of frames.
@frozen public struct FrameCount: Amount {
  public let rawValue: UInt64
  @inlinable public init(rawValue: UInt64) { self.rawValue = rawValue }

  /// The frames that hold `bytes`.
  @inlinable public init(_ bytes: ByteCount, _ shift: PageShift, rounded direction: Rounding) {
    self.init(rawValue: bytes.rawValue.shiftedRight(shift, direction))
  }

  /// The frames that hold `bytes`, or nil where the last would be partly used.
  @inlinable public init?(exactly bytes: ByteCount, _ shift: PageShift) {
    guard let count = bytes.rawValue.shiftedRightExactly(shift) else { return nil }
    self.init(rawValue: count)
  }

  public var description: String { String(rawValue) }
}

/// log2 of a count of frames: the size of a block.
///
/// Linux: `unsigned int order`, there bounded by `MAX_PAGE_ORDER`; here any order up to 63 is a value.
@frozen public struct Order: Comparable, Hashable, Sendable, CustomStringConvertible {
  public let rawValue: UInt8
  @inlinable public init(rawValue: UInt8) { self.rawValue = rawValue }
  @inlinable public init(_ rawValue: UInt8) { self.rawValue = rawValue }

  /// The order of exactly `frames` frames, or nil where that is no power of two.
  @inlinable public init?(exactly frames: FrameCount) {
    guard frames.rawValue.nonzeroBitCount == 1 else { return nil }
    self.init(rawValue: UInt8(truncatingIfNeeded: frames.rawValue.trailingZeroBitCount))
  }

  /// The frames of a block of this order. Traps above order 63.
  @inlinable public var frames: FrameCount {
    precondition(rawValue < 64, "order above 63")
    return FrameCount(rawValue: 1 &<< UInt64(rawValue))
  }

  @inlinable public static func < (left: Order, right: Order) -> Bool { left.rawValue < right.rawValue }

  public var description: String { String(rawValue) }
}

/// A half-open range of frames; prints `[0x200, 0x400)`.
public typealias FrameRange = UnitRange<FrameNumber>

extension UnitRange where Bound == FrameNumber {
  /// The frames of the naturally aligned block of `order` that starts at `start`. Traps where `start` is not
  /// aligned to the order.
  @inlinable public init(blockAt start: FrameNumber, order: Order) {
    precondition(start.isAligned(to: order.frames), "block start is not aligned to its order")
    self.init(start: start, count: order.frames)
  }

  /// The frames that `bytes` touches (`.up`) or fills whole (`.down`).
  ///
  /// Linux: `PFN_UP`/`PFN_DOWN` on both ends; whole frames is what a boot allocator may hand out.
  @inlinable public init(_ bytes: PhysicalRange, _ shift: PageShift, rounded direction: Rounding) {
    let inward: Rounding = direction == .down ? .up : .down
    let start = FrameNumber(bytes.start, shift, rounded: inward)
    let end = FrameNumber(bytes.end, shift, rounded: direction)
    self.init(start: start, end: max(start, end))
  }
}
