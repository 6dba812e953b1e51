import FrameMap
public import MemoryUnits
import Synchronization

extension FolioZone {
  /// The folio that contains `frame`. Without a reference to it the answer is about an instant.
  ///
  /// - Throws: `.noSuchFrame`, `.notAllocated`.
  /// - Complexity: O(levels), one line each, and the head's descriptor. Linux: `page_folio`.
  public borrowing func folio(containing frame: FrameNumber) throws(FolioError) -> FolioPlace { try find(frame) }

  borrowing func find(_ frame: FrameNumber) throws(FolioError) -> FolioPlace {
    guard zone.contains(frame) else { throw .noSuchFrame(frame) }
    var head = heads.candidate(containing: frame)
    while let candidate = head {
      guard let descriptor = unsafe table.descriptor(candidate) else { throw .noSuchFrame(frame) }
      let order = unsafe descriptor.pointee.shape.order
      // The candidate is the only block that can reach so far; whether it does, its order tells.
      if frame - candidate < order.frames { return FolioPlace(head: candidate, order: order) }
      // Somebody may have taken a folio apart between the two looks, from its end to its head.
      head = heads.candidate(containing: frame)
      guard head != candidate else { break }
    }
    throw .notAllocated(frame)
  }

  /// Takes a reference to the folio that contains `frame`, for a caller who has none.
  ///
  /// It looks the folio up, takes a reference unless there is none to share, and looks again: between the two the folio may
  /// have been freed, and the frame may be part of another one.
  ///
  /// - Throws: `.noSuchFrame`, or `.notAllocated` where the frame is free, or frozen by somebody who takes it apart.
  /// - Complexity: as ``folio(containing:)``. Threads: any. Linux: `folio_try_get` in `gup_fast`.
  public borrowing func tryGet(_ frame: FrameNumber, on cpu: CPUIndex) throws(FolioError) -> FolioPlace {
    while true {
      let place = try find(frame)
      guard let descriptor = unsafe table.descriptor(place.head) else { throw .noSuchFrame(frame) }
      guard unsafe descriptor.pointee.tryTake(.references(1)) else { throw .notAllocated(frame) }
      if let again = try? find(frame), again == place { return place }
      put(place.head, on: cpu)
    }
  }

  /// Gives back a reference to the folio at `head`; who gives the last one frees it. Traps where there was none.
  ///
  /// A page of a huge pool goes to its pool, which finds it at its next step: see ``parkPoolPages()``.
  ///
  /// Linux: `folio_put`.
  public borrowing func put(_ head: FrameNumber, on cpu: CPUIndex) {
    guard let descriptor = unsafe table.descriptor(head) else { preconditionFailure("a frame without descriptor was put") }
    guard unsafe descriptor.pointee.give(.references(1)) else { return }
    unsafe free(unreferenced: head, descriptor, on: cpu)
  }

  /// Frees the folio whose last reference the caller gave: a pool's page is put where its pool finds it.
  @unsafe borrowing func free(unreferenced head: FrameNumber, _ descriptor: DescriptorPointer, on cpu: CPUIndex) {
    if unsafe descriptor.pointee.shape.kind == .hugePool, parked.isOn { return unsafe parked.push(head, descriptor) }
    unsafe give(back: head, descriptor, on: cpu)
  }

  /// Takes a folio apart into folios of `order`; each gets one reference, the caller's.
  ///
  /// - Parameter body: gets each part; dropping one loses its frames.
  /// - Throws: `.notSmaller`, or `.busy` where others reference, pin or map it; it is whole then. The caller can go on by
  ///   ``adopt(_:)``.
  /// - Complexity: O(parts). Linux: `split_page`.
  public borrowing func split(
    _ folio: consuming Folio, to order: Order, _ body: (consuming Folio) -> Void
  ) throws(FolioError) {
    let head = folio.head
    let whole = folio.order
    guard order < whole else { throw .notSmaller(order, than: whole) }
    guard let descriptor = unsafe table.descriptor(head) else { throw .noSuchFrame(head) }
    let mobility = unsafe descriptor.pointee.shape.mobility
    let mappings = unsafe descriptor.pointee.mapCount.load(ordering: .acquiring)
    let isFrozen = unsafe mappings == 0 && descriptor.pointee.freeze(expecting: .references(1))
    guard isFrozen else { throw unsafe .busy(head, descriptor.pointee.counts, mappings: mappings) }
    // Backwards, so that a reader finds the old head with its old order until its own part is there.
    var start = head + whole.frames
    while start > head {
      start -= order.frames
      guard let part = unsafe table.descriptor(start) else { preconditionFailure("a folio without descriptors") }
      // The head is frozen, so that nobody holds a reference to any of the frames.
      unsafe part.pointee.setShape(FrameShape(.ordinary, order: order, mobility: mobility, zone: index))
      heads.set(start)
      unsafe part.pointee.unfreeze(.references(1))
    }
    while start < head + whole.frames {
      body(Folio(head: start, order: order, zone: index))
      start += order.frames
    }
  }

  /// Owns again a folio that is known by its head only, for a caller who knows that nobody else owns it.
  ///
  /// - Throws: as ``folio(containing:)``, and `.tail`.
  public borrowing func adopt(_ head: FrameNumber) throws(FolioError) -> Folio {
    let place = try find(head)
    guard place.head == head else { throw .tail(head, head: place.head) }
    return Folio(head: head, order: place.order, zone: index)
  }
}
