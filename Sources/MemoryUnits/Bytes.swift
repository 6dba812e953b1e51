/// An amount of bytes.
@frozen public struct ByteCount: Amount {
  public let rawValue: UInt64
  @inlinable public init(rawValue: UInt64) { self.rawValue = rawValue }

  /// The bytes of `frames` frames; traps on overflow.
  @inlinable public init(_ frames: FrameCount, _ shift: PageShift) {
    self.init(rawValue: frames.rawValue.shiftedLeft(shift))
  }

  @inlinable public static func kibibytes(_ count: UInt64) -> ByteCount { ByteCount(rawValue: count * (1 << 10)) }
  @inlinable public static func mebibytes(_ count: UInt64) -> ByteCount { ByteCount(rawValue: count * (1 << 20)) }
  @inlinable public static func gibibytes(_ count: UInt64) -> ByteCount { ByteCount(rawValue: count * (1 << 30)) }

  /// The largest unit that divides the amount, as people write sizes: `1G`, `2M`, `1536M`, `64K`, `513`.
  public var description: String { sizeText(rawValue) }
}

/// A place in physical memory, in bytes.
///
/// Linux: `phys_addr_t`.
@frozen public struct PhysicalAddress: Position {
  public typealias Distance = ByteCount
  public let rawValue: UInt64
  @inlinable public init(rawValue: UInt64) { self.rawValue = rawValue }

  /// The first byte of `frame`; traps on overflow.
  @inlinable public init(_ frame: FrameNumber, _ shift: PageShift) {
    self.init(rawValue: frame.rawValue.shiftedLeft(shift))
  }

  public var description: String { hexadecimal(rawValue) }
}

/// A place in an address space, in bytes.
@frozen public struct VirtualAddress: Position {
  public typealias Distance = ByteCount
  public let rawValue: UInt64
  @inlinable public init(rawValue: UInt64) { self.rawValue = rawValue }

  public var description: String { hexadecimal(rawValue) }
}

/// A half-open range of physical bytes.
public typealias PhysicalRange = UnitRange<PhysicalAddress>

extension UnitRange where Bound == PhysicalAddress {
  /// The bytes of `frames`.
  @inlinable public init(_ frames: FrameRange, _ shift: PageShift) {
    self.init(start: PhysicalAddress(frames.start, shift), end: PhysicalAddress(frames.end, shift))
  }
}

/// log2 of the bytes in a base page: 12 for 4 KiB.
///
/// Linux: `PAGE_SHIFT`.
@frozen public struct PageShift: Hashable, Sendable, CustomStringConvertible {
  public let rawValue: UInt8

  /// Traps at 64 and above.
  @inlinable public init(_ rawValue: UInt8) {
    precondition(rawValue < 64, "page shift above 63")
    self.rawValue = rawValue
  }

  /// The bytes of a base page.
  @inlinable public var bytes: ByteCount { ByteCount(rawValue: 1 &<< UInt64(rawValue)) }

  public var description: String { String(rawValue) }
}

/// The size of a page of any kind, base, huge or gigantic: a power of two of bytes.
@frozen public struct PageSize: Comparable, Hashable, Sendable, CustomStringConvertible {
  /// log2 of the size in bytes.
  public let shift: PageShift

  @inlinable public init(shift: PageShift) { self.shift = shift }

  /// Nil where `bytes` is no power of two.
  @inlinable public init?(exactly bytes: ByteCount) {
    guard bytes.rawValue.nonzeroBitCount == 1 else { return nil }
    self.init(shift: PageShift(UInt8(truncatingIfNeeded: bytes.rawValue.trailingZeroBitCount)))
  }

  @inlinable public var bytes: ByteCount { shift.bytes }

  /// The order of a page of this size where base pages have 2^baseShift bytes. Traps where the page is smaller
  /// than a base page.
  @inlinable public func order(baseShift: PageShift) -> Order {
    precondition(shift.rawValue >= baseShift.rawValue, "page smaller than the base page")
    return Order(rawValue: shift.rawValue &- baseShift.rawValue)
  }

  @inlinable public static func < (left: PageSize, right: PageSize) -> Bool { left.bytes < right.bytes }

  public var description: String { bytes.description }
}
