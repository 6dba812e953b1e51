import FrameAllocator
import FrameContents
import FrameMap
public import MemoryUnits
import Mobility
import PhysicalLayout

// Where pages come from. Nothing here is done under the pools' lock.

/// Which nodes a new page may lie on.
struct PageSource {
  /// The one to try first.
  let node: NodeID
  /// Nil for all, the nearest first.
  let only: [NodeID]?
}

extension HugePools {
  /// Names an area for gigantic pages of a node: they come from there first.
  ///
  /// - Parameter range: of an area that ``FrameAllocator/FolioZone/makeArea(_:storage:)`` made.
  ///
  /// Linux: `hugetlb_cma`.
  public borrowing func useArea(_ range: FrameRange, on node: NodeID) {
    areas.withLock { $0.append(PoolArea(range: range, node: node)) }
  }

  /// A new page, frozen and of no pool yet; nil where none is to be had.
  borrowing func obtain<Owner, Mover>(
    _ size: PageSize, _ order: Order, _ source: PageSource, zones: borrowing ZoneSet,
    with context: MigrationContext<Owner, Mover>,
    shouldGoOn: () -> Bool = { true }
  ) -> PoolPage? {
    let isGigantic = order > zones.topOrder
    if isGigantic, let head = fromArea(order, source, zones, context, shouldGoOn) { return PoolPage(head, zones.table) }
    let isMovable = policy.movable == .allSizes || (policy.movable == .ordinarySizes && !isGigantic)
    for node in source.only ?? [source.node] {
      let request = FrameRequest(
        isMovable ? .movable : .unmovable, node: node, isNodeFixed: source.only != nil,
        highestZone: isMovable ? .movable : .highMemory)
      let folio =
        isGigantic
        ? fromRange(order, request, zones, context, shouldGoOn) : fromTree(order, request, zones, context, shouldGoOn)
      if let folio { return PoolPage(zones.freeze(folio, as: .hugePool), zones.table) }
    }
    return nil
  }

  private borrowing func fromTree<Owner, Mover>(
    _ order: Order, _ request: FrameRequest, _ zones: borrowing ZoneSet, _ context: MigrationContext<Owner, Mover>,
    _ shouldGoOn: () -> Bool
  ) -> Folio? {
    if let folio = try? zones.allocate(order, request, on: context.cpu) { return folio }
    switch policy.search {
    case .nothing: return nil
    case .compaction:
      return turn.withLock { taken in
        taken += 1
        return try? zones.allocate(order, request, with: context, rounds: TryCount(1), reclaim: { _ in .zero })
      }
    case .contiguousRange: return fromRange(order, request, zones, context, shouldGoOn)
    }
  }

  private borrowing func fromRange<Owner, Mover>(
    _ order: Order, _ request: FrameRequest, _ zones: borrowing ZoneSet, _ context: MigrationContext<Owner, Mover>,
    _ shouldGoOn: () -> Bool
  ) -> Folio? {
    turn.withLock { taken in
      taken += 1
      return try? zones.contiguousBlock(
        order, request, policy.contiguous, kind: .ordinary, with: context, shouldGoOn: shouldGoOn)
    }
  }

  /// A page out of the first area that gives one; what others borrowed there moves away.
  private borrowing func fromArea<Owner, Mover>(
    _ order: Order, _ source: PageSource, _ zones: borrowing ZoneSet, _ context: MigrationContext<Owner, Mover>,
    _ shouldGoOn: () -> Bool
  ) -> FrameNumber? {
    let all = areas.withLock { $0 }
    let near = all.filter { $0.node == source.node }
    let others = source.only.map { only in all.filter { only.contains($0.node) && $0.node != source.node } }
    for area in near + (others ?? all.filter { $0.node != source.node }) {
      let head = turn.withLock { taken in
        taken += 1
        return page(of: order, in: area.range, zones, context, shouldGoOn)
      }
      if let head { return head }
    }
    return nil
  }

  private borrowing func page<Owner, Mover>(
    of order: Order, in area: FrameRange, _ zones: borrowing ZoneSet, _ context: MigrationContext<Owner, Mover>,
    _ shouldGoOn: () -> Bool
  ) -> FrameNumber? {
    var start = area.start.aligned(to: order.frames, .up)
    while start < area.end, area.end - start >= order.frames {
      let range = FrameRange(blockAt: start, order: order)
      start = range.end
      guard let plan = try? zones.plan(range, policy.contiguous, stopsAtFirst: true), plan.isPossible else { continue }
      guard (try? zones.contiguousRange(range, policy.contiguous, with: context, shouldGoOn: shouldGoOn)) != nil else { continue }
      guard let folio = try? zones[plan.zone].folio(ofClaimed: range.start, order: order, .contiguous) else {
        preconditionFailure("a frame that was taken has no descriptor")
      }
      return zones.freeze(folio, as: .hugePool)
    }
    return nil
  }

  /// Gives a page that is no pool's back to the zones.
  borrowing func release(_ page: PoolPage, _ zones: borrowing ZoneSet, on cpu: CPUIndex) {
    page.forget()
    zones.freeFrozen(page.frame, on: cpu)
  }

  /// The node that a page lies on.
  func node(of page: PoolPage, _ zones: borrowing ZoneSet) -> NodeID {
    zones.descriptions[Int(page.shape.zone.rawValue)].node
  }
}
