import MemoryUnits

/// Why a frame map could not be made or changed. Nothing has changed then.
public enum FrameMapError: Error, Hashable, Sendable {
  /// Sections and subsections are powers of two, sections of 64 frames at least, and subsections no larger.
  case unitsOutOfRange
  /// No node has a frame of memory.
  case noMemory
  /// The frame belongs to two ranges of memory, or ranges are not in rising order.
  case overlappingMemory(FrameNumber)
  /// The frame lies at or above the map's limit.
  case beyondLimit(FrameNumber)
  /// Memory comes and goes in units of so many frames.
  case misaligned(FrameRange, unit: FrameCount)
  /// The frame has a descriptor already.
  case alreadyPresent(FrameNumber)
  /// The frame has no descriptor.
  case notPresent(FrameNumber)
  /// The model's descriptors are laid out once and for all.
  case modelIsFixed(MemoryModel)
  /// The provider of storage failed.
  case storage(MemmapStorageError)
}
