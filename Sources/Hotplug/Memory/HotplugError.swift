public import FrameMap
public import HugePools
public import MemoryUnits
public import Mobility

/// Why memory did not come or go. Everything is as before then, though movable folios may lie elsewhere.
public enum HotplugError: Error, Hashable, Sendable {
  /// The machine was made without room for memory that comes later.
  case notPluggable
  /// Not whole memory blocks, or none.
  case misaligned(FrameRange, unit: FrameCount)
  /// The frame has a descriptor already: it is memory, or holds descriptors of memory that is there.
  case overlaps(FrameNumber)
  /// Above what the machine was made for.
  case beyondLimit(FrameRange, limit: FrameNumber)
  case noSuchNode(NodeID)
  /// The model's descriptors are laid out once and for all.
  case modelIsFixed(MemoryModel)
  /// Descriptors cannot lie in memory that is reached only once it is online.
  case notAccessibleBeforeOnline(FrameRange)
  /// A block's descriptors do not fill whole frames, so that two blocks would share one.
  case memmapNotWhole(ByteCount)
  /// The machine has not as many free frames as the descriptors take.
  case noRoomForMemmap(wanted: FrameCount, missing: FrameCount)
  /// No memory block starts at the frame.
  case noSuchBlock(FrameNumber)
  /// A part of the range is no memory.
  case hasHoles(FrameRange, first: FrameNumber)
  /// The range belongs to several zones, of one node.
  case mixedZones(FrameRange)
  case mixedNodes(FrameRange)
  /// A block of the range is online already.
  case alreadyOnline(FrameRange)
  /// A block of the range is not online.
  case notOnline(FrameRange)
  /// Device memory is never online.
  case isDevice(FrameRange)
  /// The node has no zone for it.
  case noZone(NodeID)
  case vetoed(by: ListenerNumber)
  /// The range could not be emptied.
  case busy(FrameRange, Obstacles)
  /// Free pages of a huge pool lie in the range that the pool has promised, and that find no other place.
  case promised(HugePoolError)
  /// The caller did not want to go on.
  case cancelled(moved: FrameCount)
  /// No storage for descriptors or tables.
  case storage(MemmapStorageError)
  /// The frame is not free, so that it cannot be put aside.
  case notFree(FrameNumber)
}

extension HotplugError {
  init(_ error: FrameMapError, _ range: FrameRange) {
    switch error {
    case .storage(let error): self = .storage(error)
    case .alreadyPresent(let frame): self = .overlaps(frame)
    case .notPresent(let frame): self = .noSuchBlock(frame)
    case .modelIsFixed(let model): self = .modelIsFixed(model)
    case .misaligned(let range, let unit): self = .misaligned(range, unit: unit)
    case .beyondLimit(let limit): self = .beyondLimit(range, limit: limit)
    case .overlappingMemory(let frame): self = .overlaps(frame)
    case .unitsOutOfRange, .noMemory: preconditionFailure("a map that exists was refused its own units")
    }
  }
}
