public import FrameAllocator
import FrameMap
public import HugePools
public import MemoryUnits
public import Mobility

extension MemoryHotplug {
  /// Takes memory offline: isolates it, moves what is movable elsewhere, replaces or gives up free pages of huge pools, and takes the
  /// frames from their zone. What fails half-way, or is cancelled, puts everything back.
  ///
  /// Frames that hold descriptors are passed over, whatever their number, and frames that failed are left alone.
  ///
  /// - Parameters:
  ///   - range: whole blocks, all online in one zone; also of the memory that the machine booted with.
  ///   - shouldGoOn: asked before each folio is moved.
  /// - Returns: what was done.
  /// - Throws: `.notPluggable`, `.misaligned`, `.noSuchBlock`, `.hasHoles`, `.mixedZones`, `.mixedNodes`, `.notOnline`, `.vetoed`, `.busy`,
  ///   `.promised`, `.cancelled`.
  /// - Complexity: O(frames / 64 + folios), and the moves. Threads: any. Linux: `memory_block_offline`, `offline_pages`.
  @discardableResult public borrowing func offline<Owner, Mover>(
    _ range: FrameRange, zones: borrowing ZoneSet, pools: borrowing HugePools, with context: MigrationContext<Owner, Mover>,
    shouldGoOn: () -> Bool = { true }
  ) throws(HotplugError) -> RangePlan {
    try requireWholeBlocks(range)
    return try state.withLock { (state) throws(HotplugError) in
      try offline(range, &state, zones: zones, pools: pools, with: context, shouldGoOn: shouldGoOn)
    }
  }

  borrowing func offline<Owner, Mover>(
    _ range: FrameRange, _ state: inout HotplugState, zones: borrowing ZoneSet, pools: borrowing HugePools,
    with context: MigrationContext<Owner, Mover>, shouldGoOn: () -> Bool
  ) throws(HotplugError) -> RangePlan {
    guard let late = zones.late else { throw .notPluggable }
    let places = state.places(in: range)
    let isBoot = places.isEmpty
    let index = try isBoot ? bootZone(of: range, state, zones) : onlineZone(of: range, state)
    let usable = isBoot ? [range] : state.blocks[places].map { $0.usable }.joined()
    try state.ask(.goingOffline, orTell: .offlineCancelled, range, index)
    var plan = RangePlan(range: range, zone: index, isolation: range)
    if let first = usable.first, let last = usable.last {
      let inner = FrameRange(start: first.start, end: last.end)
      let withheld = state.withheld(in: range)
      let failed = state.poisoned(in: inner).filter { frame in !withheld.contains { $0.contains(frame) } }
      let kept = (inner.subtracting(usable) + withheld + failed).sorted { $0.start < $1.start }
      do throws(HotplugError) {
        plan = try empty(inner, of: index, skipping: kept, zones: zones, pools: pools, with: context, shouldGoOn)
      } catch {
        state.tell(.offlineCancelled, range, index)
        throw error
      }
      for taken in plan.taken { zones[index].forgetClaimed(taken.count) }
      zones[index].forgetClaimed(FrameCount(UInt64(failed.count)))
    }
    state.withheld.removeAll { range.contains($0) }
    late.setZone(nil, of: range)
    zones[index].changePresent(by: -Int64(range.count.rawValue))
    if isBoot {
      enterBootBlocks(range, index, &state, zones)
    } else {
      for place in places { state.blocks[place].state = .offline }
    }
    rebalance(zones)
    state.tell(.offline, range, index)
    return plan
  }

  /// The zone of blocks that came later.
  private func onlineZone(of range: FrameRange, _ state: HotplugState) throws(HotplugError) -> ZoneIndex {
    var found: ZoneIndex?
    for block in state.blocks[try state.wholePlaces(of: range, geometry.blockFrames)] {
      guard case .online(let index) = block.state else { throw .notOnline(block.range) }
      guard found ?? index == index else { throw .mixedZones(range) }
      found = index
    }
    guard let found else { throw .noSuchBlock(range.start) }
    return found
  }

