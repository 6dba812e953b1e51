public import FrameMap
public import MemoryUnits
import Synchronization

// Isolation: nothing inside a range is given out, and what is freed there stays there.
//
// Free frames of an isolated range are taken out of the tree as folios of kind `isolated`, one for each block: they need no room of
// their own, and whoever walks the range sees them. A frame that is freed keeps its folio, under that kind. One that a request finds
// in the tree all the same (it was on its way when the range was isolated) becomes such a folio too, and the request goes on looking.
//
// Linux: `MIGRATE_ISOLATE`, `set_migratetype_isolate`, `move_freepages_block`.

/// Why a range was not isolated, or not taken.
public enum IsolationError: Error, Hashable, Sendable {
  /// Not whole pageblocks of the zone.
  case misaligned(FrameRange)
  /// A pageblock of the range is isolated by somebody else.
  case alreadyIsolated(FrameRange)
  /// The frame is not free and isolated.
  case notIsolated(FrameNumber)
}

extension FolioZone {
  /// The size of a pageblock.
  public var pageblockOrder: Order { pageblocks.order }

  /// The pageblocks that `range` touches, cut to the zone: what has to be isolated for it.
  public func pageblocks(around range: FrameRange) -> FrameRange {
    range.aligned(to: pageblocks.order.frames, .up).intersection(zone)
  }

  /// Isolates a range: when it returns, nothing inside is given out any more, and all that is free inside is held as isolated.
  ///
  /// - Parameter range: as ``pageblocks(around:)`` gives it.
  /// - Throws: `.misaligned`, `.alreadyIsolated`; nothing has changed then.
  /// - Complexity: O(pageblocks + free blocks inside), and a wait for operations that are under way. Callers exclude each other.
  public borrowing func isolate(_ range: FrameRange) throws(IsolationError) {
    guard !range.isEmpty, pageblocks(around: range) == range else { throw .misaligned(range) }
    guard !pageblocks.isAnyIsolated(range) else { throw .alreadyIsolated(range) }
    pageblocks.setIsolated(true, over: range)
    // Those who did not see the marks come out, and what they left in caches goes to the tree.
    cache.settle()
    sweep(range)
  }

  /// Takes what is free in the tree inside an isolated range.
  public borrowing func sweep(_ range: FrameRange) {
    takeFree(in: range, of: cache.tree) { cache.count(given: -Int64($0.count.rawValue)) }
    for index in 0..<areas.count {
      let area = unsafe areas.area(index)
      takeFree(in: unsafe range.intersection(area.pointee.range), of: unsafe area.pointee.tree) { _ in }
    }
  }

  /// Takes what is free in a tree, in runs as long as they come: the longer, the fewer blocks hold them.
  private borrowing func takeFree(
    in range: FrameRange, of tree: borrowing FreeTree, _ taken: (FrameRange) -> Void
  ) {
    func take(_ run: FrameRange) -> Bool {
      guard (try? tree.claim(run)) != nil else { return false }
      taken(run)
      captureAll(run)
      return true
    }
    // The tree tells of a leaf at a time.
    var next = tree.firstFreeRun(in: range)
    while var run = next {
      next = tree.firstFreeRun(in: FrameRange(start: run.end, end: range.end))
      while let more = next, more.start == run.end {
        run = FrameRange(start: run.start, end: more.end)
        next = tree.firstFreeRun(in: FrameRange(start: run.end, end: range.end))
      }
      guard !take(run) else { continue }
      // Somebody else took of it first; the rest is still to be had.
      var parts = run
      while let part = tree.firstFreeRun(in: parts) {
        _ = take(part)
        parts = FrameRange(start: part.end, end: run.end)
      }
    }
  }

  private borrowing func captureAll(_ range: FrameRange) {
    var blocks = AlignedBlocks(range.start.rawValue, range.end.rawValue)
    while let (start, order) = blocks.pop() { capture(FrameNumber(start), Order(UInt8(order))) }
  }

  /// Ends an isolation: what it holds becomes free.
  ///
  /// - Complexity: O(pageblocks + isolated folios). Linux: `undo_isolate_page_range`.
  public borrowing func endIsolation(_ range: FrameRange) {
    pageblocks.setIsolated(false, over: range)
    // Those who saw the marks come out, so that no further folio becomes isolated.
    cache.settle()
    forEachFolio(in: range) { place, shape in
      guard shape.kind == .isolated else { return }
      dissolve(place)
      putFree(place.frames)
    }
  }

  /// Makes frames in the caller's hands free, in the tree that they belong to.
  borrowing func putFree(_ range: FrameRange) {
    do throws(FreeTreeError) {
      for index in 0..<areas.count where unsafe areas.area(index).pointee.range.contains(range) {
        return try unsafe areas.area(index).pointee.tree.release(range)
      }
      try cache.tree.release(range)
    } catch {
      preconditionFailure("a frame was freed that is free")
    }
    cache.count(given: Int64(range.count.rawValue))
  }

  /// Takes all frames of `range` out of an isolation that holds them; they count as claimed, until ``release(_:)`` or
  /// ``folio(ofClaimed:order:_:kind:)``. The isolation goes on.
  ///
  /// - Parameter range: any part of an isolated range.
  /// - Throws: `.notIsolated` with the first frame that somebody holds; nothing has changed then.
  /// - Complexity: O(isolated folios inside).
  public borrowing func takeIsolated(_ range: FrameRange) throws(IsolationError) {
    try takeIsolated([range])
  }

