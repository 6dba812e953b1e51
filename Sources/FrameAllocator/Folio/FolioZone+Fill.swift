public import FrameMap
public import MemoryUnits

// A zone that stands for memory in use already is filled run by run: what is free by `manage`, what is held by these. Nothing of
// it goes through the tree, so that a run costs what its descriptors cost and no drain.

extension FolioZone {
  /// Gives the zone frames that it does not have yet and that are in use: folios of at most `order`, naturally aligned, each with one
  /// reference, its owner's. They are known by their heads; ``adopt(_:)`` and ``put(_:on:)`` end them.
  ///
  /// - Throws: `.noSuchFrame` for frames outside the zone or without descriptors, `.notFree` with the first frame that the zone has
  ///   already, in a folio or free; nothing has changed where the range is refused as a whole.
  /// - Complexity: O(blocks), a descriptor and a bit each. Callers exclude each other. Linux: none; a kernel finds no memory in use.
  public borrowing func manage(
    _ range: FrameRange, as kind: FrameKind, _ mobility: FrameMobility, upTo order: Order
  ) throws(FolioError) {
    try checkUnknown(range)
    var start = range.start
    while start < range.end {
      let largest = Order(UInt8(63 - (range.end - start).rawValue.leadingZeroBitCount))
      let size = min(order, start.alignmentOrder, largest)
      // Its owner knows it by its head.
      _ = try prepare(start, size, mobility, kind)
      start += size.frames
    }
    count(given: range)
  }

  /// Gives the zone frames that it does not have yet and that nobody may have: they count as claimed, until ``release(_:)``.
  ///
  /// - Throws: as ``manage(_:as:_:upTo:)``.
  public borrowing func manageClaimed(_ range: FrameRange) throws(FolioError) {
    try checkUnknown(range)
    count(given: range)
    marks.changeClaimed(by: Int64(range.count.rawValue))
  }

  private borrowing func checkUnknown(_ range: FrameRange) throws(FolioError) {
    guard zone.contains(range) else { throw .noSuchFrame(zone.contains(range.start) ? zone.end : range.start) }
    if let free = cache.tree.firstFree(in: range) { throw .notFree(free) }
    if (try? find(range.start)) != nil { throw .notFree(range.start) }
    if let head = heads.next(from: range.start, below: range.end) { throw .notFree(head) }
  }

  private borrowing func count(given range: FrameRange) { marks.changeManaged(by: Int64(range.count.rawValue)) }
}