  /// The zone of memory that the machine booted with. Linux: `test_pages_in_a_zone`, and the walk before it that counts pages.
  private func bootZone(
    of range: FrameRange, _ state: HotplugState, _ zones: borrowing ZoneSet
  ) throws(HotplugError) -> ZoneIndex {
    // What left is not there any more, or it would be a block now.
    let gone = state.leftBoot.map { $0.range }.sorted { $0.start < $1.start }
    var parts: [FrameRange] = []
    var found: [ZoneIndex] = []
    for index in zones.indices {
      let own = zones.descriptions[Int(index.rawValue)].memory.flatMap { $0.intersection(range).subtracting(gone) }.filter {
        !$0.isEmpty
      }
      if !own.isEmpty { found.append(index) }
      parts += own
    }
    parts.sort { $0.start < $1.start }
    if let hole = range.subtracting(parts).first {
      guard !found.isEmpty else { throw .noSuchBlock(range.start) }
      throw .hasHoles(range, first: hole.start)
    }
    let nodes = found.map { zones.descriptions[Int($0.rawValue)].node }
    guard nodes.allSatisfy({ $0 == nodes[0] }) else { throw .mixedNodes(range) }
    guard found.count == 1 else { throw .mixedZones(range) }
    return found[0]
  }

  /// Memory that the machine booted with is offline; from now on it is as what came later.
  private func enterBootBlocks(
    _ range: FrameRange, _ index: ZoneIndex, _ state: inout HotplugState, _ zones: borrowing ZoneSet
  ) {
    let node = zones.descriptions[Int(index.rawValue)].node
    state.leftBoot.append(HotplugState.LeftMemory(range: range, zone: index))
    var blocks: [MemoryBlock] = []
    for number in 0..<range.count / geometry.blockFrames {
      let part = FrameRange(start: range.start + geometry.blockFrames * number, count: geometry.blockFrames)
      blocks.append(MemoryBlock(range: part, node: node, home: .lent, memmapFrames: .zero, state: .offline))
    }
    state.blocks.insert(contentsOf: blocks, at: state.firstPlace(from: range.start))
  }

  /// Empties the range and claims its frames.
  borrowing func empty<Owner, Mover>(
    _ range: FrameRange, of index: ZoneIndex, skipping kept: [FrameRange], zones: borrowing ZoneSet, pools: borrowing HugePools,
    with context: MigrationContext<Owner, Mover>, _ shouldGoOn: () -> Bool
  ) throws(HotplugError) -> RangePlan {
    var rules = ContiguousPolicy()
    rules.movesLargerPages = true
    rules.tries = policy.tries
    let first: ContiguousError
    do throws(ContiguousError) {
      return try zones.vacate(range, of: index, skipping: kept, rules, with: context, shouldGoOn: shouldGoOn)
    } catch {
      first = error
    }
    // Free pages of pools that found no other place are given up. Where that does not help either they are made again.
    guard case .refused(_, let obstacles) = first, obstacles[.busy] + obstacles[.noRoom] == obstacles.total else {
      throw HotplugError(first, range)
    }
    let lost: [DissolvedPage]
    do throws(HugePoolError) {
      lost = try pools.dissolve(range, zones: zones, with: context)
    } catch {
      throw .promised(error)
    }
    guard !lost.isEmpty else { throw HotplugError(first, range) }
    do throws(ContiguousError) {
      return try zones.vacate(range, of: index, skipping: kept, rules, with: context, shouldGoOn: shouldGoOn)
    } catch {
      pools.remake(lost, zones: zones, with: context)
      throw HotplugError(error, range)
    }
  }
}

extension HotplugError {
  fileprivate init(_ error: ContiguousError, _ range: FrameRange) {
    switch error {
    case .refused(_, let obstacles), .exhausted(_, _, let obstacles): self = .busy(range, obstacles)
    case .cancelled(let moved): self = .cancelled(moved: moved)
    case .noSuchRange: self = .noSuchBlock(range.start)
    }
  }
}
