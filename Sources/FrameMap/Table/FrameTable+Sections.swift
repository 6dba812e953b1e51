import MemoryUnits

/// Sections as the tables count them: plain indices, which never leave this room.
extension FrameTable {
  /// The sections that `range` touches.
  func sections(of range: FrameRange) -> Range<UInt64> {
    guard !range.isEmpty else { return 0..<0 }
    return range.start.rawValue >> sectionOrder..<(range.end.rawValue - 1) >> sectionOrder + 1
  }

  /// The frames of `range` in a section that it touches, counted from the section's start.
  func frames(of range: FrameRange, in section: UInt64) -> Range<UInt64> {
    let start = section << sectionOrder
    let low = max(range.start.rawValue, start)
    let high = min(range.end.rawValue, start + 1 << sectionOrder)
    return low - start..<high - start
  }

  /// The subsections of an aligned `range` in a section that it touches, counted from the section's start.
  func subsections(of range: FrameRange, in section: UInt64) -> Range<UInt64> {
    let frames = frames(of: range, in: section)
    return frames.lowerBound >> subsectionOrder..<frames.upperBound >> subsectionOrder
  }

  /// Where the descriptor of frame 0 would be if the section's array went on to it.
  func base(of section: UInt64) -> UInt64 {
    guard model.isScattered else { return origin }
    return origin &+ section &* slots.stride &- section << (sectionOrder + FrameDescriptor.shift)
  }

  /// Virtual memmap: the granules of storage that `range`'s descriptors need and no other valid frame's do. The range is
  /// not valid (yet, or any more).
  func granules<Storage>(of range: FrameRange, in store: MapStore<Storage>) -> Range<UInt64>? {
    let shift = FrameDescriptor.shift
    let mask = store.granule - 1
    let start = range.start.rawValue << shift
    let end = range.end.rawValue << shift
    var low = start & ~mask
    var high = (end + mask) & ~mask
    if low < start, hasValid(low >> shift..<range.start.rawValue) { low = (start + mask) & ~mask }
    if high > end, hasValid(range.end.rawValue..<high >> shift) { high = end & ~mask }
    return low < high ? store.memmap.address + low..<store.memmap.address + high : nil
  }

  private func hasValid(_ frames: Range<UInt64>) -> Bool {
    guard let found = nextValid(from: FrameNumber(frames.lowerBound)) else { return false }
    return found.rawValue < frames.upperBound
  }
}
