public import FrameAllocator
import FrameMap
public import MemoryUnits

extension MemoryHotplug {
  /// Puts a free frame aside whose memory failed: nobody gets it any more, offline leaves it alone, and online passes it over. Removing
  /// its memory forgets it.
  ///
  /// - Throws: `.notFree` where it is in use, put aside already, or nobody's.
  /// - Complexity: O(processors + failed frames). Threads: any. Linux: `memory_failure` on a free page.
  public borrowing func poison(_ frame: FrameNumber, zones: borrowing ZoneSet) throws(HotplugError) {
    try state.withLock { (state) throws(HotplugError) in
      let range = FrameRange(start: frame, count: FrameCount(1))
      guard let index = zones.zone(of: frame), (try? zones[index].claim(range)) != nil else { throw .notFree(frame) }
      // The frame is the caller's, so that its descriptor stays.
      if let descriptor = unsafe zones.table.descriptor(frame) { unsafe _ = descriptor.pointee.insert(.poisoned) }
      state.poisoned.insert(frame, at: state.poisoned.firstIndex { $0 > frame } ?? state.poisoned.count)
    }
  }
}
