public import MemoryUnits
import Synchronization

/// The free frames of one zone; see ``FreeTreeCore``.
public typealias FreeTree = FreeTreeCore<Unobserved>

/// The free frames of one zone, as a radix-512 tree of bitmaps.
///
/// A leaf is 512 frames in one cache line. A node above it holds for its 512 children which are *wholly free* and which *have
/// free* frames below. A block of order 0 to 8 is a run of bits in a leaf, 9 to 17 in the level above, and so on up to the
/// whole zone, by the same code; neighbours coalesce by being bits next to each other, and a node whose 512 children are free
/// becomes one bit of its parent.
///
/// **State.** Storage of zeros is a zone of which nothing is free; ``release(_:)`` gives it the frames that are. Below a child
/// that is wholly free or wholly held all nodes are zero, so that they may be memory that nobody has touched: making a zone
/// costs in proportion to its pieces, not to its size.
///
/// **Threads.** All methods may be called from any number of threads, without locks, except ``checkInvariants()`` and the
/// counts, which are exact only while nobody else is in the tree. See ``NodeView`` for the order of count and bits. A request
/// that finds nothing while memory is on its way between two levels tries again; it does not report exhaustion.
///
/// **What it cannot see.** The tree knows free from held, not who holds what: a free of held frames that were allocated as part
/// of some other block is taken (splitting a block relies on it). Head bits, a layer above, know blocks.
///
/// Linux: `struct free_area[]` of a zone with `zone->lock`. Here there is no top order and no lock, no list to link, and the
/// frames themselves are never touched.
@safe @frozen public struct FreeTreeCore<Observer: TreeObserver>: ~Copyable, @unchecked Sendable {
  // Unchecked, because of the pointers: all they lead to is atomic, or unchanged since `init`.

  /// The frames that the tree can hold.
  public let zone: FrameRange
  /// Told of every place where a race may happen.
  public let observer: Observer
  /// The level of the topmost nodes, of which there are one or two. No block covers one of them.
  @usableFromInline let top: Int
  /// One entry a level. Written by `init` only.
  @usableFromInline let levels: UnsafeMutablePointer<TreeLevel>
  /// Memory between two levels: in the low half how many moves are under way, in the high half how many have ended. Partner:
  /// the counts of the nodes it moves between.
  @usableFromInline let motion: UnsafeMutablePointer<Atomic<UInt64>>

  /// Lays out the tree of `zone` in `storage`; nothing is free yet.
  ///
  /// - Parameter storage: at least ``storageBytes(for:)``, aligned to 64 bytes, all zero, and at this address until the last
  ///   use of the tree. Its owner frees it.
  /// - Complexity: O(levels); touches one page.
  public init(zone: FrameRange, storage: UnsafeMutableRawBufferPointer, observer: Observer) {
    let shape = TreeShape(frames: zone.count)
    precondition(UInt64(storage.count) >= shape.bytes.rawValue, "storage is too small for the zone")
    guard let base = storage.baseAddress else { preconditionFailure("storage has no address") }
    precondition(UInt(bitPattern: base) & 63 == 0, "storage is not aligned to 64 bytes")
    precondition(zone.end.rawValue <= 1 << 62, "zone ends beyond frame 2^62")
    self.zone = zone
    self.observer = observer
    top = shape.top
    // The first line is the motion word, the next ones the table; `shape` counted both into `bytes`.
    unsafe motion = base.bindMemory(to: Atomic<UInt64>.self, capacity: 1)
    unsafe levels = (base + 64).bindMemory(to: TreeLevel.self, capacity: shape.top + 1)
    var place = unsafe base + Int(TreeShape.headerBytes)
    for level in 0...shape.top {
      let first = TreeNode(level: level, covering: zone.start.rawValue).number
      let last = TreeNode(level: level, covering: zone.isEmpty ? zone.start.rawValue : zone.end.rawValue - 1).number
      let room = Int(shape.nodes(level))
      // Zeroed memory is a valid Atomic of zero, and `room` nodes of each part were counted into `bytes`.
      let counts = unsafe place
      unsafe place += Int(shape.countBytes(level))
      let free = unsafe place.bindMemory(to: Atomic<UInt64>.self, capacity: room * 8)
      unsafe place += room * 64
      let partial = level == 0 ? unsafe free : unsafe place.bindMemory(to: Atomic<UInt64>.self, capacity: room * 8)
      if level > 0 { unsafe place += room * 64 }
      let dryBytes = room * Int(shape.dryBytes(level))
      let dry = dryBytes == 0 ? nil : unsafe place.bindMemory(to: Atomic<UInt64>.self, capacity: dryBytes / 8)
      unsafe place += dryBytes
      unsafe (levels + level).initialize(
        to: TreeLevel(
          free: free, partial: partial, counts: counts, countShift: level == 0 ? 1 : 6, dry: dry, first: first,
          nodes: last - first + 1))
    }
  }

