import FrameAllocator
public import MemoryUnits

/// Pools of huge and gigantic pages: one for each size, with counters for each node.
///
/// A free page is a folio of kind `hugePool` whose counts are frozen at zero, so that nobody takes a reference to it. A page in use
/// has its users' references; who gives the last one calls ``putBack(_:restoringReservation:zones:on:)``, or leaves that to
/// ``FrameAllocator/ZoneSet/put(_:on:)``, which keeps the page for the pools' next step.
///
/// All that a pool knows is behind one lock, held for counting and lists only. Whatever may take long - allocating, moving, splitting,
/// giving back - is done outside; then what was seen is looked at again, and what is too much is given back.
///
/// **Threads.** Any, one at a time for each processor named. Contiguous ranges are looked for by one caller at a time; others wait, so
/// an owner must not wait in `detach` for somebody who may ask a pool for a page.
///
/// Linux: `struct hstate`s with `hugetlb_lock`.
public struct HugePools: ~Copyable, Sendable {
  public let sizes: [PageSize]
  public let nodes: [NodeID]
  public let policy: HugePoolPolicy
  let books: Guarded<[PoolBook]>
  /// Held by who looks for contiguous ranges, which one may do at a time; ranges taken so far.
  let turn: Guarded<UInt64>
  /// For each node the areas that gigantic pages come from first.
  let areas: Guarded<[PoolArea]>
  let pause: @Sendable () -> Void

  /// - Parameters:
  ///   - sizes: each larger than a base page, no two alike. The place of a size in it is written down at each page.
  ///   - nodes: every node that pages may lie on; turns go in this order.
  ///   - pause: called between two looks at a lock that is taken.
  public init(
    sizes: [PageSize], baseShift: PageShift, nodes: [NodeID], policy: HugePoolPolicy = HugePoolPolicy(),
    pause: @escaping @Sendable () -> Void
  ) {
    precondition(!nodes.isEmpty, "pools need a node")
    var pools: [PoolBook] = []
    for size in sizes {
      let order = size.order(baseShift: baseShift)
      precondition(order > Order(0), "a huge page is larger than a base page")
      precondition(!pools.contains { $0.size == size }, "two pools of one size")
      pools.append(PoolBook(size, order, pools.count, nodes))
    }
    self.sizes = sizes
    self.nodes = nodes
    self.policy = policy
    self.pause = pause
    books = Guarded(pools, pause: pause)
    turn = Guarded(0, pause: pause)
    areas = Guarded([], pause: pause)
  }

  // MARK: Counters

  /// The counters of a pool. Traps where there is none of that size.
  ///
  /// - Complexity: O(nodes). Threads: any; all from one moment.
  public borrowing func counts(_ size: PageSize) -> HugePoolCounts { withBook(place(of: size)) { $0.counts } }

  /// The counters of a pool on one node. Traps where there is no such pool or node.
  public borrowing func counts(_ size: PageSize, on node: NodeID) -> HugePoolNodeCounts {
    withBook(place(of: size)) { book in
      let node = book.nodes[book.place(of: node)]
      return HugePoolNodeCounts(total: node.total, free: node.free, surplus: node.surplus)
    }
  }

  /// Sets how many surplus pages there may be. Pages that are surplus already stay. Traps where there is no such pool.
  ///
  /// Linux: writing `nr_overcommit_hugepages`.
  public borrowing func setOvercommit(_ size: PageSize, to count: PageCount) {
    withBook(place(of: size)) { $0.overcommit = count }
  }

  // MARK: Rooms

  borrowing func withBook<Result: ~Copyable, Failure: Error>(
    _ pool: Int, _ body: (inout PoolBook) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    try books.withLock { (books) throws(Failure) in try body(&books[pool]) }
  }

  func place(of size: PageSize) -> Int {
    guard let place = sizes.firstIndex(of: size) else { preconditionFailure("there is no pool of that size") }
    return place
  }

  func checkedPlace(of size: PageSize) throws(HugePoolError) -> Int {
    guard let place = sizes.firstIndex(of: size) else { throw .noSuchSize(size) }
    return place
  }
}

/// A contiguous area that a pool takes its pages from first.
struct PoolArea: Sendable {
  let range: FrameRange
  let node: NodeID
}
