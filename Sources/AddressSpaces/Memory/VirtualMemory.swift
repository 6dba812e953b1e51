public import FrameAllocator
public import FrameContents
import FrameMap
public import HugePools
import MemoryUnits
import Mobility
import PhysicalLayout
import Synchronization

/// The memory of a machine as address spaces use it: its zones, its huge pools, its page tables.
///
/// Everything that is done to a space is done through it. What a call needs of the machine it borrows from here, and names the processor
/// that it runs on, as the zones ask.
///
/// **Threads.** Any, one at a time for each processor named. Operations on one space wait for each other; pins by the fast way wait for
/// nobody. ``checkInvariants()`` only while nobody else is at work.
///
/// Linux: `mm/memory.c`, `mm/mmap.c`, `mm/hugetlb.c`, `mm/gup.c` as seen by system calls.
public struct VirtualMemory<Mover: ContentMover>: ~Copyable, Sendable {
  let store: MemoryStore
  public let shape: TableShape
  /// Where the frames' bytes are; nil for a machine that is metadata only.
  public let contents: DirectMap?
  let walk: TableWalk
  let books: Books
  let barrier: @Sendable () -> Void
  let pause: @Sendable () -> Void
  let release: @Sendable () -> Void

  /// - Parameters:
  ///   - tables: where the words of page tables are: the machine's contents, or, for a machine that is metadata only, memory lent for all
  ///     frames, which is touched only where tables are.
  ///   - barrier: see ``MemmapStorage/barrier()``.
  ///   - pause: lets others run.
  ///   - release: called when the memory goes, and does not use `tables` any more.
  public init(
    zones: consuming ZoneSet, pools: consuming HugePools, shape: TableShape, contents: DirectMap?, tables: DirectMap,
    barrier: @escaping @Sendable () -> Void, pause: @escaping @Sendable () -> Void,
    release: @escaping @Sendable () -> Void = {}
  ) {
    walk = TableWalk(shape: shape, frames: zones.table, words: tables, pause: pause)
    store = MemoryStore(zones: zones, pools: pools)
    self.shape = shape
    self.contents = contents
    self.barrier = barrier
    self.pause = pause
    self.release = release
    books = Books(pause: pause)
  }

  deinit { release() }

  public var zones: ZoneSet {
    _read { yield store.zones }
  }

  public var pools: HugePools {
    _read { yield store.pools }
  }

  /// What moving folios needs; spaces are their owner.
  ///
  /// - Parameter held: spaces whose locks the caller holds.
  func migration(on cpu: CPUIndex, holding held: [HeldSpace] = []) -> MigrationContext<SpaceOwner, Mover> {
    MigrationContext(
      owner: SpaceOwner(walk: walk, books: books, store: store, held: held), contents: contents, mover: Mover.self, cpu: cpu)
  }

  /// What moves folios of address spaces, for contiguous ranges, compaction and offline.
  public var owner: SpaceOwner { SpaceOwner(walk: walk, books: books, store: store, held: []) }

  func descriptor(_ frame: FrameNumber) -> DescriptorPointer {
    // Only frames that tables or objects lead to are asked for; these are folios of the zones.
    guard let descriptor = unsafe zones.table.descriptor(frame) else { preconditionFailure("a page without descriptor") }
    return unsafe descriptor
  }

  /// Gives references back; the last one frees the folio, to its pool or to its zone.
  ///
  /// - Returns: whether it was the last.
  @discardableResult func put(
    _ head: FrameNumber, _ counts: FrameCounts = .references(1), restoringReservation: Bool = false, on cpu: CPUIndex
  ) -> Bool {
    let descriptor = unsafe descriptor(head)
    // Read before the reference goes: afterwards the folio may be another's.
    let kind = unsafe descriptor.pointee.shape.kind
    guard unsafe descriptor.pointee.give(counts) else { return false }
    free(head, kind, restoringReservation, on: cpu)
    return true
  }

  func free(_ head: FrameNumber, _ kind: FrameKind, _ restoresReservation: Bool, on cpu: CPUIndex) {
    if kind == .hugePool {
      pools.putBack(head, restoringReservation: restoresReservation, zones: zones, on: cpu)
    } else {
      zones.freeFrozen(head, on: cpu)
    }
  }

  /// The entry once nobody moves what it maps.
  func settled(_ place: EntryPlace) -> PageEntry {
    var entry = walk.load(place)
    while entry.isMoving {
      pause()
      entry = walk.load(place)
    }
    return entry
  }
}

/// Zones and pools, where owners of folios find them too, which are copied.
final class MemoryStore: Sendable {
  let zones: ZoneSet
  let pools: HugePools

  init(zones: consuming ZoneSet, pools: consuming HugePools) {
    self.zones = zones
    self.pools = pools
  }
}
