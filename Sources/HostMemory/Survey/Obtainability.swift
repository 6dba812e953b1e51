import MemoryUnits
import PhysicalLayout

/// How many pages the kernel would give: verdicts say which ranges could become pages each by itself, this says how many
/// of them can together.
struct Obtainability {
  let zones: [ZoneReport]
  let judgements: [ZoneJudgement]
  let seen: [[UInt64]]
  let policy: KernelPolicy
  /// Memory that the kernel still counts as its own to hand over: less than the frames that look so, since it keeps
  /// some (descriptors, tables) for itself. Nil where totals are unknown.
  let handedOverLater: FrameCount?

  private func frames(_ kind: FrameClass, _ zone: Int) -> UInt64 { seen[zone][Int(kind.rawValue)] }

  /// Frames of a zone that moved contents can go to, or that dropping file cache would make free.
  private func room(in zone: Int) -> UInt64 { freeRoom(in: zone) + frames(.droppable, zone) }

  /// Frames of a zone that are free, or will be handed over as soon as they are needed.
  private func freeRoom(in zone: Int) -> UInt64 {
    var room = frames(.free, zone)
    if judgements[zone].isDeferred { room += min(frames(.emptySection, zone), handedOverLater?.rawValue ?? .max) }
    if judgements[zone].hidesFreeTails { room += frames(.freeTail, zone) }
    // At most what the per-CPU lists hold, whatever else lacks flags.
    room += min(frames(.undecided, zone), zones[zone].onCPULists?.rawValue ?? 0)
    return room
  }

  /// Decides which candidates are taken, in the kernel's order, as long as what must move finds room.
  ///
  /// Verdicts of ranges that find none become blocked. The kernel settles frames between lists whenever it starts to
  /// empty a range, so a range blocked by nothing else is obtainable as soon as any other one is.
  ///
  /// - Complexity: O(ranges).
  func takeContiguous(_ verdicts: inout [RangeVerdict], _ result: inout SizeResult) {
    var room = zones.indices.reduce(Int64(0)) { sum, zone in
      zones[zone].name == "Device"
        ? sum : sum + Int64(clamping: self.room(in: zone)) - Int64(clamping: zones[zone].minimum.rawValue)
    }
    var taken: UInt64 = 0
    func take(_ index: Int) -> Bool {
      let verdict = verdicts[index]
      let moving = verdict.toMove - verdict.droppable
      let cost = Int64(clamping: (verdict.free + verdict.droppable + moving).rawValue)
      guard moving == .zero || room >= cost else { return false }
      room -= cost
      taken += 1
      return true
    }
    let order = searchOrder(verdicts)
    for index in order where verdicts[index].verdict == .free || verdicts[index].verdict == .movable {
      if take(index) { continue }
      verdicts[index].verdict = .blocked
      verdicts[index].certainty = .likely
      verdicts[index].reasons[.noRoom] = verdicts[index].toMove - verdicts[index].droppable
      verdicts[index].firstBlocking = verdicts[index].firstToMove
      verdicts[index] = verdicts[index].withRemedies()
    }
    if taken > 0 {
      for index in order where verdicts[index].isOnlyUnsettled && take(index) {
        verdicts[index].verdict = .movable
        verdicts[index].certainty = .likely
        verdicts[index].reasons = [:]
        verdicts[index].firstBlocking = nil
        verdicts[index] = verdicts[index].withRemedies()
      }
    }
    for verdict in verdicts {
      let node = verdict.zone.map { zones[$0].node }
      result.count(verdict, on: node)
      guard verdict.verdict == .free || verdict.verdict == .movable else { continue }
      result.obtainableBy[verdict.certainty, default: 0] += 1
      guard let node else { continue }
      result.obtainableByNode[node, default: .zero] += HugePageCount(1)
      result.workByNode[node, default: .zero] += verdict.toMove
    }
    result.obtainable = taken
  }

  /// Highest zone of each node first, as the kernel's zone lists have it; ascending inside a zone.
  private func searchOrder(_ verdicts: [RangeVerdict]) -> [Int] {
    verdicts.indices.sorted { left, right in
      (verdicts[left].zone ?? -1, right) > (verdicts[right].zone ?? -1, left)
    }
  }

  /// Counts pages that the allocator gives from its own lists, and by what compaction it does on the way.
  ///
  /// The kernel stops at the first page that it cannot make. As long as free blocks are left that does not happen; once
  /// they are used up it compacts, and gives up early or late, from one try to the next. So ranges are counted in which
  /// little must move, and the others told as what compaction or dropping caches would add. Each zone keeps its minimum,
  /// and what it holds back from requests that could be served elsewhere.
  func takeFromLists(_ groups: [TallyGroup], judge: RangeJudge, _ result: inout SizeResult) {
    let pageFrames = result.order.frames.rawValue
    var candidates = Array(repeating: [Certainty: UInt64](), count: zones.count)
    for group in groups {
      let verdict = judge.judge(group.example, amounts: group.amounts, ranges: group.ranges)
      result.count(verdict, on: verdict.zone.map { zones[$0].node }, times: group.ranges)
      guard let zone = verdict.zone, policy.searches(zoneNamed: zones[zone].name, for: result.order) else { continue }
      switch (verdict.verdict, group.example.effort(of: result.order)) {
      case (.free, _), (.movable, .little): candidates[zone][verdict.certainty, default: 0] += group.ranges
      case (.movable, .dropping): result.remedies[.dropCaches, default: 0] += group.ranges
      case (.movable, .moving): result.remedies[.compact, default: 0] += group.ranges
      case (.blocked, .little) where verdict.isOnlyUnsettled || verdict.isOnlyDeferred:
        // Memory that was not handed over yet is handed over when the free lists run dry.
        candidates[zone][.likely, default: 0] += group.ranges
        for remedy in verdict.remedies { result.remedies[remedy, default: 0] -= group.ranges }
      default: break
      }
    }
    for zone in zones.indices {
      let kept = zones[zone].minimum.rawValue + zones[zone].reserveForHigherZones.rawValue
      let room = freeRoom(in: zone)
      var left = room > kept ? (room - kept) / pageFrames : 0
      for certainty in Certainty.allCases {
        let count = min(left, candidates[zone][certainty] ?? 0)
        left -= count
        result.obtainableBy[certainty, default: 0] += count
        result.obtainable += count
        result.obtainableByNode[zones[zone].node, default: .zero] += HugePageCount(count)
      }
    }
    result.remedies = result.remedies.filter { $0.value > 0 }
  }
}

extension RangeVerdict {
  /// The same with the remedies that its reasons now call for.
  func withRemedies() -> RangeVerdict {
    var copy = self
    copy.remedies = RangeJudge.remedies(reasons)
    return copy
  }
}
