import FrameAllocator
public import HugePools
public import MemoryUnits

/// Memory that mappings of several spaces can share: a file of pages that stay until they are cut off, or the object goes.
///
/// Of base pages it is shared memory; of a huge size its pages come from a pool. It is made and used through ``VirtualMemory``.
///
/// **Threads.** Any.
///
/// Linux: `struct address_space` of a `tmpfs` or `hugetlbfs` file.
public final class SharedObject: Sendable {
  public let pageSize: PageSize
  let number: OwnerNumber
  let leaf: TableShape.Leaf
  /// Limits what the object may take of its pool.
  public let subpool: Subpool?
  let state: Guarded<State>

  struct State: Sendable {
    var size: PageCount
    /// Heads, by page.
    var pages = PageSlots()
    /// Pages of a pool that are there, or that somebody reserved.
    var reservations = ReservationMap()
    var members = Members()
    /// Deleted; it goes when no mapping is left. Linux: an unlinked file.
    var isDeleted = false
  }

  init(_ number: OwnerNumber, leaf: TableShape.Leaf, size: PageCount, subpool: Subpool?, pause: @escaping @Sendable () -> Void) {
    self.number = number
    self.leaf = leaf
    pageSize = leaf.size
    self.subpool = subpool
    state = Guarded(State(size: size), pause: pause)
  }

  /// Pages that can be mapped and touched, there or not.
  public var size: PageCount { state.withLock { $0.size } }
  /// Pages that are there.
  public var resident: PageCount { state.withLock { $0.pages.count } }
}

/// The pages of an object: two levels, so that an object costs what is there of it.
struct PageSlots: Sendable {
  private var leaves: [[UInt64]] = []
  private(set) var count = PageCount.zero

  private static let perLeaf: UInt64 = 512

  private func place(_ index: PageIndex) -> (leaf: Int, slot: Int) {
    (Int(index.rawValue / Self.perLeaf), Int(index.rawValue % Self.perLeaf))
  }

  subscript(index: PageIndex) -> FrameNumber? {
    get {
      let (leaf, slot) = place(index)
      // Stored plus one, so that zero is nothing.
      guard leaf < leaves.count, !leaves[leaf].isEmpty, leaves[leaf][slot] != 0 else { return nil }
      return FrameNumber(leaves[leaf][slot] - 1)
    }
    set {
      let (leaf, slot) = place(index)
      while leaf >= leaves.count { leaves.append([]) }
      if leaves[leaf].isEmpty { leaves[leaf] = [UInt64](repeating: 0, count: Int(Self.perLeaf)) }
      if leaves[leaf][slot] != 0 { count -= PageCount(1) }
      if newValue != nil { count += PageCount(1) }
      leaves[leaf][slot] = newValue.map { $0.rawValue + 1 } ?? 0
    }
  }

  /// The first page that is there in `range`.
  func first(in range: UnitRange<PageIndex>) -> (index: PageIndex, head: FrameNumber)? {
    var index = range.start
    while index < range.end {
      let (leaf, slot) = place(index)
      guard leaf < leaves.count else { return nil }
      if leaves[leaf].isEmpty {
        index = PageIndex(UInt64(leaf + 1) * Self.perLeaf)
        continue
      }
      if leaves[leaf][slot] != 0 { return (index, FrameNumber(leaves[leaf][slot] - 1)) }
      index += PageCount(1)
    }
    return nil
  }
}
