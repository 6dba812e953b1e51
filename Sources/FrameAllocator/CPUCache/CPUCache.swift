public import MemoryUnits
public import FrameMap
import Synchronization

/// Single frames, cached for each processor over a ``FreeTree``; see ``CPUCacheCore``.
public typealias CPUCache = CPUCacheCore<Unobserved>

/// Single frames, cached for each processor and mobility, over a free tree.
///
/// A cell keeps two words of at most 64 frames. Allocation takes from the *open* word, which was claimed from the tree with one
/// atomic operation on its bits; a free goes back into the open word, or into the *returned* word where that is its own, or
/// becomes the new returned word after the old one went back to its leaf. An open word that is used up is replaced by the
/// returned one, and only then by one from the tree. So frames that are freed in order, or soon allocated again, cost no atomic
/// operation, and any other free costs that of one earlier frame.
///
/// **Threads.** Callers name a processor's index, and use one index from one thread at a time; a thread may change its index
/// between calls. On bare metal: with interrupts off, or with no allocation in interrupts. Cells are used without locked
/// instructions: see ``CacheCell/enter()``.
///
/// **Frames in a cache are held**, as the tree sees it: ``drain()`` gives them back, as does an allocation that finds nothing.
///
/// **Double frees** are refused where the frame is free in the tree or lies in the caller's own cell. A frame that another
/// processor's cell keeps looks held and cannot be told; freed again, it may be handed out twice. The head bits of the layer
/// above decide who frees.
///
/// Linux: `struct per_cpu_pages`. There each processor holds lists of up to thousands of frames and a lock; here two words.
@safe @frozen public struct CPUCacheCore<Observer: TreeObserver>: ~Copyable, @unchecked Sendable {
  // Unchecked, because of the pointer: all it leads to is atomic.

  /// The tree below. Blocks of other orders come from it; frames that are cached here are held there.
  public let tree: FreeTreeCore<Observer>
  /// How many processors may be named.
  public let cpus: UInt32
  /// Makes every processor that runs in a cell have done all its earlier stores before it does its next load.
  let barrier: @Sendable () -> Void
  /// Its first word is the drainers' lock, its second the gauge. From its second line on there are five lines a processor: a cell
  /// for each mobility, and one for what the gauge does not know yet.
  @usableFromInline let base: UnsafeMutablePointer<Atomic<UInt64>>

  /// Lays out empty caches for `cpus` processors in `storage`, over `tree`.
  ///
  /// - Parameters:
  ///   - storage: at least ``storageBytes(cpus:)``, aligned to 64 bytes, all zero, at this address until the last use.
  ///   - barrier: returns when every processor has executed a full memory barrier since the call (hosted: `membarrier`; on
  ///     bare metal an interrupt to all). Called by drains only.
  public init(
    tree: consuming FreeTreeCore<Observer>, cpus: UInt32, storage: UnsafeMutableRawBufferPointer,
    barrier: @escaping @Sendable () -> Void
  ) {
    precondition(cpus > 0, "a cache needs a processor")
    precondition(UInt64(storage.count) >= Self.storageBytes(cpus: cpus).rawValue, "storage is too small")
    guard let base = storage.baseAddress else { preconditionFailure("storage has no address") }
    precondition(UInt(bitPattern: base) & 63 == 0, "storage is not aligned to 64 bytes")
    self.tree = tree
    self.cpus = cpus
    self.barrier = barrier
    // Zeroed memory is a valid Atomic of zero, and an empty cell.
    unsafe self.base = base.bindMemory(to: Atomic<UInt64>.self, capacity: Int(Self.storageBytes(cpus: cpus).rawValue) / 8)
  }

  /// The bytes of storage for the caches of `cpus` processors.
  public static func storageBytes(cpus: UInt32) -> ByteCount { ByteCount(rawValue: (UInt64(cpus) * 5 + 1) * 64) }

  @inlinable @inline(__always) func cell(_ cpu: CPUIndex, _ mobility: FrameMobility) -> CacheCell {
    precondition(cpu.rawValue < cpus, "no such processor")
    // Below `cpus`, for which the storage was laid out, four cells and a line for the gauge each.
    let index = Int(truncatingIfNeeded: cpu.rawValue) &* 5 &+ Int(truncatingIfNeeded: mobility.rawValue)
    return unsafe CacheCell(base + 8 + index &* 8)
  }

  /// Takes a frame. Where the tree has none left, drains all caches first.
  ///
  /// - Returns: nil where no frame is free, cached ones included.
  /// - Complexity: O(1), and once every 64 frames that of ``FreeTreeCore/allocate(_:from:)``.
  ///
  /// Threads: any, one at a time for each `cpu`. Linux: `rmqueue_pcplist`.
  @inlinable @inline(__always)
  public borrowing func allocate(_ mobility: FrameMobility, on cpu: CPUIndex) -> FrameNumber? {
    takeCached(mobility, on: cpu) ?? allocateSlowly(mobility, on: cpu)
  }

  /// A frame of the processor's open word, or nil where that is used up.
  @inlinable @inline(__always)
  borrowing func takeCached(_ mobility: FrameMobility, on cpu: CPUIndex) -> FrameNumber? {
    let cell = cell(cpu, mobility)
    guard _fastPath(cell.enter()) else { return nil }
    defer { cell.leave() }
    let open = cell.open
    guard _fastPath(open.bits != 0) else { return nil }
    cell.store(3, open.bits & (open.bits &- 1))
    return FrameNumber(rawValue: open.number &<< 6 | UInt64(truncatingIfNeeded: open.bits.trailingZeroBitCount))
  }

  /// Gives a frame back, under the mobility that it was allocated with (any is right, its own is best).
  ///
  /// - Throws: ``FreeTreeError/outsideZone``, or ``FreeTreeError/alreadyFree`` where the frame is free in the tree or in the
  ///   caller's own cell; see the type for what goes unseen.
  /// - Complexity: O(1), or O(levels) where a leaf becomes wholly free.
  ///
  /// Threads: any, one at a time for each `cpu`. Linux: `free_unref_page`.
  @inlinable @inline(__always)
  public borrowing func free(_ frame: FrameNumber, _ mobility: FrameMobility, on cpu: CPUIndex) throws(FreeTreeError) {
    guard tree.zone.contains(frame) else { throw .outsideZone }
    let cell = cell(cpu, mobility)
    let number = frame.rawValue &>> 6
    let bit = UInt64(1) &<< (frame.rawValue & 63)
    if _fastPath(cell.enter()) {
      defer { cell.leave() }
      let open = cell.open
      if number == open.number && open.bits != 0 {
        // Some of the word's frames are held, so that none of its ancestors is wholly free and the leaf tells.
        if (open.bits | tree.leafWord(number)) & bit != 0 { throw .alreadyFree }
        cell.store(3, open.bits | bit)
        return
      }
      let returned = cell.returned
      if number == returned.number && returned.bits != 0 {
        if (returned.bits | tree.leafWord(number)) & bit != 0 { throw .alreadyFree }
        cell.store(5, returned.bits | bit)
        return
      }
    }
    try freeSlowly(frame, mobility, on: cpu)
  }
}
