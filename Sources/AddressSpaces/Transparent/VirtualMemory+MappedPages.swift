import FrameAllocator
public import MemoryUnits

/// What somebody who walks a space knows of pages.
public enum PageView: Hashable, Sendable {
  /// Base pages only: larger mappings of transparent memory are split into base pages on the way. Pages of huge pools are whole for everyone.
  case basePages
  /// Pages of all sizes, as they are mapped.
  case asMapped
}

/// A page as a walk finds it.
public struct MappedPage: Hashable, Sendable {
  public let address: VirtualAddress
  /// Bytes that its entry, or the run of entries, maps.
  public let size: PageSize
  public let frames: FrameRange
  public let isWritable: Bool
}

extension VirtualMemory {
  /// Goes over what is mapped in a range, lowest address first, in the eyes of somebody who knows base pages only, or pages of all sizes.
  ///
  /// Only mappings are split, and only those that are walked: folios stay whole.
  ///
  /// - Parameter body: must not use the space, whose lock is held.
  /// - Complexity: O(entries). Threads: any. Linux: `walk_page_range`, which splits where a walker has no `pmd_entry`.
  public func forEachPage(
    in range: VirtualRange, of space: AddressSpace, as view: PageView, _ body: (MappedPage) -> Void
  ) {
    space.state.withLock { state in
      for number in state.mappings.overlapping(range) {
        let mapping = state.mappings[number]
        let part = mapping.range.intersection(range)
        if view == .basePages, mapping.isTransparent { splitEntries(in: part, of: space, &state) { settled($0).isLeaf } }
        walk.forEachLeaf(space.root, in: part, unit: mapping.leaf.size.bytes) { place, _ in
          let entry = settled(place)
          guard entry.isLeaf else { return }
          let leaf = leaf(place, mapping)
          body(
            MappedPage(
              address: place.address, size: leaf.size, frames: FrameRange(start: entry.frame, count: leaf.order.frames),
              isWritable: entry.has(.writable)))
        }
      }
    }
  }
}
