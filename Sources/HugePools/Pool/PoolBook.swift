import FrameMap
import MemoryUnits

/// What a pool knows of one node.
struct NodeBook: Sendable {
  let node: NodeID
  var total = PageCount.zero
  var free = PageCount.zero
  var surplus = PageCount.zero
  /// The first of the free pages, which link to each other.
  var first: FrameNumber?

  init(_ node: NodeID) { self.node = node }

  var persistent: PageCount { total - surplus }
}

/// The books of one size's pool. Guarded by the lock of the pools.
struct PoolBook: Sendable {
  let size: PageSize
  let order: Order
  /// The place of the pool among all pools; what pages remember.
  let index: Int
  var nodes: [NodeBook]
  var reserved = PageCount.zero
  var overcommit = PageCount.zero
  /// Whose turn it is to get a page, and to lose one: places in `nodes`.
  private var growing = 0
  private var shrinking = 0

  init(_ size: PageSize, _ order: Order, _ index: Int, _ nodes: [NodeID]) {
    self.size = size
    self.order = order
    self.index = index
    self.nodes = nodes.map { NodeBook($0) }
  }

  var total: PageCount { nodes.reduce(.zero) { $0 + $1.total } }
  var free: PageCount { nodes.reduce(.zero) { $0 + $1.free } }
  var surplus: PageCount { nodes.reduce(.zero) { $0 + $1.surplus } }
  var persistent: PageCount { nodes.reduce(.zero) { $0 + $1.persistent } }
  var available: PageCount { free - reserved }
  var inUse: PageCount { total - free }

  var counts: HugePoolCounts {
    HugePoolCounts(total: total, free: free, reserved: reserved, surplus: surplus, overcommit: overcommit)
  }

  /// The place of a node's book. Traps for a node that the pools were not told of.
  func place(of node: NodeID) -> Int {
    guard let place = nodes.firstIndex(where: { $0.node == node }) else { preconditionFailure("the pools do not know the node") }
    return place
  }

  // MARK: Turns

  /// The next node that may get a page.
  mutating func nextToGrow(_ isAllowed: (NodeBook) -> Bool) -> Int? { PoolBook.next(&growing, nodes, isAllowed) }

  /// The next node that may lose a page.
  mutating func nextToShrink(_ isAllowed: (NodeBook) -> Bool) -> Int? { PoolBook.next(&shrinking, nodes, isAllowed) }

  private static func next(_ turn: inout Int, _ nodes: [NodeBook], _ isAllowed: (NodeBook) -> Bool) -> Int? {
    for _ in nodes.indices {
      let place = turn
      turn = (turn + 1) % nodes.count
      if isAllowed(nodes[place]) { return place }
    }
    return nil
  }

  // MARK: Pages

  /// A page that joins the pool, free.
  mutating func addFree(_ page: PoolPage, to place: Int, _ table: FrameTable) {
    nodes[place].total += PageCount(1)
    push(page, to: place, table)
  }

  /// A page that nobody uses any more.
  mutating func push(_ page: PoolPage, to place: Int, _ table: FrameTable) {
    page.link(before: nodes[place].first, pool: index, table)
    nodes[place].first = page.frame
    nodes[place].free += PageCount(1)
  }

  /// The first free page of a node; it stays the pool's.
  mutating func pop(from place: Int, _ table: FrameTable) -> PoolPage? {
    guard let first = nodes[place].first else { return nil }
    let page = PoolPage(first, table)
    unlink(page, from: place, table)
    return page
  }

  /// Takes a free page off its list; it stays the pool's.
  mutating func unlink(_ page: PoolPage, from place: Int, _ table: FrameTable) {
    let (previous, next) = page.unlink(table)
    if previous == nil { nodes[place].first = next }
    nodes[place].free -= PageCount(1)
  }

  /// Takes a free page out of the pool; of a node that has surplus pages only, one of these.
  mutating func removeFree(_ page: PoolPage, from place: Int, _ table: FrameTable) {
    unlink(page, from: place, table)
    nodes[place].total -= PageCount(1)
    nodes[place].surplus = min(nodes[place].surplus, nodes[place].total)
    page.forget()
  }

  /// Takes a free surplus page out of the pool, by turns; nil where no node has any, or all are reserved.
  mutating func removeSurplus(_ table: FrameTable) -> PoolPage? {
    guard available > .zero, let place = nextToShrink({ $0.surplus > .zero && $0.free > .zero }),
      let first = nodes[place].first
    else { return nil }
    let page = PoolPage(first, table)
    nodes[place].surplus -= PageCount(1)
    removeFree(page, from: place, table)
    return page
  }

  /// Takes a free page of the set size out of the pool, by turns.
  mutating func removePersistent(_ isAllowed: (NodeBook) -> Bool, _ table: FrameTable) -> PoolPage? {
    guard available > .zero, let place = nextToShrink({ isAllowed($0) && $0.persistent > .zero && $0.free > .zero }),
      let first = nodes[place].first
    else { return nil }
    let page = PoolPage(first, table)
    removeFree(page, from: place, table)
    return page
  }
}
