import FrameAllocator
public import MemoryUnits

/// A space of virtual addresses: page tables, and the mappings that say what its addresses mean.
///
/// It is made, used and destroyed through ``VirtualMemory``; a space that is dropped without that loses its frames.
///
/// **Threads.** Any. Operations on one space wait for each other; pinning by the fast way does not.
///
/// Linux: `struct mm_struct`.
public final class AddressSpace: Sendable {
  struct State: Sendable {
    var mappings = MappingList()
    /// Tables for entries that may have to be split.
    var deposits = TableDeposits()
    var isDestroyed = false
  }

  /// The table of the highest level.
  let root: FrameNumber
  /// Where its pages and tables are looked for first.
  public let node: NodeID
  /// Its lock is taken before those of objects, families and pools. Who holds one space's lock takes another's only by trying, except
  /// for a space that nobody else knows yet.
  let state: Guarded<State>
  init(root: FrameNumber, node: NodeID, pause: @escaping @Sendable () -> Void) {
    self.root = root
    self.node = node
    state = Guarded(State(), pause: pause)
  }
}
