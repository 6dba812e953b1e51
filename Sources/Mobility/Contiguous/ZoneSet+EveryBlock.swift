public import FrameAllocator
public import FrameMap
public import MemoryUnits

extension ZoneSet {
  /// Takes every folio of `order` that can be had, in one pass over the zones: each zone's ranges by address, as kernels take them,
  /// and not those with the least work first.
  ///
  /// - Parameters:
  ///   - zones: in this order; those that the policy does not search are passed over.
  ///   - accepts: asked before a range that can be had is emptied.
  ///   - refused: told of each range that was not had, and why.
  ///   - body: gets each folio; dropping one loses its frames.
  /// - Complexity: O(frames / 64 + folios) to look, once for all, and the moves. Linux: writing `nr_hugepages`, which searches each
  ///   zone from its start again for every page.
  public borrowing func takeEveryBlock<Owner, Mover>(
    _ order: Order, in zones: [ZoneIndex], _ mobility: FrameMobility, _ policy: ContiguousPolicy, kind: FrameKind = .ordinary,
    with context: MigrationContext<Owner, Mover>, where accepts: (RangePlan) -> Bool = { _ in true },
    refused: (RangePlan) -> Void = { _ in }, _ body: (RangePlan, consuming Folio) -> Void
  ) {
    let rule = RangeRule(for: order, topOrder: topOrder, policy)
    for index in zones where rule.searches(descriptions[Int(index.rawValue)].kind) {
      forEachCandidate(order, index) { candidate in
        var plan = plan(candidate, in: index, policy, stopsAtFirst: true)
        guard plan.isPossible else { return refused(plan) }
        guard accepts(plan) else { return }
        // What is free needs no isolation.
        if plan.kind == .free, let folio = try? self[index].claimFolio(at: candidate.start, order: order, mobility, kind: kind) {
          self[index].setPageblocks(of: candidate, to: mobility)
          return body(plan, folio)
        }
        do throws(ContiguousError) {
          try take(plan, policy, with: context, { true })
        } catch {
          if case .refused(_, let obstacles) = error { plan.obstacles = obstacles }
          return refused(plan)
        }
        body(plan, folio(of: candidate, order, index, mobility, kind))
      }
    }
  }
}
