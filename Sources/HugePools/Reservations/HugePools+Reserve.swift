public import FrameAllocator
import FrameContents
import FrameMap
public import MemoryUnits
public import Mobility
import PhysicalLayout

extension HugePools {
  /// Promises `count` pages: so many free ones are set aside, whichever they are. Where too few are free the rest is gathered as
  /// surplus, all of it or nothing.
  ///
  /// - Parameters:
  ///   - subpool: gives of its own reserve first, and refuses what is above its maximum.
  ///   - node: where to gather pages first; nil for the first node.
  /// - Throws: `.noSuchSize`, `.subpoolFull`, `.notEnough`; all counters are as before, and pages that were gathered are back.
  /// - Complexity: O(nodes), and what is gathered. Linux: `hugetlb_reserve_pages`, `hugetlb_acct_memory`.
  public borrowing func reserve<Owner, Mover>(
    _ count: PageCount, _ size: PageSize, subpool: Subpool? = nil, near node: NodeID? = nil, zones: borrowing ZoneSet,
    with context: MigrationContext<Owner, Mover>
  ) throws(HugePoolError) {
    let pool = try checkedPlace(of: size)
    collect(zones, on: context.cpu)
    var promised = count
    if let subpool { promised = try subpool.take(count) }
    do throws(HugePoolError) {
      try promise(pool, promised, PageSource(node: node ?? nodes[0], only: nil), zones, context)
    } catch {
      if let subpool { unpromise(pool, subpool.undo(count, promised: promised), zones, on: context.cpu) }
      throw error
    }
  }

  /// Ends the promise of `count` pages. Free surplus pages that nobody was promised then go to the zones, at most as many, the nodes by
  /// turns. Traps where so many were never promised, or there is no pool of that size.
  ///
  /// - Complexity: O(count). Linux: `hugetlb_unreserve_pages`, `return_unused_surplus_pages`.
  public borrowing func unreserve(
    _ count: PageCount, _ size: PageSize, subpool: Subpool? = nil, zones: borrowing ZoneSet, on cpu: CPUIndex
  ) {
    let pool = place(of: size)
    collect(zones, on: cpu)
    unpromise(pool, subpool.map { $0.give(count) } ?? count, zones, on: cpu)
    if let subpool { endIfUnused(subpool, pool, zones, on: cpu) }
  }

  /// Promises pages of the pool itself.
  private borrowing func promise<Owner, Mover>(
    _ pool: Int, _ count: PageCount, _ source: PageSource, _ zones: borrowing ZoneSet, _ context: MigrationContext<Owner, Mover>
  ) throws(HugePoolError) {
    guard count > .zero else { return }
    var gathered: [PoolPage] = []
    defer { for page in gathered { release(page, zones, on: context.cpu) } }
    let table = zones.table
    while true {
      let places = gathered.map { node(of: $0, zones) }
      let step: GatherStep = withBook(pool) { book in
        let have = book.free + PageCount(UInt64(gathered.count))
        let wanted = book.reserved + count
        let surplus = wanted.saturatingSubtracting(book.free)
        let refusal = HugePoolError.notEnough(wanted: count, available: book.available)
        guard surplus == .zero || mayBeSurplus(surplus, book, zones) else { return .refused(refusal) }
        guard wanted <= have else { return .gather(wanted - have, book.size, book.order, else: refusal) }
        // What others gave back meanwhile is not needed twice.
        for _ in 0..<surplus.rawValue {
          guard let page = gathered.popLast() else { break }
          let place = book.place(of: places[gathered.count])
          book.addFree(page, to: place, table)
          book.nodes[place].surplus += PageCount(1)
        }
        book.reserved = wanted
        return .done
      }
      switch step {
      case .done: return keepParked(zones)
      case .refused(let error): throw error
      case .gather(let missing, let size, let order, let refusal):
        for _ in 0..<missing.rawValue {
          guard let page = obtain(size, order, source, zones: zones, with: context) else { throw refusal }
          gathered.append(page)
        }
      }
    }
  }

  /// Ends promises of the pool itself.
  borrowing func unpromise(_ pool: Int, _ count: PageCount, _ zones: borrowing ZoneSet, on cpu: CPUIndex) {
    guard count > .zero else { return }
    let table = zones.table
    var left = withBook(pool) { book in
      precondition(book.reserved >= count, "a reservation ends that nobody made")
      book.reserved -= count
      return min(count, book.surplus)
    }
    while left > .zero {
      let page = withBook(pool) { $0.removeSurplus(table) }
      guard let page else { return }
      release(page, zones, on: cpu)
      left -= PageCount(1)
    }
  }

  // MARK: Subpools

  /// Makes a subpool; its minimum is reserved at once.
  ///
  /// - Parameters:
  ///   - maximum: nil for no limit.
  /// - Throws: as ``reserve(_:_:subpool:near:zones:with:)``. Linux: `hugepage_new_subpool`.
  public borrowing func makeSubpool<Owner, Mover>(
    _ size: PageSize, maximum: PageCount?, minimum: PageCount, zones: borrowing ZoneSet,
    with context: MigrationContext<Owner, Mover>
  ) throws(HugePoolError) -> Subpool {
    try reserve(minimum, size, zones: zones, with: context)
    return Subpool(size, maximum: maximum, minimum: minimum, pause: pause)
  }

  /// Says that the owner of a subpool is gone. Its minimum goes back to the pool once its last page is back and its last reservation
  /// has ended.
  ///
  /// Linux: `hugepage_put_subpool`.
  public borrowing func close(_ subpool: Subpool, zones: borrowing ZoneSet, on cpu: CPUIndex) {
    subpool.close()
    endIfUnused(subpool, place(of: subpool.size), zones, on: cpu)
  }

  borrowing func endIfUnused(_ subpool: Subpool, _ pool: Int, _ zones: borrowing ZoneSet, on cpu: CPUIndex) {
    if subpool.end() { unpromise(pool, subpool.minimum, zones, on: cpu) }
  }
}

/// What a reservation has to do next.
private enum GatherStep {
  case done
  case refused(HugePoolError)
  case gather(PageCount, PageSize, Order, else: HugePoolError)
}
