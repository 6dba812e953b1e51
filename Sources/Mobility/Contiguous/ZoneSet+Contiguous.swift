public import FrameAllocator
public import FrameMap
public import MemoryUnits

extension ZoneSet {
  /// Takes exactly the frames of `range`: what is movable inside moves away, and the frames are claimed for the caller, until
  /// ``FolioZone/release(_:)`` or ``FolioZone/folio(ofClaimed:order:_:kind:)``.
  ///
  /// Any start, any length. Whole pageblocks are isolated, and only what touches the range must be emptied.
  ///
  /// - Parameter shouldGoOn: asked before each folio is moved.
  /// - Returns: what was done.
  /// - Throws: `.refused` with everything that stands in the way, before anything is done or after the tries are used up;
  ///   `.cancelled`. The isolation is ended and every frame is back; folios that were moved stay where they are.
  /// - Complexity: that of ``plan(_:_:stopsAtFirst:)``, and the moves. Callers exclude each other.
  ///   Linux: `alloc_contig_range`.
  public borrowing func contiguousRange<Owner, Mover>(
    _ range: FrameRange, _ policy: ContiguousPolicy = ContiguousPolicy(), with context: MigrationContext<Owner, Mover>,
    shouldGoOn: () -> Bool = { true }
  ) throws(ContiguousError) -> RangePlan {
    let plan = try plan(range, policy)
    // Frames in somebody's hands look reserved for a moment. Once the range is isolated the difference shows.
    guard plan.isPossible || plan.obstacles.total == plan.obstacles[.reserved] else { throw .refused(range, plan.obstacles) }
    try take(plan, policy, with: context, shouldGoOn)
    return plan
  }

  /// Makes a folio of any order, above `topOrder` too: out of a free block where there is one, else out of the range of the node's
  /// zones that costs the fewest moves; of several the lowest.
  ///
  /// - Parameters:
  ///   - request: its mobility is the folio's; its node and zones say where to look.
  ///   - kind: what the folio is to be.
  /// - Throws: `.exhausted` with what stands in the way of the range that came nearest, `.cancelled`.
  /// - Complexity: O(levels) where a block is free; else O(pageblocks) to choose, whatever the number of pages that are held
  ///   already, and the moves. Linux: `alloc_contig_pages`; there the first range that can be had, by address, is taken.
  public borrowing func contiguousBlock<Owner, Mover>(
    _ order: Order, _ request: FrameRequest, _ policy: ContiguousPolicy = ContiguousPolicy(), kind: FrameKind = .ordinary,
    with context: MigrationContext<Owner, Mover>, shouldGoOn: () -> Bool = { true }
  ) throws(ContiguousError) -> Folio {
    var nearest: RangePlan?
    let rule = RangeRule(policy)
    for index in zones(for: request) where rule.searches(descriptions[Int(index.rawValue)].kind) {
      if let folio = self[index].claimAnyFolio(order, request.mobility, kind: kind, on: context.cpu) { return folio }
      for candidate in candidates(order, index) {
        let plan = plan(candidate, in: index, policy, stopsAtFirst: true)
        guard plan.isPossible else {
          nearest = nearest ?? plan
          continue
        }
        do throws(ContiguousError) {
          try take(plan, policy, with: context, shouldGoOn)
        } catch {
          guard case .refused(_, let obstacles) = error else { throw error }
          if nearest?.isPossible ?? true {
            nearest = plan
            nearest?.obstacles = obstacles
          }
          continue
        }
        return folio(of: candidate, order, index, request.mobility, kind)
      }
    }
    if let found = nearest, let whole = try? plan(found.range, policy), !whole.isPossible { nearest = whole }
    throw .exhausted(wanted: order.frames, best: nearest?.range, nearest?.obstacles ?? Obstacles())
  }

  /// What ``contiguousBlock(_:_:_:kind:with:shouldGoOn:)`` would take first, as a plan; nil where nothing can be had.
  ///
  /// - Complexity: O(pageblocks), whatever the number of pages that are held already, and a look at each range that is tried.
  public borrowing func plan(
    block order: Order, _ request: FrameRequest, _ policy: ContiguousPolicy = ContiguousPolicy()
  ) -> RangePlan? {
    for index in zones(for: request) {
      for candidate in candidates(order, index) {
        let plan = plan(candidate, in: index, policy, stopsAtFirst: true)
        if plan.isPossible { return plan }
      }
    }
    return nil
  }

  /// Makes a folio of a range that was taken.
  borrowing func folio(
    of range: FrameRange, _ order: Order, _ index: ZoneIndex, _ mobility: FrameMobility, _ kind: FrameKind
  ) -> Folio {
    self[index].setPageblocks(of: range, to: mobility)
    do throws(FolioError) {
      return try self[index].folio(ofClaimed: range.start, order: order, mobility, kind: kind)
    } catch {
      preconditionFailure("a frame that was taken has no descriptor")
    }
  }

  /// The aligned ranges of a zone that are not one folio already, by how much of them is held, then by address.
  ///
  /// - Complexity: O(pageblocks), and the sort of the ranges.
  borrowing func candidates(_ order: Order, _ index: ZoneIndex) -> [FrameRange] {
    var list: [(held: FrameCount, range: FrameRange)] = []
    forEachCandidate(order, index) { list.append(($0.count - self[index].freeFrames(in: $0), $0)) }
    list.sort { $0.held != $1.held ? $0.held < $1.held : $0.range.start < $1.range.start }
    return list.map { $0.range }
  }

