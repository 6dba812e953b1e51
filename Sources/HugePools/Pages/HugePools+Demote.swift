public import FrameAllocator
import FrameMap
public import MemoryUnits
import PhysicalLayout

extension HugePools {
  /// Takes free pages apart that nobody was promised: their parts join the pool of the smaller size, free and on the same nodes, as
  /// pages of its set size. The larger pool's size falls.
  ///
  /// - Parameters:
  ///   - count: how many pages to take apart; fewer are where fewer can be had.
  ///   - node: whose; nil for the nodes by turns.
  /// - Returns: how many pages were taken apart.
  /// - Throws: `.noSuchSize`, `.notDemotable`, and `.inUse` where not one page can be had.
  /// - Complexity: O(parts). Linux: writing `demote`, `demote_pool_huge_page`.
  @discardableResult public borrowing func demote(
    _ size: PageSize, to smaller: PageSize, count: PageCount, on node: NodeID?, zones: borrowing ZoneSet, on cpu: CPUIndex
  ) throws(HugePoolError) -> PageCount {
    let source = try checkedPlace(of: size)
    guard let target = sizes.firstIndex(of: smaller), smaller < size else { throw .notDemotable(from: size, to: smaller) }
    collect(zones, on: cpu)
    let table = zones.table
    let partOrder = withBook(target) { $0.order }
    var done = PageCount.zero
    while done < count {
      let (page, counts): (PoolPage?, HugePoolCounts) = withBook(source) { book in
        let page = book.removePersistent({ node == nil || $0.node == node }, table)
        return (page, book.counts)
      }
      guard let page else {
        if done == .zero { throw .inUse(size, free: counts.free, reserved: counts.reserved) }
        break
      }
      let home = self.node(of: page, zones)
      let frames = FrameRange(blockAt: page.frame, order: page.shape.order)
      zones[page.shape.zone].splitFrozen(page.frame, to: partOrder)
      withBook(target) { book in
        let place = book.place(of: home)
        // The lowest part is to be the first that is handed out.
        var start = frames.end
        while start > frames.start {
          start -= partOrder.frames
          book.addFree(PoolPage(start, table), to: place, table)
        }
      }
      done += PageCount(1)
    }
    return done
  }
}
