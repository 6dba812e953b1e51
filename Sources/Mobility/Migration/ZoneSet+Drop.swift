public import FrameAllocator
import FrameMap
import MemoryUnits

extension ZoneSet {
  /// Frees a folio whose owner says that its content can be given up. Its frames are freed, or stay with the isolation that they
  /// lie in; no other frame is needed.
  ///
  /// - Throws: `.gone`, `.notOwned`, `.busy`; the folio is as it was.
  /// - Complexity: what the owner does. Linux: `reclaim_clean_pages_from_list`.
  public borrowing func drop<Owner, Mover>(
    _ folio: FolioPlace, with context: MigrationContext<Owner, Mover>
  ) throws(MigrationError) {
    guard let head = unsafe table.descriptor(folio.head), let place = try? tryGet(folio.head, on: context.cpu) else {
      throw .gone(folio.head)
    }
    guard place == folio else {
      put(place.head, on: context.cpu)
      throw .gone(folio.head)
    }
    guard let expected = context.owner.detach(folio) else {
      put(folio.head, on: context.cpu)
      throw .notOwned(folio.head)
    }
    // The owner's ways, and the reference taken above.
    guard unsafe head.pointee.freeze(expecting: expected + .references(1)) else {
      let counts = unsafe head.pointee.counts
      context.owner.attach(folio, to: folio.head)
      put(folio.head, on: context.cpu)
      throw .busy(folio.head, counts)
    }
    context.owner.drop(folio)
    if unsafe head.pointee.shape.kind == .hugePool {
      // Its pool's to free: the last reference goes as any other's does.
      unsafe head.pointee.unfreeze(.references(1))
      return put(folio.head, on: context.cpu)
    }
    freeFrozen(folio.head, on: context.cpu)
  }

  /// The two halves of a folio that found no place as a whole, where its owner lets it be split and nobody else uses it.
  borrowing func halves<Owner, Mover>(
    of folio: FolioPlace, with context: MigrationContext<Owner, Mover>
  ) -> [FolioPlace]? {
    guard folio.order > Order(0), context.owner.canSplit(folio), let whole = try? adopt(folio.head) else { return nil }
    guard whole.order == folio.order, let head = unsafe table.descriptor(folio.head) else { return nil }
    // A pool's page moves as a whole or not at all.
    guard unsafe head.pointee.shape.kind == .ordinary else { return nil }
    let half = Order(folio.order.rawValue - 1)
    var parts: [FolioPlace] = []
    // The parts are the owner's, as the whole was.
    let isSplit: Void? = try? split(whole, to: half) { parts.append(FolioPlace(head: $0.head, order: $0.order)) }
    return isSplit == nil ? nil : parts
  }
}