  /// The bytes of storage that a tree over `frames` frames needs, wherever they start: a little over one bit a frame.
  public static func storageBytes(for frames: FrameCount) -> ByteCount { TreeShape(frames: frames).bytes }

  /// The highest order of which a block could lie in the zone, by its size alone.
  public var highestOrder: Order {
    Order(UInt8(truncatingIfNeeded: 63 - max(zone.count.rawValue, 1).leadingZeroBitCount))
  }

  @inlinable @inline(__always) func view(_ node: TreeNode) -> NodeView {
    // Levels run from 0 to `top`, and every node that is asked for has one of them.
    unsafe levels[node.level].view(node)
  }

  /// Called before memory leaves one level for another.
  @inlinable func beginMotion() { unsafe motion.pointee.wrappingAdd(1, ordering: .sequentiallyConsistent) }
  /// Called once it can be found again.
  @inlinable func endMotion() { unsafe motion.pointee.wrappingAdd((1 << 32) - 1, ordering: .sequentiallyConsistent) }
  @inlinable var motionNow: UInt64 { unsafe motion.pointee.load(ordering: .sequentiallyConsistent) }
}

extension FreeTreeCore where Observer == Unobserved {
  /// Lays out the tree of `zone` in `storage`, unobserved. See ``init(zone:storage:observer:)``.
  public init(zone: FrameRange, storage: UnsafeMutableRawBufferPointer) {
    unsafe self.init(zone: zone, storage: storage, observer: Unobserved())
  }
}

/// Why the tree refused; it is unchanged then.
@frozen public enum FreeTreeError: Error, Hashable, Sendable {
  /// A frame of the request lies outside the zone.
  case outsideZone
  /// The block does not start at a multiple of its size.
  case misaligned
  /// A frame that is to become free is free.
  case alreadyFree
  /// A frame that is to be claimed is not free.
  case notFree
}

/// How many nodes a tree has, for any place of its zone.
struct TreeShape {
  let frames: UInt64
  let top: Int

  init(frames: FrameCount) {
    precondition(frames.rawValue < 1 << 62, "zone has 2^62 frames or more")
    self.frames = frames.rawValue
    var top = 0
    while frames.rawValue >> UInt64(9 * (top + 1)) != 0 { top += 1 }
    self.top = top
  }

  /// A line for the motion word and one for each of at most seven levels.
  static var headerBytes: UInt64 { 8 * 64 }

  /// The most nodes of a level that the zone can touch: one more than it fills, for a start in the middle of one.
  func nodes(_ level: Int) -> UInt64 {
    let shift = UInt64(9 * (level + 1))
    let rest = frames & ((1 << shift) - 1)
    return frames >> shift + (rest > 1 ? 2 : 1)
  }
  /// What a node of the level takes for notes of its children: see ``TreeLevel/dry``.
  func dryBytes(_ level: Int) -> UInt64 {
    switch level {
    // A zone of few leaves does without: its leaves' counts are a line or two.
    case 1: frames >= 1 << 17 ? 8 * 64 : 0
    case 2: UInt64(NotePlace.lines) * 64
    default: 0
    }
  }
  func countBytes(_ level: Int) -> UInt64 { level == 0 ? (nodes(0) * 2 + 63) & ~63 : nodes(level) * 64 }

  var bytes: ByteCount {
    var sum = Self.headerBytes
    for level in 0...top {
      sum += countBytes(level) + nodes(level) * ((level == 0 ? 64 : 128) + dryBytes(level))
    }
    return ByteCount(rawValue: sum)
  }
}
