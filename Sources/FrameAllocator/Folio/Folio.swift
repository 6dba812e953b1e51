public import FrameMap
public import MemoryUnits

/// An allocated block seen as one page: its head and its order. Whoever holds the value owns the block.
///
/// It cannot be copied, and freeing consumes it. A folio that is dropped is lost to its zone, as any memory that nobody
/// frees; frames that are known by number only are freed with ``FolioZone/free(at:order:on:)``.
///
/// Linux: `struct folio`.
public struct Folio: ~Copyable {
  public let head: FrameNumber
  public let order: Order
  /// The zone that it belongs to.
  public let zone: ZoneIndex

  init(head: FrameNumber, order: Order, zone: ZoneIndex) {
    self.head = head
    self.order = order
    self.zone = zone
  }

  public var frames: FrameRange { FrameRange(blockAt: head, order: order) }
}

/// A folio known to somebody who does not own it.
public struct FolioPlace: Hashable, Sendable {
  public let head: FrameNumber
  public let order: Order

  public init(head: FrameNumber, order: Order) {
    self.head = head
    self.order = order
  }

  public var frames: FrameRange { FrameRange(blockAt: head, order: order) }
}

/// Why a zone refused; it is unchanged then.
public enum FolioError: Error, Hashable, Sendable {
  /// The order is above the zone's policy; contiguous ranges serve such requests.
  case aboveTopOrder(Order, top: Order)
  /// No free block is large enough.
  case exhausted(wanted: FrameCount, largestFree: FrameCount)
  /// The frame lies outside the zone, or has no descriptor.
  case noSuchFrame(FrameNumber)
  /// No folio starts at the frame, nor contains it: it is free, or was never handed out.
  case notAllocated(FrameNumber)
  /// The frame is a tail of the folio at `head`.
  case tail(FrameNumber, head: FrameNumber)
  /// The folio has another order than was said.
  case wrongOrder(said: Order, is: Order)
  /// The folio is referenced, pinned or mapped by others.
  case busy(FrameNumber, FrameCounts, mappings: UInt32)
  /// The frame was asked for, and is held.
  case notFree(FrameNumber)
  /// A folio is split into smaller ones only.
  case notSmaller(Order, than: Order)
}
