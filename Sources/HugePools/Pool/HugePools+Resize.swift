public import FrameAllocator
import FrameContents
import FrameMap
public import MemoryUnits
public import Mobility
import PhysicalLayout

extension HugePools {
  /// Sets the size of a pool. Traps where there is none of that size.
  ///
  /// Growing: surplus pages become pages of the set size first. New ones come from the nodes by turns, which go on from call to call; a
  /// node that has none is passed over, so that others make up for it, and the end is when all have none.
  ///
  /// Shrinking: free pages that nobody was promised leave the pool, by turns. What is in use or promised beyond the size becomes
  /// surplus, and leaves when it comes back.
  ///
  /// - Parameters:
  ///   - count: for all nodes together, surplus pages not counted.
  ///   - nodes: where pages may come from and go; nil for all.
  ///   - shouldGoOn: asked before each new page.
  /// - Returns: the size that was reached, without surplus pages.
  /// - Complexity: O(pages that come and go), and that of finding each. Linux: writing `nr_hugepages`, `set_max_huge_pages`.
  @discardableResult public borrowing func setSize<Owner, Mover>(
    _ size: PageSize, to count: PageCount, on nodes: [NodeID]? = nil, zones: borrowing ZoneSet,
    with context: MigrationContext<Owner, Mover>, shouldGoOn: () -> Bool = { true }
  ) -> PageCount {
    let pool = place(of: size)
    resize(pool, to: count, on: nodes, zones, context, shouldGoOn)
    return withBook(pool) { $0.persistent }
  }

  /// Sets the size of a pool on one node, and leaves the other nodes' pages as they are. Traps where there is no such pool or node.
  ///
  /// - Parameter count: surplus pages not counted.
  /// - Returns: what was reached on the node.
  /// - Complexity: as for all nodes. Linux: writing a node's own `nr_hugepages`.
  @discardableResult public borrowing func setSize<Owner, Mover>(
    _ size: PageSize, to count: PageCount, on node: NodeID, zones: borrowing ZoneSet,
    with context: MigrationContext<Owner, Mover>, shouldGoOn: () -> Bool = { true }
  ) -> PageCount {
    let pool = place(of: size)
    collect(zones, on: context.cpu)
    let whole = withBook(pool) { book in
      // A number that is out of reach stays so.
      let others = book.persistent - book.nodes[book.place(of: node)].persistent
      return count > PageCount(.max) - others ? PageCount(.max) : count + others
    }
    resize(pool, to: whole, on: [node], zones, context, shouldGoOn)
    return withBook(pool) { $0.nodes[$0.place(of: node)].persistent }
  }

  private borrowing func resize<Owner, Mover>(
    _ pool: Int, to count: PageCount, on nodes: [NodeID]?, _ zones: borrowing ZoneSet, _ context: MigrationContext<Owner, Mover>,
    _ shouldGoOn: () -> Bool
  ) {
    collect(zones, on: context.cpu)
    keepParked(zones)
    func isAllowed(_ node: NodeBook) -> Bool { nodes?.contains(node.node) ?? true }
    withBook(pool) { book in
      while count > book.persistent, let place = book.nextToGrow({ isAllowed($0) && $0.surplus > .zero }) {
        book.nodes[place].surplus -= PageCount(1)
      }
    }
    grow(pool, to: count, isAllowed, zones, context, shouldGoOn)
    shrink(pool, to: count, isAllowed, zones, on: context.cpu)
    withBook(pool) { book in
      while count < book.persistent, let place = book.nextToShrink({ isAllowed($0) && $0.persistent > .zero }) {
        book.nodes[place].surplus += PageCount(1)
      }
    }
  }

  private borrowing func grow<Owner, Mover>(
    _ pool: Int, to count: PageCount, _ isAllowed: (NodeBook) -> Bool, _ zones: borrowing ZoneSet,
    _ context: MigrationContext<Owner, Mover>, _ shouldGoOn: () -> Bool
  ) {
    let table = zones.table
    // A node that had no page will hardly have one a moment later.
    var exhausted: [NodeID] = []
    while true {
      let turn: (node: NodeID, size: PageSize, order: Order)? = withBook(pool) { book in
        guard count > book.persistent,
          let place = book.nextToGrow({ isAllowed($0) && !exhausted.contains($0.node) })
        else { return nil }
        return (book.nodes[place].node, book.size, book.order)
      }
      guard let turn, shouldGoOn() else { return }
      let source = PageSource(node: turn.node, only: [turn.node])
      guard let page = obtain(turn.size, turn.order, source, zones: zones, with: context, shouldGoOn: shouldGoOn) else {
        exhausted.append(turn.node)
        continue
      }
      let isKept = withBook(pool) { book in
        // Others may have set the size meanwhile.
        guard count > book.persistent else { return false }
        book.addFree(page, to: book.place(of: turn.node), table)
        return true
      }
      guard isKept else { return release(page, zones, on: context.cpu) }
    }
  }

  private borrowing func shrink(
    _ pool: Int, to count: PageCount, _ isAllowed: (NodeBook) -> Bool, _ zones: borrowing ZoneSet, on cpu: CPUIndex
  ) {
    let table = zones.table
    while true {
      let page: PoolPage? = withBook(pool) { book in
        guard max(count, book.reserved + book.inUse) < book.persistent else { return nil }
        return book.removePersistent(isAllowed, table)
      }
      guard let page else { return }
      release(page, zones, on: cpu)
    }
  }

  /// Takes a page that the boot set aside into the pool, as a free one. Traps where there is no such pool or node, and where the folio
  /// has another size or lies elsewhere.
  ///
  /// - Parameter folio: nobody else's.
  /// - Complexity: O(nodes). Linux: `gather_bootmem_prealloc`.
  public borrowing func adopt(_ folio: consuming Folio, _ size: PageSize, on node: NodeID, zones: borrowing ZoneSet) {
    let pool = place(of: size)
    let order = folio.order
    keepParked(zones)
    let page = PoolPage(zones.freeze(folio, as: .hugePool), zones.table)
    precondition(self.node(of: page, zones) == node, "a page was adopted on a node that it does not lie on")
    let table = zones.table
    withBook(pool) { book in
      precondition(book.order == order, "a page was adopted as one of another size")
      book.addFree(page, to: book.place(of: node), table)
    }
  }

  /// Gives back every free page that nobody was promised, of every pool. What is left is in use or promised.
  ///
  /// - Complexity: O(free pages).
  public borrowing func drain(zones: borrowing ZoneSet, on cpu: CPUIndex) {
    collect(zones, on: cpu)
    let table = zones.table
    for pool in sizes.indices {
      while let page = withBook(pool, { $0.removeSurplus(table) ?? $0.removePersistent({ _ in true }, table) }) {
        release(page, zones, on: cpu)
      }
    }
  }
}
