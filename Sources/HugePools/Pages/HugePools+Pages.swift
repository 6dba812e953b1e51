public import FrameAllocator
import FrameContents
import FrameMap
public import MemoryUnits
public import Mobility
import PhysicalLayout

extension HugePools {
  /// A page for a user, with one reference, the user's.
  ///
  /// Its head's private word and index are the user's. A page that ends up unused is given back by
  /// ``putBack(_:restoringReservation:zones:on:)``.
  ///
  /// - Parameters:
  ///   - reserved: whether the user has a reservation, which is used up. Without one the page must be free and promised to nobody, or
  ///     be had beyond the pool's size, within the overcommit limit.
  ///   - subpool: that of the reservation; without a reservation, whose pages it is to count as.
  /// - Throws: `.noSuchSize`, `.noPage`, `.subpoolFull`; all counters are as before.
  /// - Complexity: O(nodes) where a page is free, else that of finding one. Linux: `alloc_hugetlb_folio`.
  public borrowing func take<Owner, Mover>(
    _ size: PageSize, reserved: Bool, placement: HugePlacement, subpool: Subpool? = nil, zones: borrowing ZoneSet,
    with context: MigrationContext<Owner, Mover>
  ) throws(HugePoolError) -> Folio {
    let pool = try checkedPlace(of: size)
    collect(zones, on: context.cpu)
    // A page that the subpool kept in reserve for its users was promised by the pool.
    var promised = PageCount.zero
    if !reserved, let subpool { promised = try subpool.take(PageCount(1)) }
    let usesReservation = reserved || (subpool != nil && promised == .zero)
    let page: PoolPage
    do throws(HugePoolError) {
      page = try dequeue(pool, usesReservation, placement, zones, context)
    } catch {
      if !reserved, let subpool { unpromise(pool, subpool.undo(PageCount(1), promised: promised), zones, on: context.cpu) }
      throw error
    }
    page.keep(subpool)
    return zones[page.shape.zone].thaw(page.frame)
  }

  /// A page that was taken off the list, or that is new; it is in use.
  private borrowing func dequeue<Owner, Mover>(
    _ pool: Int, _ usesReservation: Bool, _ placement: HugePlacement, _ zones: borrowing ZoneSet,
    _ context: MigrationContext<Owner, Mover>
  ) throws(HugePoolError) -> PoolPage {
    let order = self.order(of: placement, zones)
    let table = zones.table
    let page: PoolPage? = withBook(pool) { book in
      precondition(!usesReservation || book.reserved > .zero, "a reservation was used that nobody made")
      guard usesReservation || book.available > .zero else { return nil }
      for node in order {
        guard let place = book.nodes.firstIndex(where: { $0.node == node }), let page = book.pop(from: place, table) else {
          continue
        }
        if usesReservation { book.reserved -= PageCount(1) }
        page.use(pool: pool)
        return page
      }
      return nil
    }
    if let page { return page }
    return try takeSurplus(pool, usesReservation, PageSource(node: placement.first, only: placement.only), zones, context)
  }

  /// A new page for a user, beyond the pool's size.
  private borrowing func takeSurplus<Owner, Mover>(
    _ pool: Int, _ usesReservation: Bool, _ source: PageSource, _ zones: borrowing ZoneSet,
    _ context: MigrationContext<Owner, Mover>
  ) throws(HugePoolError) -> PoolPage {
    let (size, order, mayGrow, counts) = withBook(pool) { ($0.size, $0.order, mayBeSurplus(PageCount(1), $0, zones), $0.counts) }
    let refusal = HugePoolError.noPage(size, free: counts.free, reserved: counts.reserved)
    guard mayGrow, let page = obtain(size, order, source, zones: zones, with: context) else { throw refusal }
    let node = self.node(of: page, zones)
    let isKept = withBook(pool) { book in
      guard mayBeSurplus(PageCount(1), book, zones), !usesReservation || book.reserved > .zero else { return false }
      let place = book.place(of: node)
      book.nodes[place].total += PageCount(1)
      book.nodes[place].surplus += PageCount(1)
      // The free page that was promised instead lies where the user did not want it, and is promised no more.
      if usesReservation { book.reserved -= PageCount(1) }
      page.use(pool: pool)
      return true
    }
    guard isKept else {
      release(page, zones, on: context.cpu)
      throw refusal
    }
    keepParked(zones)
    return page
  }

