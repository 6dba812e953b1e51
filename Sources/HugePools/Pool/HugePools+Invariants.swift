public import FrameAllocator
import FrameMap
public import MemoryUnits
import PhysicalLayout

/// What the books of the pools disagree about.
public enum HugePoolFault: Error, Hashable, Sendable {
  /// A node's pages are other than what the zones hold.
  case total(PageSize, NodeID, said: PageCount, counted: PageCount)
  /// A node's list has other pages than are said, or than the zones hold free ones.
  case free(PageSize, NodeID, said: PageCount, listed: PageCount, counted: PageCount)
  /// More pages are surplus than there are.
  case surplus(PageSize, NodeID, surplus: PageCount, total: PageCount)
  /// More pages are promised than are free.
  case reserved(PageSize, reserved: PageCount, free: PageCount)
  /// A free page is referenced.
  case references(FrameNumber)
  /// A page has another order than its pool's.
  case order(FrameNumber, Order)
  /// A page stands in the list of another node, or says that it is in use.
  case misplaced(FrameNumber)
  /// Subpools keep more in reserve than was promised, or a subpool more than its minimum.
  case kept(PageSize, PageCount, reserved: PageCount)
  /// A subpool that has a maximum says other than that so many of its pages are used or promised.
  case used(PageSize, said: PageCount, counted: PageCount)
}

extension HugePools {
  /// Recounts all pools from scratch, from what the zones hold. Only while nobody uses pools or zones.
  ///
  /// - Parameter subpools: those whose books are to be looked at too.
  /// - Complexity: O(frames / 64 + folios). Pages whose last reference went, and that were not collected, count as in use.
  public borrowing func checkInvariants(
    zones: borrowing ZoneSet, subpools: [Subpool] = []
  ) throws(HugePoolFault) {
    let table = zones.table
    let books = self.books.withLock { $0 }
    var totals = books.map { [PageCount](repeating: .zero, count: $0.nodes.count) }
    var frees = totals
    var used = subpools.map { _ in PageCount.zero }
    var fault: HugePoolFault?
    for index in zones.indices {
      zones[index].forEachFolio(in: zones[index].zone) { place, shape in
        guard shape.kind == .hugePool, place.order > Order(0), zones.zone(of: place.head) == index else { return }
        let page = PoolPage(place.head, table)
        guard let pool = page.pool else { return }
        if place.order != books[pool].order { fault = .order(place.head, place.order) }
        if page.isFree, !page.counts.isZero { fault = .references(place.head) }
        let node = books[pool].place(of: node(of: page, zones))
        totals[pool][node] += PageCount(1)
        if page.isFree { frees[pool][node] += PageCount(1) }
        if let subpool = page.subpool, let number = subpools.firstIndex(where: { $0 === subpool }) {
          used[number] += PageCount(1)
        }
      }
    }
    if let fault { throw fault }
    for (number, book) in books.enumerated() {
      for (place, node) in book.nodes.enumerated() {
        guard node.total == totals[number][place] else {
          throw .total(book.size, node.node, said: node.total, counted: totals[number][place])
        }
        var listed = PageCount.zero
        var next = node.first
        while let frame = next {
          let page = PoolPage(frame, table)
          guard page.isFree, page.pool == number, self.node(of: page, zones) == node.node, listed < node.free else {
            throw .misplaced(frame)
          }
          listed += PageCount(1)
          next = page.next
        }
        guard node.free == listed, listed == frees[number][place] else {
          throw .free(book.size, node.node, said: node.free, listed: listed, counted: frees[number][place])
        }
        guard node.surplus <= node.total else {
          throw .surplus(book.size, node.node, surplus: node.surplus, total: node.total)
        }
      }
      guard book.reserved <= book.free else { throw .reserved(book.size, reserved: book.reserved, free: book.free) }
      var kept = PageCount.zero
      for subpool in subpools where subpool.size == book.size {
        guard subpool.kept <= subpool.minimum else { throw .kept(book.size, subpool.kept, reserved: subpool.minimum) }
        if !subpool.hasEnded { kept += subpool.kept }
      }
      guard kept <= book.reserved else { throw .kept(book.size, kept, reserved: book.reserved) }
    }
    // Promised pages count for a subpool before somebody has them.
    for (subpool, counted) in zip(subpools, used) where subpool.maximum != nil && subpool.used < counted {
      throw .used(subpool.size, said: subpool.used, counted: counted)
    }
  }
}
