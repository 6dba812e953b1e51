import MemoryUnits
import PhysicalLayout

/// Takes the blocks of a range offline and brings them back at once: the kernel tries longer to empty a block than to make a
/// page, and the range is free afterwards.
///
/// Pages of smaller pools go with their block: those in use move, free ones are given up. A kernel that passes over ranges with such
/// pages when it makes a page still empties blocks of them. Their pools get back what they lost.
///
/// Linux: `/sys/devices/system/memory/memoryN/state`, `valid_zones`; `dissolve_free_hugetlb_folios`.
struct OfflineStep: ReserveStep {
  let kind = ReserveStepKind.offline

  private struct Candidate {
    let node: NodeID?
    let size: PageSize
    let start: FrameNumber
    let toMove: FrameCount
    let blocks: [MemoryBlocks.Block]
    /// Frames of smaller pool pages in the ranges that the blocks reach.
    let poolFrames: FrameCount
  }

  /// Ranges that could become pages, least work first, whose blocks hold nothing else.
  ///
  /// - Parameter accepts: which verdicts a range may have, and every other range that its blocks reach.
  private func candidates(_ situation: ReserveSituation, accepts: (RangeVerdict) -> Bool) -> [Candidate] {
    guard let blocks = situation.survey.reports.blocks else { return [] }
    var candidates: [Candidate] = []
    let nodes = situation.concernedNodes
    for size in situation.missingSizes {
      guard let result = situation.result(of: size), result.isGigantic else { continue }
      var found: [Candidate] = []
      for verdict in result.verdicts where accepts(verdict) {
        let node = situation.survey.node(of: verdict)
        guard nodes.contains(nil) || nodes.contains(node) else { continue }
        let covering = blocks.blocks.filter { blocks.frames(of: $0, baseShift: situation.baseShift).overlaps(verdict.range) }
        let frames = covering.map { blocks.frames(of: $0, baseShift: situation.baseShift) }
        guard covering.allSatisfy(\.isOnline), frames.reduce(.zero, { $0 + $1.count }) >= verdict.range.count else { continue }
        let touched = result.verdicts.filter { other in frames.contains { $0.overlaps(other.range) } }
        guard touched.allSatisfy(accepts) else { continue }
        let poolFrames = touched.reduce(FrameCount.zero) { $0 + ($1.reasons[.smallerHugePages] ?? .zero) }
        found.append(
          Candidate(
            node: node, size: size, start: verdict.range.start, toMove: verdict.toMove + poolFrames, blocks: covering,
            poolFrames: poolFrames))
      }
      candidates += found.sorted { $0.toMove < $1.toMove }
    }
    return candidates
  }

  private static func isEmptiable(_ verdict: RangeVerdict) -> Bool {
    verdict.verdict == .free || verdict.verdict == .movable
      || verdict.verdict == .blocked && verdict.reasons.keys.allSatisfy { $0 == .smallerHugePages }
  }

  /// Whether the steps before may make the range one that can be emptied.
  private static func mayBeEmptiable(_ verdict: RangeVerdict) -> Bool { isEmptiable(verdict) || verdict.verdict == .blocked }

  /// Pools whose pages may go with the blocks of a candidate.
  private func pools(of candidate: Candidate, _ situation: ReserveSituation) -> [HugePool] {
    guard candidate.poolFrames > .zero else { return [] }
    return situation.pools.filter {
      $0.size < candidate.size && $0.persistent > .zero && (candidate.node == nil || $0.node == candidate.node)
    }
  }

  func plan(_ situation: ReserveSituation) -> ReserveStepPlan {
    var plan = ReserveStepPlan(kind)
    let candidates = candidates(situation, accepts: Self.mayBeEmptiable)
    guard !candidates.isEmpty else { return plan.idle("no range that could be emptied fills whole blocks of memory") }
    for candidate in candidates {
      for block in candidate.blocks {
        let path = RecordedBlock.statePath(of: block.index)
        guard !plan.writes.contains(where: { $0.path == path }) else { continue }
        plan.writes.append(HostChange(path: path, value: "offline"))
        plan.writes.append(HostChange(path: path, value: "<online_kernel or online_movable, as it was>"))
      }
      for pool in pools(of: candidate, situation) where !plan.writes.contains(where: { $0.path == pool.files.totalPath }) {
        plan.writes.append(HostChange(path: pool.files.totalPath, value: "<as many as before>"))
      }
    }
    plan.cost =
      "each block is gone for a moment, at most \(situation.options.blockLimit.components.seconds) s; what is in it moves"
    return plan
  }