  /// Whether so many more pages may be surplus.
  func mayBeSurplus(_ count: PageCount, _ book: PoolBook, _ zones: borrowing ZoneSet) -> Bool {
    guard book.order <= zones.topOrder || policy.allowsGiganticSurplus else { return false }
    return count <= book.overcommit.saturatingSubtracting(book.surplus)
  }

  /// The nodes that a placement allows, in its order.
  private borrowing func order(of placement: HugePlacement, _ zones: borrowing ZoneSet) -> [NodeID] {
    if let only = placement.only { return only }
    var order: [NodeID] = [placement.first]
    for zone in zones.list(for: FrameRequest(.movable, node: placement.first)) {
      let node = zones.descriptions[Int(zone.rawValue)].node
      if !order.contains(node) { order.append(node) }
    }
    return order
  }

  // MARK: Back

  /// Gives back a page whose last reference is gone: its counts were frozen at zero by the caller, or by the last
  /// ``FrameMap/FrameDescriptor/give(_:)``. Its user's words in the head's descriptor mean nothing any more.
  ///
  /// On a node with surplus pages it goes to the zones; else it is free. Traps where it is no pool's page, or free already.
  ///
  /// - Parameter restoringReservation: whether the page was never used, so that the user has the reservation again that
  ///   ``take(_:reserved:placement:subpool:zones:with:)`` used up.
  /// - Complexity: O(nodes), and that of freeing a folio. Linux: `free_huge_folio`; there a surplus page goes also where its
  ///   restored reservation needs it.
  public borrowing func putBack(
    _ head: FrameNumber, restoringReservation: Bool = false, zones: borrowing ZoneSet, on cpu: CPUIndex
  ) {
    let page = PoolPage(head, zones.table)
    guard let pool = page.pool else { preconditionFailure("a page came back that is no pool's") }
    precondition(!page.isFree && page.counts.isZero, "a page came back that is free, or in use")
    var restores = restoringReservation || page.restores
    let subpool = page.takeSubpool()
    if !restores, let subpool { restores = subpool.give(PageCount(1)) == .zero }
    let node = self.node(of: page, zones)
    let table = zones.table
    let stays = withBook(pool) { book in
      let place = book.place(of: node)
      if restores { book.reserved += PageCount(1) }
      guard book.nodes[place].surplus > .zero, book.free >= book.reserved else {
        book.push(page, to: place, table)
        return true
      }
      book.nodes[place].surplus -= PageCount(1)
      book.nodes[place].total -= PageCount(1)
      return false
    }
    if !stays { release(page, zones, on: cpu) }
    if let subpool { endIfUnused(subpool, pool, zones, on: cpu) }
  }

  /// Says whether the reservation of a page in use is restored when its last reference goes without
  /// ``putBack(_:restoringReservation:zones:on:)`` being told. The caller has a reference. A new page's is not.
  ///
  /// Linux: `folio_set_hugetlb_restore_reserve`.
  public borrowing func setRestoresReservation(_ head: FrameNumber, _ restores: Bool, zones: borrowing ZoneSet) {
    PoolPage(head, zones.table).restores = restores
  }

  /// Takes the pages whose last reference went by ``FrameAllocator/ZoneSet/put(_:on:)``. Every step of the pools begins with it.
  ///
  /// - Complexity: O(zones) where there are none. Linux: `free_hpage_workfn`.
  public borrowing func collect(_ zones: borrowing ZoneSet, on cpu: CPUIndex) {
    for index in zones.indices {
      zones[index].takeParked { head in
        if PoolPage(head, zones.table).pool != nil {
          putBack(head, zones: zones, on: cpu)
        } else {
          zones.freeFrozen(head, on: cpu)
        }
      }
    }
  }

  /// Has the zones keep the pools' pages when their last reference goes.
  borrowing func keepParked(_ zones: borrowing ZoneSet) {
    for index in zones.indices { zones[index].parkPoolPages() }
  }
}
