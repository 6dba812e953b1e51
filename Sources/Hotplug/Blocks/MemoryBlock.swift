public import FrameAllocator
public import FrameMap
public import MemoryUnits

/// A unit of online and offline that was added, or that left what the machine booted with.
///
/// Linux: `struct memory_block`.
public struct MemoryBlock: Hashable, Sendable {
  public enum State: Hashable, Sendable {
    case offline
    case online(ZoneIndex)
    /// Removed, but for its first frames, which hold descriptors of blocks that are still there.
    case holdingMemmap
    /// Device memory: it has descriptors, and no zone.
    case device
  }

  /// Where the block's own descriptors are.
  public enum Home: Hashable, Sendable {
    /// Lent by whoever made the machine; no frame of the machine stands for them.
    case lent
    /// In frames of the machine.
    case folios([FolioPlace])
    /// In its own first frames.
    case own
    /// In the first frames of the range that it was added with.
    case shared(HostNumber)

    /// Frames of the machine that are the block's alone, outside of the range that it was added with.
    var frames: [FrameRange] {
      guard case .folios(let folios) = self else { return [] }
      return folios.map { $0.frames }
    }
  }

  public let range: FrameRange
  public let node: NodeID
  public let home: Home
  /// How many of its first frames hold descriptors, its own or others'.
  public let memmapFrames: FrameCount
  public internal(set) var state: State

  /// The units that a block's first `count` frames touch.
  static func units(of count: FrameCount, in range: FrameRange, _ unit: FrameCount) -> FrameRange {
    FrameRange(start: range.start, count: count.aligned(to: unit, .up))
  }

  /// What zones may have of it.
  public var usable: FrameRange { FrameRange(start: range.start + memmapFrames, end: range.end) }
}

/// The number of a memmap that blocks share; never used twice.
@frozen public struct HostNumber: Comparable, Hashable, Sendable, CustomStringConvertible {
  public let rawValue: UInt64
  @inlinable public init(_ rawValue: UInt64) { self.rawValue = rawValue }
  @inlinable public static func < (left: HostNumber, right: HostNumber) -> Bool { left.rawValue < right.rawValue }
  public var description: String { String(rawValue) }
}

/// Descriptors of a range of blocks, in its first frames.
public struct SharedMemmap: Hashable, Sendable {
  public let number: HostNumber
  public let frames: FrameRange
  /// Blocks whose descriptors are here. With the last of them the frames go.
  public internal(set) var users: BlockTally

  public init(number: HostNumber, frames: FrameRange, users: BlockTally) {
    self.number = number
    self.frames = frames
    self.users = users
  }
}

/// An amount of memory blocks.
@frozen public struct BlockTally: Amount {
  public let rawValue: UInt64
  @inlinable public init(rawValue: UInt64) { self.rawValue = rawValue }
  public var description: String { String(rawValue) }
}
