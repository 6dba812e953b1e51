public import FrameMap
import Synchronization
public import MemoryUnits
import Synchronization

// Frozen folios: in somebody's keeping, with counts of zero, so that nobody can take a reference. Pools keep their free pages so.

extension FolioZone {
  /// Freezes a folio that nobody but the caller owns, and makes it one of `kind`. It is known by its head from then on;
  /// ``thaw(_:)`` and ``freeFrozen(_:on:)`` end that.
  ///
  /// Who looks at it without owning it is waited for. Traps where it is mapped.
  ///
  /// - Complexity: O(1). Linux: `folio_ref_freeze`.
  public borrowing func freeze(_ folio: consuming Folio, as kind: FrameKind) -> FrameNumber {
    guard let head = unsafe table.descriptor(folio.head) else { preconditionFailure("a folio without descriptor") }
    precondition(unsafe head.pointee.mapCount.load(ordering: .acquiring) == 0, "a folio was frozen that is mapped")
    while unsafe !head.pointee.freeze(expecting: .references(1)) {}
    // Nobody can have a reference to it now.
    let shape = unsafe head.pointee.shape
    unsafe head.pointee.setShape(FrameShape(kind, order: shape.order, mobility: shape.mobility, zone: shape.zone))
    return folio.head
  }

  /// Makes a folio of a frozen one, with one reference, the caller's.
  ///
  /// Traps where no frozen folio starts at `head`.
  public borrowing func thaw(_ head: FrameNumber) -> Folio {
    let (descriptor, shape) = unsafe frozen(head)
    unsafe descriptor.pointee.unfreeze(.references(1))
    return Folio(head: head, order: shape.order, zone: index)
  }

  /// Takes a frozen folio apart into frozen folios of `order`, of the same kind.
  ///
  /// Traps where no frozen folio starts at `head`, and where it is no larger than the parts.
  ///
  /// - Complexity: O(parts), a descriptor and a bit each. Linux: `split_page` on what `demote_free_hugetlb_folios` took.
  public borrowing func splitFrozen(_ head: FrameNumber, to order: Order) {
    let (_, shape) = unsafe frozen(head)
    precondition(order < shape.order, "a folio is split into smaller ones only")
    // Backwards, so that a reader finds the old head with its old order until its own part is there.
    var start = head + shape.order.frames
    while start > head {
      start -= order.frames
      guard let part = unsafe table.descriptor(start) else { preconditionFailure("a folio without descriptors") }
      unsafe part.pointee.setShape(FrameShape(shape.kind, order: order, mobility: shape.mobility, zone: index))
      heads.set(start)
    }
  }

  @unsafe private borrowing func frozen(_ head: FrameNumber) -> (DescriptorPointer, FrameShape) {
    guard zone.contains(head), heads.contains(head), let descriptor = unsafe table.descriptor(head),
      unsafe descriptor.pointee.counts.isZero
    else { preconditionFailure("no frozen folio starts at the frame") }
    return unsafe (descriptor, descriptor.pointee.shape)
  }
}
