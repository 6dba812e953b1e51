import MemoryUnits

/// The steps of a change to a map that others are looking up in. The caller has checked the range, and holds the lock.
struct MapEditor<Storage: MemmapStorage> {
  let table: FrameTable
  let store: MapStore<Storage>

  /// The sections that `frames` covers in part: none, one or two.
  func forEachPart<Failure>(
    of frames: FrameRange, _ body: (UInt64) throws(Failure) -> Void
  ) throws(Failure) {
    let sections = table.sections(of: frames)
    let last = sections.upperBound - 1
    if !isWhole(frames, in: sections.lowerBound) { try body(sections.lowerBound) }
    if last != sections.lowerBound, !isWhole(frames, in: last) { try body(last) }
  }

  func isWhole(_ frames: FrameRange, in section: UInt64) -> Bool {
    UInt64(table.frames(of: frames, in: section).count) == 1 << table.sectionOrder
  }

  func needsFrameBits(_ section: UInt64) -> Bool {
    guard let state = table.record(section)?.load(0) else { return true }
    return state & SectionState.hasFrameBits == 0
  }

  /// Gets storage for the frame bits of sections that `frames` covers in part and that have none. All or nothing.
  func prepareFrameBits(_ frames: FrameRange) throws(FrameMapError) {
    var committed: UInt64?
    try forEachPart(of: frames) { section throws(FrameMapError) in
      guard needsFrameBits(section) else { return }
      do throws(FrameMapError) {
        try store.commitFrameBits(section)
      } catch {
        if let committed { store.decommitFrameBits(committed) }
        throw error
      }
      committed = section
    }
  }
}
