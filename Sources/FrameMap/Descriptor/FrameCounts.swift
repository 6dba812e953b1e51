/// How often a frame is referenced, and how often it is pinned: one 64-bit word, so that both change in one atomic
/// operation.
///
/// The low half counts references, the high half pins. Each pin also holds one reference, so that a frame without
/// references has no pins, and a freeze needs to compare one word only.
///
/// Linux: `_refcount` and `_pincount` of `struct folio`.
@frozen public struct FrameCounts: Hashable, Sendable, CustomStringConvertible {
  public let rawValue: UInt64
  @inlinable public init(rawValue: UInt64) { self.rawValue = rawValue }

  /// `count` references that are no pins.
  @inlinable public static func references(_ count: UInt32) -> FrameCounts { FrameCounts(rawValue: UInt64(count)) }

  /// `count` pins, each with its reference.
  @inlinable public static func pins(_ count: UInt32) -> FrameCounts {
    FrameCounts(rawValue: UInt64(count) &<< 32 | UInt64(count))
  }

  /// No reference, no pin.
  @inlinable public static var zero: FrameCounts { FrameCounts(rawValue: 0) }

  /// All references, those of pins included.
  @inlinable public var references: UInt32 { UInt32(truncatingIfNeeded: rawValue) }

  @inlinable public var pins: UInt32 { UInt32(truncatingIfNeeded: rawValue &>> 32) }

  @inlinable public var isZero: Bool { rawValue == 0 }

  /// Both counts added up. Traps where either would pass 32 bits.
  @inlinable public static func + (left: FrameCounts, right: FrameCounts) -> FrameCounts {
    FrameCounts(rawValue: UInt64(left.pins + right.pins) &<< 32 | UInt64(left.references + right.references))
  }

  /// Both counts taken apart. Traps where either would fall below zero.
  @inlinable public static func - (left: FrameCounts, right: FrameCounts) -> FrameCounts {
    FrameCounts(rawValue: UInt64(left.pins - right.pins) &<< 32 | UInt64(left.references - right.references))
  }

  /// `3 references, 1 pins`
  public var description: String { "\(references) references, \(pins) pins" }
}