  /// The same for several ranges, lowest first and apart from each other: all or none.
  public borrowing func takeIsolated(_ ranges: [FrameRange]) throws(IsolationError) {
    for range in ranges {
      var frame = range.start
      while frame < range.end {
        guard let place = try? find(frame), let head = unsafe table.descriptor(place.head),
          unsafe head.pointee.shape.kind == .isolated
        else { throw .notIsolated(frame) }
        frame = place.frames.end
      }
    }
    for range in ranges { claimIsolated(range) }
  }

  private borrowing func claimIsolated(_ range: FrameRange) {
    forEachFolio(in: range) { place, _ in
      dissolve(place)
      putBack(FrameRange(start: place.head, end: max(place.head, range.start)))
      putBack(FrameRange(start: min(range.end, place.frames.end), end: place.frames.end))
    }
    marks.changeClaimed(by: Int64(range.count.rawValue))
  }

  /// Makes a folio of frames that were claimed.
  ///
  /// - Throws: `.noSuchFrame` where the head has no descriptor.
  /// - Complexity: O(levels); one descriptor is written.
  public borrowing func folio(
    ofClaimed head: FrameNumber, order: Order, _ mobility: FrameMobility, kind: FrameKind = .ordinary
  ) throws(FolioError) -> Folio {
    let folio = try prepare(head, order, mobility, kind)
    marks.changeClaimed(by: -Int64(order.frames.rawValue))
    return folio
  }

  /// Makes the pageblocks of `range` what `mobility` says, after it was given away as a whole.
  public borrowing func setPageblocks(of range: FrameRange, to mobility: FrameMobility) {
    pageblocks.set(mobility, over: range)
    cache.tree.forgetSummaries(over: range)
  }

  /// Calls `body` with each folio that `range` touches, lowest first.
  ///
  /// - Complexity: O(frames / 64 + folios). Without a reference each is about an instant.
  public borrowing func forEachFolio(in range: FrameRange, _ body: (FolioPlace, FrameShape) -> Void) {
    let range = range.intersection(zone)
    guard !range.isEmpty else { return }
    // The first may have begun before the range; from then on one's end is where the next can begin.
    var next = (try? find(range.start))?.head ?? heads.next(from: range.start, below: range.end)
    while let head = next, let descriptor = unsafe table.descriptor(head) {
      let shape = unsafe descriptor.pointee.shape
      let place = FolioPlace(head: head, order: shape.order)
      body(place, shape)
      // Below a smaller folio's end there is no other start: the search does not wait for its descriptor to come from memory.
      next = heads.next(from: shape.order <= Order(6) ? head + FrameCount(1) : place.frames.end, below: range.end)
    }
  }

  // MARK: Frames under isolation

  /// A part of a block that was isolated stays so where its pageblocks are, and is free beyond them.
  private borrowing func putBack(_ part: FrameRange) {
    var rest = part
    while !rest.isEmpty {
      let piece = rest.intersection(pageblocks.pageblock(of: rest.start))
      if pageblocks.isIsolated(piece.start) { captureAll(piece) } else { putFree(piece) }
      rest = FrameRange(start: piece.end, end: rest.end)
    }
  }

  /// Makes an isolated folio of frames that are in the caller's hands.
  borrowing func capture(_ head: FrameNumber, _ order: Order) {
    do throws(FolioError) {
      // Held by the isolation, which knows it by its kind.
      _ = try prepare(head, order, .movable, .isolated)
    } catch {
      preconditionFailure("a free frame has no descriptor")
    }
  }

  borrowing func capture(_ word: FrameWord, on cpu: CPUIndex) {
    cache.count(taken: Int64(word.bits.nonzeroBitCount), on: cpu)
    var bits = word.bits
    while bits != 0 {
      capture(FrameNumber(word.number << 6 | UInt64(bits.trailingZeroBitCount)), Order(0))
      bits &= bits - 1
    }
  }

  func isIsolated(_ word: FrameWord) -> Bool {
    pageblocks.isAnyIsolated(FrameRange(start: FrameNumber(word.number << 6), count: FrameCount(64)))
  }

  /// The frames of an isolated folio are in the caller's hands again.
  private borrowing func dissolve(_ place: FolioPlace) {
    guard let head = unsafe table.descriptor(place.head) else { preconditionFailure("a folio without descriptor") }
    // Nobody references what is isolated, save one who looked it up without a reference and will look again.
    while unsafe !head.pointee.freeze(expecting: .references(1)) {}
    let isSet = heads.clear(place.head)
    precondition(isSet, "an isolated folio was freed by somebody else")
  }

  /// What becomes of a folio that is freed in a pageblock that is isolated, or of a contiguous area; false where it is to be freed
  /// as any other. Its counts are frozen at zero by the caller.
  borrowing func keep(_ head: FrameNumber, _ shape: FrameShape) -> Bool {
    guard let descriptor = unsafe table.descriptor(head) else { preconditionFailure("a folio without descriptor") }
    if pageblocks.isIsolated(head) {
      unsafe descriptor.pointee.setShape(FrameShape(.isolated, order: shape.order, mobility: .movable, zone: index))
      unsafe descriptor.pointee.unfreeze(.references(1))
      return true
    }
    return giveToArea(head, shape.order)
  }
}