  func run(_ work: ReserveWork, _ situation: ReserveSituation) throws(StepError) {
    var tries = situation.goals.reduce(UInt64(0)) { $0 + situation.missing($1).rawValue } * 2
    var tried: Set<FrameNumber> = []
    while tries > 0, !work.isMet {
      // What moved out of one range lies in another now, and the kernel may have made a page of a third: a page of the pool, which
      // would go with its block.
      var now = situation
      try work.step { () throws(ReserveStop) in now = try work.situation() }
      let next = candidates(now, accepts: Self.isEmptiable).first { candidate in
        !tried.contains(candidate.start)
          && candidate.blocks.allSatisfy { work.mayWrite(RecordedBlock.statePath(of: $0.index)) }
          && pools(of: candidate, now).allSatisfy { work.mayWrite($0.files.totalPath) }
          && work.goals.contains { $0.size == candidate.size && work.missing($0) > .zero }
      }
      guard let next else { return }
      tries -= 1
      tried.insert(next.start)
      guard let blocks = record(next, work) else { continue }
      try empty(next, blocks, work, now)
    }
  }

  /// Cycles the blocks, asks for the page that they make, and gives smaller pools back what went with them.
  private func empty(
    _ candidate: Candidate, _ blocks: [RecordedBlock], _ work: ReserveWork, _ situation: ReserveSituation
  ) throws(StepError) {
    var losses: [PoolLoss] = []
    for pool in pools(of: candidate, situation) {
      let most = min(pool.persistent, HugePageCount(ByteCount(candidate.poolFrames, situation.baseShift) / pool.size.bytes))
      losses.append(PoolLoss(files: pool.files, had: pool.persistent, most: most))
    }
    var end: StepError?
    do throws(StepError) {
      try work.step { () throws(ReserveStop) in
        for loss in losses {
          _ = try work.current(loss.files)
          try work.note(.pool(loss.files, from: loss.had, to: loss.had - loss.most))
        }
      }
      try cycle(blocks, work, limit: situation.options.blockLimit)
      try work.step { () throws(ReserveStop) in
        for loss in losses { try work.takeLoss(loss) }
        try work.ask(situation)
      }
    } catch {
      end = error
    }
    for loss in losses { work.makeGood(loss) }
    if let end { throw end }
  }

  /// The blocks as they are; nil, with a note, where one of them could not come back as it was, or the node has no room without
  /// them.
  private func record(_ candidate: Candidate, _ work: ReserveWork) -> [RecordedBlock]? {
    var recorded: [RecordedBlock] = []
    do throws(MemoryBlockRefusal) {
      for block in candidate.blocks { recorded.append(try RecordedBlock(block.index, of: work.host.root)) }
    } catch {
      work.notes.append(error.reason)
      return nil
    }
    guard let room = try? NodeRoom(of: work.host.root, work.options).room(on: candidate.node),
      let size = try? MemoryBlocks(of: work.host.root)?.size, room >= size * UInt64(recorded.count)
    else {
      work.notes.append("\(recorded.count) blocks were left alone: their node would fall below its margin")
      return nil
    }
    return recorded
  }

  /// Takes blocks offline, each within its time, and brings all back, whatever happened.
  private func cycle(_ blocks: [RecordedBlock], _ work: ReserveWork, limit: Duration) throws(StepError) {
    var gone: [RecordedBlock] = []
    var end: StepError?
    for block in blocks {
      do throws(StepError) {
        try work.step { () throws(ReserveStop) in
          try work.checkpoint()
          try work.note(.block(block.number, zone: block.zone))
        }
        gone.append(block)
        try work.prepare(block.statePath, "offline", limit: limit)
      } catch {
        end = error
        break
      }
    }
    for block in gone.reversed() where block.isOffline(of: work.host.root) {
      if let trouble = block.bringBack(through: work.host) {
        work.troubles.append(trouble)
      } else {
        work.changes.append(HostChange(path: block.statePath, value: block.onlineWord))
      }
    }
    switch end {
    case .stop(let stop)?: throw .stop(stop)
    case .failed(let reason)?: work.notes.append(reason)
    case nil: break
    }
  }
}
