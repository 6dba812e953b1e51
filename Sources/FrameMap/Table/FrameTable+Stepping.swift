import MemoryUnits

extension FrameTable {
  /// The descriptor `offset` frames above `head`'s; nil where that frame has none. Right across every border of runs.
  ///
  /// Linux: `mem_map_offset`, `nth_page`.
  @inlinable public func descriptor(at offset: FrameCount, from head: DescriptorPointer) -> DescriptorPointer? {
    unsafe descriptor(frame(of: head) + offset)
  }

  /// The descriptor that follows `current`; nil where the next frame has none.
  ///
  /// For a loop over a gigantic page of one who holds `head`; the offsets count up from 1. A map is asked only where the
  /// next frame could begin a new run.
  ///
  /// - Parameter offset: of the descriptor wanted, from `head`: one above that of `current`.
  /// Linux: `mem_map_next`.
  @inlinable public func next(
    after current: DescriptorPointer, head: DescriptorPointer, offset: FrameCount
  ) -> DescriptorPointer? {
    let next = unsafe frame(of: head) + offset
    // Elsewhere arrays end at any frame.
    let isInside = model.canChange && next.rawValue & (1 &<< subsectionOrder &- 1) != 0
    return isInside ? unsafe current + 1 : unsafe descriptor(next)
  }
}
