public import FrameAllocator
import FrameContents
import FrameMap
public import MemoryUnits
public import Mobility
import PhysicalLayout

// Pages that leave their place: dissolved where memory goes, replaced where a range is emptied, moved with their users.

extension HugePools {
  /// Gives every free page that touches `range` back to the zones, so that the memory can go. Pages in use stay: they are to be moved.
  ///
  /// - Returns: what the pools lost, for ``remake(_:zones:with:)``; nothing where no free page was there.
  /// - Throws: `.reservedByOthers` where a pool would have fewer free pages than it promised; no page has gone then.
  /// - Complexity: O(frames / 64 + folios). Linux: `dissolve_free_hugetlb_folios`, which stops half-way.
  @discardableResult public borrowing func dissolve<Owner, Mover>(
    _ range: FrameRange, zones: borrowing ZoneSet, with context: MigrationContext<Owner, Mover>
  ) throws(HugePoolError) -> [DissolvedPage] {
    collect(zones, on: context.cpu)
    let table = zones.table
    var found: [PoolPage] = []
    for index in zones.indices {
      zones[index].forEachFolio(in: range) { place, shape in
        guard shape.kind == .hugePool, zones.zone(of: place.head) == index else { return }
        found.append(PoolPage(place.head, table))
      }
    }
    let homes = found.map { node(of: $0, zones) }
    var lost: [DissolvedPage] = []
    let gone: [PoolPage] = try books.withLock { (books) throws(HugePoolError) in
      // Those that are free now; they stay so under the lock.
      var free = [PageCount](repeating: .zero, count: books.count)
      for page in found { if let pool = page.pool, page.isFree { free[pool] += PageCount(1) } }
      for (book, wanted) in zip(books, free) where wanted > book.available {
        throw .reservedByOthers(book.size, wanted: wanted, free: book.free, reserved: book.reserved)
      }
      var gone: [PoolPage] = []
      for (page, home) in zip(found, homes) {
        guard let pool = page.pool, page.isFree else { continue }
        let place = books[pool].place(of: home)
        let shape = page.shape
        let surplus = books[pool].nodes[place].surplus
        books[pool].removeFree(page, from: place, table)
        lost.append(
          DissolvedPage(
            size: books[pool].size, head: page.frame, zone: shape.zone, mobility: shape.mobility,
            isSurplus: surplus > books[pool].nodes[place].surplus))
        gone.append(page)
      }
      return gone
    }
    for page in gone { release(page, zones, on: context.cpu) }
    return lost
  }

  /// Makes pages again that a range had to give up: where they lay, or where somebody has the memory by now elsewhere on their nodes.
  /// Surplus ones are surplus again. What was done to the pools meanwhile stays.
  ///
  /// - Returns: how many could not be made.
  /// - Complexity: O(pages); for those that do not find their place, that of finding another.
  @discardableResult public borrowing func remake<Owner, Mover>(
    _ pages: [DissolvedPage], zones: borrowing ZoneSet, with context: MigrationContext<Owner, Mover>
  ) -> PageCount {
    var missing = PageCount.zero
    for lost in pages {
      let pool = place(of: lost.size)
      let order = withBook(pool) { $0.order }
      let home = zones.descriptions[Int(lost.zone.rawValue)].node
      guard
        let page = inPlace(lost, order, zones)
          ?? obtain(lost.size, order, PageSource(node: home, only: [home]), zones: zones, with: context)
      else {
        missing += PageCount(1)
        continue
      }
      let table = zones.table
      withBook(pool) { book in
        let place = book.place(of: home)
        book.addFree(page, to: place, table)
        if lost.isSurplus { book.nodes[place].surplus += PageCount(1) }
      }
    }
    return missing
  }

  /// The very frames of a page that went, whatever the zone's watermarks: it had them before. Those of areas are the areas' to give.
  private borrowing func inPlace(_ lost: DissolvedPage, _ order: Order, _ zones: borrowing ZoneSet) -> PoolPage? {
    guard lost.mobility != .contiguous,
      let folio = try? zones[lost.zone].claimFolio(at: lost.head, order: order, lost.mobility)
    else { return nil }
    return PoolPage(zones.freeze(folio, as: .hugePool), zones.table)
  }

  /// Frees a page that nobody uses, and puts a new one in its place in the pool: on the same node where there is one, else elsewhere.
  /// For who empties the range that it lies in; see ``Mobility/FolioOwner/replaceFree(_:in:on:)``.
  ///
  /// - Returns: false where it is no free page of a pool, or no block of its size is free elsewhere; nothing has changed then.
  /// - Complexity: that of allocating and freeing. Linux: `alloc_and_dissolve_hugetlb_folio`.
  public borrowing func replaceFree(_ place: FolioPlace, zones: borrowing ZoneSet, on cpu: CPUIndex) -> Bool {
    collect(zones, on: cpu)
    guard place.order > Order(0) else { return false }
    let table = zones.table
    let old = PoolPage(place.head, table)
    guard let pool = books.withLock({ _ in old.isFree ? old.pool : nil }), old.shape.order == place.order else { return false }
    let home = node(of: old, zones)
    let shape = old.shape
    let request = FrameRequest(
      shape.mobility == .contiguous ? .movable : shape.mobility, node: home,
      highestZone: shape.mobility == .unmovable ? .highMemory : .movable)
    guard let folio = try? zones.allocateAnyOrder(place.order, request, on: cpu) else { return false }
    let new = PoolPage(zones.freeze(folio, as: .hugePool), table)
    let newHome = node(of: new, zones)
    let isReplaced = withBook(pool) { book in
      guard old.isFree, old.pool == pool, old.shape.order == place.order else { return false }
      let (from, to) = (book.place(of: home), book.place(of: newHome))
      book.unlink(old, from: from, table)
      book.changeNode(from, to)
      book.push(new, to: to, table)
      return true
    }
    release(isReplaced ? old : new, zones, on: cpu)
    return isReplaced
  }

  /// Tells the pools that a page in use has moved: what they know of it goes with it, and counts on its new node. For owners to call
  /// in ``Mobility/FolioOwner/attach(_:to:)``, also where the page came back to its old place; for folios of no pool it does nothing.
  ///
  /// - Complexity: O(nodes). Linux: `move_hugetlb_state`.
  public borrowing func didMove(_ folio: FolioPlace, to head: FrameNumber, zones: borrowing ZoneSet) {
    guard head != folio.head, folio.order > Order(0) else { return }
    let old = PoolPage(folio.head, zones.table)
    guard let pool = old.pool else { return }
    let new = PoolPage(head, zones.table)
    let (home, newHome) = (node(of: old, zones), node(of: new, zones))
    withBook(pool) { book in
      new.takeOver(old)
      book.changeNode(book.place(of: home), book.place(of: newHome))
    }
  }
}

/// A page that a pool gave up for the memory that it lay in.
public struct DissolvedPage: Hashable, Sendable {
  public let size: PageSize
  public let head: FrameNumber
  public let zone: ZoneIndex
  public let mobility: FrameMobility
  /// Whether the pool's surplus went down with it.
  public let isSurplus: Bool
}

extension PoolBook {
  /// A page of the pool lies on another node now; it is a surplus one where its old node has any.
  fileprivate mutating func changeNode(_ from: Int, _ to: Int) {
    guard from != to else { return }
    nodes[from].total -= PageCount(1)
    nodes[to].total += PageCount(1)
    if nodes[from].surplus > .zero {
      nodes[from].surplus -= PageCount(1)
      nodes[to].surplus += PageCount(1)
    }
  }
}
