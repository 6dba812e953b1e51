public import FrameMap
public import MemoryUnits
import Synchronization

extension FolioZone {
  /// Hands out a folio with one reference, the caller's.
  ///
  /// - Throws: `.aboveTopOrder` by policy, `.exhausted` where no block of the order is free; caches are drained first.
  /// - Complexity: O(1) for order 0, else O(levels); one descriptor is written, whatever the order.
  ///
  /// Threads: any, one at a time for each `cpu`. Linux: `alloc_pages`, `folio_alloc`.
  public borrowing func allocate(
    _ order: Order, _ mobility: FrameMobility, on cpu: CPUIndex
  ) throws(FolioError) -> Folio {
    guard order <= topOrder else { throw .aboveTopOrder(order, top: topOrder) }
    guard let folio = try take(order, mobility, on: cpu) else {
      throw .exhausted(wanted: order.frames, largestFree: largestFree())
    }
    return folio
  }

  /// Hands out a folio of any order, whatever the policy, where a block is free.
  ///
  /// - Complexity: as ``allocate(_:_:on:)``.
  public borrowing func claimAnyFolio(
    _ order: Order, _ mobility: FrameMobility, kind: FrameKind = .ordinary, on cpu: CPUIndex
  ) -> Folio? {
    guard order <= cache.tree.highestOrder, let folio = try? take(order, mobility, on: cpu) else { return nil }
    if kind != .ordinary, let head = unsafe table.descriptor(folio.head) {
      unsafe head.pointee.setShape(FrameShape(kind, order: order, mobility: mobility, zone: index))
    }
    return folio
  }

  /// Makes a folio of exactly these free frames, whatever its order: of any place, and above the policy.
  ///
  /// - Throws: `.noSuchFrame` outside the zone, `.notFree` with the first frame that is held; the zone is as before then.
  /// - Complexity: O(levels), and a drain of all caches. Linux: the end of `alloc_contig_range` for a folio.
  public borrowing func claimFolio(
    at head: FrameNumber, order: Order, _ mobility: FrameMobility, kind: FrameKind = .ordinary
  ) throws(FolioError) -> Folio {
    let range = FrameRange(blockAt: head, order: order)
    guard zone.contains(range) else { throw .noSuchFrame(zone.contains(head) ? zone.end : head) }
    do throws(FreeTreeError) {
      try take(exactly: range)
    } catch {
      throw .notFree(firstHeld(in: range))
    }
    return try prepare(head, order, mobility, kind)
  }

  /// The first frame that is not free; where others work, one that was not a moment ago.
  private borrowing func firstHeld(in range: FrameRange) -> FrameNumber {
    var frame = range.start
    while frame < range.end, cache.tree.isFree(FrameRange(start: frame, count: FrameCount(1))) { frame += FrameCount(1) }
    return min(frame, range.end - FrameCount(1))
  }

  /// Makes a folio of frames that are the caller's own.
  borrowing func prepare(
    _ head: FrameNumber, _ order: Order, _ mobility: FrameMobility, _ kind: FrameKind = .ordinary
  ) throws(FolioError) -> Folio {
    guard let descriptor = unsafe table.descriptor(head) else { throw .noSuchFrame(head) }
    // The frame is free, so that nobody else writes its descriptor.
    unsafe descriptor.pointee.setShape(FrameShape(kind, order: order, mobility: mobility, zone: index))
    let isNew = heads.set(head)
    precondition(isNew, "a block was handed out twice")
    // From here on others may find the folio and take references.
    unsafe descriptor.pointee.unfreeze(.references(1))
    return Folio(head: head, order: order, zone: index)
  }

  /// Gives a folio back. It must be referenced by its owner alone, and mapped by nobody.
  ///
  /// Misuse (a folio of another zone, or one that others still use) traps; see ``free(at:order:on:)`` for the checked form.
  public borrowing func free(_ folio: consuming Folio, on cpu: CPUIndex) {
    do throws(FolioError) {
      try free(at: folio.head, order: folio.order, on: cpu)
    } catch {
      preconditionFailure("a folio was freed that is in use, or not this zone's")
    }
  }

  /// Gives back the folio at `head`, checked: the zone is unchanged where it throws.
  ///
  /// - Throws: `.noSuchFrame`; `.tail`, `.notAllocated` (also for the second free of a folio), `.wrongOrder`, `.busy`.
  /// - Complexity: O(levels). Of several threads that free one folio, one succeeds.
  ///
  /// Linux: `__free_pages`, `free_pages_prepare`'s checks.
  public borrowing func free(at head: FrameNumber, order: Order, on cpu: CPUIndex) throws(FolioError) {
    // The head's own bit and descriptor tell all of a folio that is there; else a search tells what is wrong.
    guard zone.contains(head), heads.contains(head), let descriptor = unsafe table.descriptor(head),
      unsafe descriptor.pointee.shape.order == order
    else { throw refusal(of: head, order) }
    let mappings = unsafe descriptor.pointee.mapCount.load(ordering: .acquiring)
    let isFrozen = unsafe mappings == 0 && descriptor.pointee.freeze(expecting: .references(1))
    guard isFrozen else { throw unsafe .busy(head, descriptor.pointee.counts, mappings: mappings) }
    unsafe give(back: head, descriptor, on: cpu)
  }

  /// Why no folio of `order` was found at `head`.
  @inline(never) private borrowing func refusal(of head: FrameNumber, _ order: Order) -> FolioError {
    let place: FolioPlace
    do { place = try find(head) } catch { return error }
    guard place.head == head else { return .tail(head, head: place.head) }
    // One that was handed out since is not the caller's.
    return place.order == order ? .notAllocated(head) : .wrongOrder(said: order, is: place.order)
  }

  /// Returns the frames of a folio whose counts, in its head's descriptor, are frozen at zero by the caller.
  @unsafe borrowing func give(back head: FrameNumber, _ descriptor: DescriptorPointer, on cpu: CPUIndex) {
    cache.inside(cpu) {
      let shape = unsafe descriptor.pointee.shape
      // The frames may be tails next, of which everything that is not written is taken to be zero.
      unsafe descriptor.pointee.privateWord.store(0, ordering: .relaxed)
      unsafe descriptor.pointee.privateIndex.store(0, ordering: .relaxed)
      if shape.kind == .hugePool, let tail = unsafe table.descriptor(head + FrameCount(1)) {
        unsafe tail.pointee.privateWord.store(0, ordering: .relaxed)
        unsafe tail.pointee.privateIndex.store(0, ordering: .relaxed)
      }
      if pageblocks.isSpecial(head), keep(head, shape) { return }
      // The order is read before the bit goes: after it somebody else may own the frames.
      guard heads.clear(head) else { preconditionFailure("a folio was freed twice") }
      do throws(FreeTreeError) {
        if shape.order == Order(0) {
          try cache.free(head, shape.mobility, on: cpu)
        } else {
          try cache.tree.free(head, order: shape.order)
          cache.count(taken: -Int64(shape.order.frames.rawValue), on: cpu)
        }
      } catch {
        preconditionFailure("the frames of a folio were free already")
      }
    }
  }
}
