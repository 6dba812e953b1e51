public import FrameAllocator
import FrameContents
public import FrameMap
public import MemoryUnits
import Synchronization

/// Why a folio was not moved; everything is as before.
public enum MigrationError: Error, Hashable, Sendable {
  /// There is no folio there any more, or another one.
  case gone(FrameNumber)
  /// The owner does not know it, or cannot move it now.
  case notOwned(FrameNumber)
  /// Others than the owner refer to it: it is pinned, or somebody is looking at it.
  case busy(FrameNumber, FrameCounts)
  /// No free block of its order elsewhere.
  case noRoom(wanted: FrameCount, largestFree: FrameCount)
  /// The frame has no bytes to copy.
  case noContents(FrameNumber)
}

extension ZoneSet {
  /// Moves a folio to frames elsewhere: bytes, descriptor and everybody's way to it. Its old frames are freed, or stay with the
  /// isolation that they lie in.
  ///
  /// - Parameter node: where the new frames are to be, first.
  /// - Returns: the head of the new folio.
  /// - Throws: ``MigrationError``; the folio is where it was, with its old references.
  /// - Complexity: the copy, and what the owner does. Linux: `migrate_pages`, `migrate_folio_move`.
  @discardableResult public borrowing func migrate<Owner, Mover>(
    _ folio: FolioPlace, node: NodeID, with context: MigrationContext<Owner, Mover>
  ) throws(MigrationError) -> FrameNumber {
    let target: Folio
    do throws(FolioError) {
      target = try allocateAnyOrder(folio.order, FrameRequest(.movable, node: node), on: context.cpu)
    } catch {
      if case .exhausted(let wanted, let largest) = error { throw .noRoom(wanted: wanted, largestFree: largest) }
      throw .noRoom(wanted: folio.order.frames, largestFree: .zero)
    }
    return try migrate(folio, to: target, with: context)
  }

  /// Moves a folio to a new one of the same order, which is freed where it does not come to it.
  ///
  /// - Throws: as ``migrate(_:node:with:)``.
  @discardableResult public borrowing func migrate<Owner, Mover>(
    _ folio: FolioPlace, to target: consuming Folio, with context: MigrationContext<Owner, Mover>
  ) throws(MigrationError) -> FrameNumber {
    precondition(target.order == folio.order, "a folio moves to one of its own order")
    guard let source = unsafe table.descriptor(folio.head) else {
      giveUp(target, on: context.cpu)
      throw .gone(folio.head)
    }
    // Held while it is looked at, so that it is not freed and made another folio in between.
    guard let place = try? tryGet(folio.head, on: context.cpu) else {
      giveUp(target, on: context.cpu)
      throw .gone(folio.head)
    }
    guard place == folio else {
      giveUp(target, on: context.cpu)
      put(place.head, on: context.cpu)
      throw .gone(folio.head)
    }
    // Looked at without the owner: what is held by others now will hardly be free when all is prepared.
    let shape = unsafe source.pointee.shape
    let seen = unsafe source.pointee.counts
    guard seen.pins == 0 else {
      giveUp(target, on: context.cpu)
      put(folio.head, on: context.cpu)
      throw .busy(folio.head, seen - .references(1))
    }
    let copy: CopyWork<Mover>?
    do throws(ContentsError) {
      copy =
        context.contents == nil
        ? nil : try CopyWork(folio.frames, to: target.head, in: context.contents, with: Mover.self)
    } catch {
      let head = folio.head
      giveUp(target, on: context.cpu)
      put(head, on: context.cpu)
      throw .noContents(head)
    }
    guard let expected = context.owner.detach(folio) else {
      giveUp(target, on: context.cpu)
      put(folio.head, on: context.cpu)
      throw .notOwned(folio.head)
    }
    // The owner's ways, and the reference taken above.
    guard unsafe source.pointee.freeze(expecting: expected + .references(1)) else {
      let counts = unsafe source.pointee.counts
      context.owner.attach(folio, to: folio.head)
      giveUp(target, on: context.cpu)
      put(folio.head, on: context.cpu)
      throw .busy(folio.head, counts)
    }
    // From here on nothing can fail: nobody can take a reference to the old frames, and nobody knows the new ones.
    finish(copy)
    let head = target.head
    unsafe move(shape, from: source, to: target, expected)
    context.owner.attach(folio, to: head)
    freeFrozen(folio.head, on: context.cpu)
    return head
  }

  /// Gives up a folio that nothing came to. Who happened to look at it may have a reference, and then frees it.
  private borrowing func giveUp(_ target: consuming Folio, on cpu: CPUIndex) {
    let head = target.head
    _ = consume target
    put(head, on: cpu)
  }

  private func finish<Mover>(_ copy: consuming CopyWork<Mover>?) {
    switch consume copy {
    case .some(var work): work.advance(by: work.remaining)
    case .none: break
    }
  }

  /// Gives the new head what the old one said. Strangers may look at the new folio for a moment; they are waited for.
  private func move(
    _ shape: FrameShape, from source: DescriptorPointer, to target: consuming Folio, _ counts: FrameCounts
  ) {
    guard let new = unsafe table.descriptor(target.head) else { preconditionFailure("a folio without descriptor") }
    while unsafe !new.pointee.freeze(expecting: .references(1)) {}
    unsafe new.pointee.setShape(
      FrameShape(shape.kind, order: shape.order, mobility: shape.mobility, zone: target.zone))
    let word = unsafe source.pointee.privateWord.load(ordering: .relaxed)
    let index = unsafe source.pointee.privateIndex.load(ordering: .relaxed)
    // Whoever holds the lock of the old head finds out that it is none any more, and leaves it.
    let flags = unsafe source.pointee.flags.subtracting(.ofFrame)
    unsafe new.pointee.privateWord.store(word, ordering: .relaxed)
    unsafe new.pointee.privateIndex.store(index, ordering: .relaxed)
    unsafe _ = new.pointee.insert(flags)
    unsafe _ = source.pointee.remove(flags)
    unsafe source.pointee.privateWord.store(0, ordering: .relaxed)
    unsafe source.pointee.privateIndex.store(0, ordering: .relaxed)
    unsafe new.pointee.unfreeze(counts)
  }
}