  /// The aligned ranges of a zone that are not one folio already, lowest first.
  borrowing func forEachCandidate(_ order: Order, _ index: ZoneIndex, _ body: (FrameRange) -> Void) {
    let span = self[index].zone
    var start = span.start.aligned(to: order.frames, .up)
    while start < span.end, span.end - start >= order.frames {
      if late != nil {
        // A zone that memory may still come to is mostly nothing.
        guard let next = table.nextValid(from: start), next < span.end else { return }
        start = max(start, next.aligned(to: order.frames, .down))
        guard span.end - start >= order.frames else { return }
      }
      let range = FrameRange(blockAt: start, order: order)
      let folio = try? self[index].folio(containing: start)
      if folio.map({ $0.order < order }) ?? true { body(range) }
      start = range.end
    }
  }

  /// Empties and claims what a plan said can be emptied.
  borrowing func take<Owner, Mover>(
    _ plan: RangePlan, _ policy: ContiguousPolicy, with context: MigrationContext<Owner, Mover>, _ shouldGoOn: () -> Bool
  ) throws(ContiguousError) {
    let zone = plan.zone
    do throws(IsolationError) {
      try self[zone].isolate(plan.isolation)
    } catch {
      var obstacles = Obstacles()
      obstacles.add(.isolated, plan.range)
      throw .refused(plan.range, obstacles)
    }
    // Whatever happens, what is not taken goes back.
    defer { self[zone].endIsolation(plan.isolation) }
    var moved = FrameCount.zero
    for attempt in 0..<max(policy.tries.rawValue, 1) {
      var obstacles = Obstacles()
      let isCancelled = empty(plan, policy, with: context, shouldGoOn, &moved, &obstacles)
      if isCancelled { throw .cancelled(moved: moved) }
      self[zone].sweep(plan.range)
      do throws(IsolationError) {
        return try self[zone].takeIsolated(plan.taken)
      } catch {
        // What cannot get better by trying again.
        let isHopeless = [.busy, .notOwned].allSatisfy { obstacles[$0] == .zero } && !obstacles.isEmpty
        guard attempt + 1 == max(policy.tries.rawValue, 1) || isHopeless else { continue }
        if obstacles.isEmpty, case .notIsolated(let frame) = error {
          obstacles.add(.busy, FrameRange(start: frame, count: FrameCount(1)))
        }
        throw .refused(plan.range, obstacles)
      }
    }
  }

  /// Moves what is movable out of the range, once. True where the caller does not want to go on.
  private borrowing func empty<Owner, Mover>(
    _ plan: RangePlan, _ policy: ContiguousPolicy, with context: MigrationContext<Owner, Mover>, _ shouldGoOn: () -> Bool,
    _ moved: inout FrameCount, _ obstacles: inout Obstacles
  ) -> Bool {
    let node = descriptions[Int(plan.zone.rawValue)].node
    // The plan looked before the isolation; since then something else may have come.
    let now = self.plan(plan.range, in: plan.zone, policy, stopsAtFirst: false, isOurs: true, skipping: plan.skipped)
    guard now.isPossible else {
      obstacles.add(now.obstacles)
      return false
    }
    var places: [FolioPlace] = []
    self[plan.zone].forEachFolio(in: plan.range) { place, shape in
      if shape.kind != .isolated { places.append(place) }
    }
    // Where not one frame is to be had, parts find no place either.
    var isFull = false
    // Parts of what is split come right after it, so that the rest keeps its order.
    places.reverse()
    while let place = places.popLast() {
      guard shouldGoOn() else { return true }
      do throws(MigrationError) {
        if context.owner.canDrop(place) {
          try drop(place, with: context)
        } else {
          try migrate(place, node: node, with: context)
        }
        moved += place.frames.count
      } catch {
        if case .noRoom = error, !isFull {
          if let parts = halves(of: place, with: context) {
            places += parts.reversed()
            continue
          }
          isFull = place.order == Order(0)
        }
        let part = place.frames.intersection(plan.range)
        switch error {
        case .gone where isFreePoolPage(place):
          // In passing from a user to its pool, or from there; or a pool that no other page is to be had for.
          if context.owner.replaceFree(place, in: self, on: context.cpu) {
            moved += place.frames.count
          } else {
            obstacles.add(.busy, part)
          }
        case .gone: break
        case .busy: obstacles.add(.busy, part)
        case .notOwned: obstacles.add(.notOwned, part)
        case .noRoom: obstacles.add(.noRoom, part)
        case .noContents: obstacles.add(.unmovable, part)
        }
      }
    }
    return false
  }

  /// Whether a page of a huge pool is there that nobody refers to.
  private borrowing func isFreePoolPage(_ place: FolioPlace) -> Bool {
    guard let found = try? folio(containing: place.head), found == place, let head = unsafe table.descriptor(place.head) else {
      return false
    }
    return unsafe head.pointee.shape.kind == .hugePool && head.pointee.counts.isZero
  }
}
