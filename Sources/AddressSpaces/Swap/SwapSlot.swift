public import MemoryUnits

/// The place of a base page on a swap device.
///
/// Linux: the offset of a `swp_entry_t`.
@frozen public struct SwapSlot: Position {
  public typealias Distance = SlotCount
  public let rawValue: UInt64
  public init(rawValue: UInt64) { self.rawValue = rawValue }
  public var description: String { String(rawValue) }
}

/// An amount of places of a swap device; each holds one base page.
@frozen public struct SlotCount: Amount {
  public let rawValue: UInt64
  public init(rawValue: UInt64) { self.rawValue = rawValue }
  public var description: String { String(rawValue) }

  /// As many as a block of frames takes. Traps above order 63.
  public init(_ order: Order) { self.init(rawValue: order.frames.rawValue) }
  public init(_ frames: FrameCount) { self.init(rawValue: frames.rawValue) }
}

/// Places of a swap device, one after the other.
public typealias SlotRange = UnitRange<SwapSlot>
