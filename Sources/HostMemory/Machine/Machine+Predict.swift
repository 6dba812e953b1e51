import FrameAllocator
public import HostArena
public import Megalith
public import MemoryUnits
public import Mobility
public import PhysicalLayout

/// What a machine that was made of a host gave, in pages of one size.
public struct MachinePrediction: Hashable, Sendable {
  public let size: PageSize
  /// The pages' first frames, in the order in which they were taken.
  public internal(set) var pages: [FrameNumber] = []
  /// Frames that were moved for them. One that moved twice counts twice.
  public internal(set) var moved = FrameCount.zero
  /// Frames whose content was given up.
  public internal(set) var dropped = FrameCount.zero
  /// Frames that stood in the way where a range was refused, each range with what was met first.
  public internal(set) var obstacles = Obstacles()

  public var count: HugePageCount { HugePageCount(UInt64(pages.count)) }
}

extension Survey {
  /// Makes a machine of the host and takes all pages of a size from it. The host is only read.
  ///
  /// - Parameter root: what the survey was made of.
  /// - Throws, complexity: as of the machine's making and ``Megalith/Machine/predict(_:of:owner:)``.
  public func machinePrediction(
    _ size: PageSize, of root: Sysroot
  ) throws(CapturedMachineError) -> MachinePrediction {
    let owner = CapturedFolios()
    return try Machine(self, of: root, owner: owner).predict(size, of: self, owner: owner)
  }
}

extension Machine where Storage == HostStorage {
  /// Takes all pages of a size that can be had, as the host would when asked for more than it has, and keeps them.
  ///
  /// *Gigantic pages*: the highest zone first, in each the ranges by address, as Linux takes them; ``contiguousBlock(_:_:_:owner:on:)``
  /// takes those with the least to move first, which comes to the same number unless room is short, and to more then. Once a range
  /// was taken, frames between lists have settled, and ranges that only these blocked are tried again.
  ///
  /// *Pages of the allocator's lists*: deferred memory is handed over first; then ranges in which at most an eighth must move, as
  /// long as a zone keeps its minimum and its reserve (Docs/Decisions/0003).
  ///
  /// - Parameters:
  ///   - size: of the host's sizes.
  ///   - host: what the machine was made of.
  ///   - owner: of the machine's folios.
  /// - Complexity: one pass over the machine, and the moves.
  public borrowing func predict(_ size: PageSize, of host: Survey, owner: CapturedFolios) -> MachinePrediction {
    let order = size.order(baseShift: host.reports.baseShift)
    let kernel = host.reports.policy
    let policy = kernel.contiguous(for: order)
    let context = migration(of: owner)
    let isGigantic = kernel.isGigantic(order)
    let before = (moved: owner.moved, dropped: owner.dropped)
    if !isGigantic {
      owner.settle(zones, on: context.cpu)
      owner.handOver(zones, limit: host.reports.handedOverLater)
    }
    var prediction = MachinePrediction(size: size)
    var unsettled: [FrameRange] = []
    zones.takeEveryBlock(
      order, in: zones.indices.reversed(), .unmovable, policy, kind: .hugePool, with: context,
      where: { plan in isGigantic || isInPassing(plan, order) },
      refused: { plan in
        if plan.obstacles[.busy] > .zero, plan.obstacles[.busy] == plan.obstacles.total { unsettled.append(plan.range) }
        prediction.obstacles.add(plan.obstacles)
      },
      { _, folio in prediction.pages.append(folio.head) })
    if !prediction.pages.isEmpty, !unsettled.isEmpty {
      owner.settle(zones, on: context.cpu)
      for range in unsettled {
        guard (try? zones.contiguousRange(range, policy, with: context)) != nil, let zone = zones.zone(of: range.start) else {
          continue
        }
        // The pool's from here on, as those of the pass.
        _ = try? zones[zone].folio(ofClaimed: range.start, order: order, .unmovable, kind: .hugePool)
        prediction.pages.append(range.start)
      }
    }
    prediction.moved = owner.moved - before.moved
    prediction.dropped = owner.dropped - before.dropped
    return prediction
  }

  /// Whether a page of the lists' orders is made without much ado, and its zone keeps what it must.
  private borrowing func isInPassing(_ plan: RangePlan, _ order: Order) -> Bool {
    RangeRule.isMadeInPassing(moves: plan.moves, of: order.frames)
      && zones[plan.zone].isAbove(
        zones[plan.zone].watermarks.min, order: order, reserve: zones.reserve(of: plan.zone, for: .movable))
  }
}
