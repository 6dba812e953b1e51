import MemoryUnits

/// What a frame is used for.
@frozen public enum FrameKind: UInt8, CaseIterable, Hashable, Sendable {
  /// Free, the tail of a folio, or in use with nothing special about it. Zero, as in a descriptor never written.
  case ordinary
  /// Kept from the allocator since boot. Linux: `PG_reserved`.
  case reserved
  /// Holds page tables.
  case pageTable
  /// Holds descriptors: a self-hosted memmap.
  case memmap
  /// Belongs to a pool of huge pages.
  case hugePool
  /// Device memory that is never online.
  case device
  /// Free, and kept from requests by somebody who wants the range around it. Linux: free on the list `MIGRATE_ISOLATE`.
  case isolated
}

/// Whether, and how, the content of a frame can move elsewhere.
///
/// Linux: `enum migratetype`.
@frozen public enum FrameMobility: UInt8, CaseIterable, Hashable, Sendable {
  case unmovable
  case reclaimable
  case movable
  /// Of a contiguous area: movable, and lent only to what stays movable.
  case contiguous
}

/// What rarely changes about a frame, in 32 bits: kind, order, mobility and zone.
///
/// Zero is an ordinary, unmovable frame of order 0 in zone 0.
@frozen public struct FrameShape: Hashable, Sendable {
  /// Bits 0-7 kind, 8-15 order, 16-19 mobility, 20-31 zone.
  public let rawValue: UInt32
  @inlinable public init(rawValue: UInt32) { self.rawValue = rawValue }

  /// - Parameter zone: the machine's number of the zone. Traps above 4095.
  @inlinable public init(
    _ kind: FrameKind, order: Order = Order(0), mobility: FrameMobility = .unmovable, zone: ZoneIndex = ZoneIndex(0)
  ) {
    precondition(zone.rawValue < 4096, "zone above 4095")
    rawValue =
      UInt32(kind.rawValue) | UInt32(order.rawValue) &<< 8 | UInt32(mobility.rawValue) &<< 16 | zone.rawValue &<< 20
  }

  /// `ordinary` where the bits name no kind.
  @inlinable public var kind: FrameKind { FrameKind(rawValue: UInt8(truncatingIfNeeded: rawValue)) ?? .ordinary }

  @inlinable public var order: Order { Order(UInt8(truncatingIfNeeded: rawValue &>> 8)) }

  @inlinable public var mobility: FrameMobility {
    FrameMobility(rawValue: UInt8(truncatingIfNeeded: rawValue &>> 16) & 15) ?? .unmovable
  }

  @inlinable public var zone: ZoneIndex { ZoneIndex(rawValue &>> 20) }
}

/// The number of a zone among all zones of a machine.
@frozen public struct ZoneIndex: Comparable, Hashable, Sendable, CustomStringConvertible {
  public let rawValue: UInt32
  @inlinable public init(_ rawValue: UInt32) { self.rawValue = rawValue }
  @inlinable public static func < (left: ZoneIndex, right: ZoneIndex) -> Bool { left.rawValue < right.rawValue }
  public var description: String { String(rawValue) }
}

/// Marks of a frame that come and go, each set and cleared by one atomic operation.
@frozen public struct FrameFlags: OptionSet, Hashable, Sendable {
  public let rawValue: UInt32
  @inlinable public init(rawValue: UInt32) { self.rawValue = rawValue }

  /// A short lock, held by who takes or gives back a tail and by who splits. Linux: `PG_locked`.
  @inlinable public static var locked: FrameFlags { FrameFlags(rawValue: 1) }
  /// The content differs from what its backing store has. Linux: `PG_dirty`.
  @inlinable public static var dirty: FrameFlags { FrameFlags(rawValue: 2) }
  /// Used since it was last looked at. Linux: `PG_referenced`.
  @inlinable public static var accessed: FrameFlags { FrameFlags(rawValue: 4) }
  /// The memory behind it failed, and nobody may have it. Linux: `PG_hwpoison`.
  @inlinable public static var poisoned: FrameFlags { FrameFlags(rawValue: 8) }
  /// A swap device has the same content, and others than those who map the frame can ask for it. Linux: `PG_swapcache`.
  @inlinable public static var swapCached: FrameFlags { FrameFlags(rawValue: 16) }
  /// The frame's number is in the list of heads whose folios may have to be taken apart; of the number, whatever becomes of the folio.
  @inlinable public static var deferred: FrameFlags { FrameFlags(rawValue: 32) }

  /// Marks that are of the frame, and not of what it holds at the moment.
  @inlinable public static var ofFrame: FrameFlags { [.locked, .poisoned, .deferred] }
}
