import FrameMap
import MemoryUnits

/// Where frames for descriptors come from and go back to: a boot allocator, later the allocator of frames, or the first
/// frames of memory that is being added. The machine's maker supplies it.
///
/// Calls come from whoever makes or changes a map, one at a time, and must not change that map.
public protocol MemmapFrameSource: Sendable {
  /// Takes `size` bytes of frames that nobody uses.
  ///
  /// - Parameters:
  ///   - size: a multiple of `granule`.
  ///   - granule: each range consists of whole multiples of it.
  ///   - described: what the descriptors will describe, which is where they are best near to.
  /// - Returns: ranges of memory of the arena, apart from each other, in any order, that are `size` bytes together. The fewer
  ///   the better: each takes a mapping of the process.
  /// - Throws: `.noMemory(size)`; nothing was taken then.
  func takeFrames(
    _ size: ByteCount, granule: ByteCount, describing described: FrameRange
  ) throws(MemmapStorageError) -> [PhysicalRange]

  /// Takes back a range that was given, or part of one. It reads as zero.
  func giveBack(_ range: PhysicalRange)
}
