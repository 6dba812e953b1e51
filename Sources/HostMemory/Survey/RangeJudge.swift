import MemoryUnits
import Mobility

/// Turns a tally into a verdict: it says what the classes of frames mean to ``RangeRule``, which decides, and how sure that is.
///
/// The rule is the engine's own; what is left here is what a host's files leave open. Linux: `alloc_contig_pages`,
/// `pfn_range_valid_contig`, `has_unmovable_pages`; `alloc_buddy_hugetlb_folio`.
struct RangeJudge: Sendable {
  let zones: [ZoneReport]
  let judgements: [ZoneJudgement]
  let policy: KernelPolicy
  let order: Order
  /// Whether some pages are pinned somewhere, so that movable ones may turn out not to be.
  let hasPins: Bool

  /// - Parameters:
  ///   - amounts: the frames of several ranges that `tally` stands for; by default its own.
  ///   - ranges: how many those are.
  ///   - mapped: frames found to be mapped by processes although they have no flags, so somebody's.
  func judge(
    _ tally: RangeTally, amounts: RangeTally? = nil, ranges: UInt64 = 1, mapped: MappedCounts.Finding = .init()
  ) -> RangeVerdict {
    let counts = (amounts ?? tally).counts
    let range = FrameRange(blockAt: tally.start, order: order)
    let zone: Int? = if case .one(let index) = tally.zone { index } else { nil }
    let split = Undecided(amounts ?? tally, zone.map { judgements[$0] })

    var contents = RangeContents()
    contents.free = FrameCount(counts[.free] + split.free)
    contents.movable = FrameCount(counts[.migratable])
    contents.droppable = FrameCount(counts[.droppable])
    contents.hugePages = tally.hugePages(of: order)
    contents.hugeFrames = FrameCount(counts[.huge])
    contents.firstHugeFrame = tally.first(.huge)

    var reasons: [Reason: FrameCount] = [:]
    func blame(_ reason: Reason, _ count: UInt64, _ obstacle: Obstacle) {
      guard count > 0 else { return }
      reasons[reason, default: .zero] += FrameCount(count)
      contents.obstacles.add(obstacle, FrameCount(count), first: tally.start)
    }
    blame(.hole, counts[.absent], .hole)
    blame(.slab, counts[.slab], .reclaimable)
    blame(.pageTables, counts[.pageTable], .pageTable)
    blame(.reserved, counts[.reserved], .reserved)
    blame(.kernel, counts[.kernel] + mapped.count.rawValue, .unmovable)
    // What is not online is no memory yet; what a balloon took is somebody's for good.
    blame(.offline, counts[.offline], tally.hasOfflineBlock ? .hole : .reserved)
    blame(.poisoned, counts[.poisoned], .reserved)
    switch tally.zone {
    case .one: break
    case .several: blame(.border, (range.count * ranges).rawValue, .border)
    case .none: contents.obstacles.add(.hole, range.count, first: tally.start)
    }
    let rule = policy.rule(for: order)
    let isSearched = zone.map { policy.searches(zoneNamed: zones[$0].name, for: order) } ?? true
    // What is proven, then what the data leave open, then what may settle at any moment.
    let proven = rule.outcome(contents, isSearched: isSearched)
    blame(.unknown, split.unknown, .unmovable)
    blame(.deferred, split.deferred, .reserved)
    let unless = rule.outcome(contents, isSearched: isSearched)
    blame(.unsettled, counts[.unsettled], .busy)
    let outcome = rule.outcome(contents, isSearched: isSearched)

    if outcome.obstacles[.hugePage] > .zero {
      reasons[contents.hugePages == .larger ? .largerHugePage : .smallerHugePages] = outcome.obstacles[.hugePage]
    }
    if !isSearched { reasons[.zone] = range.count * ranges }
    let verdict = Verdict(outcome.kind)
    if verdict == .held { reasons = [:] }
    let certainty: Certainty
    switch outcome.kind {
    case .held, .excluded: certainty = .certain
    case .blocked:
      certainty = !proven.isPossible ? .certain : unless.isPossible || split.deferred > 0 ? .likely : .unknown
    case .movable: certainty = hasPins ? .unknown : .likely
    case .free: certainty = split.free == 0 || split.isFreeCertain ? .certain : .likely
    }
    return RangeVerdict(
      range: range, zone: zone, verdict: verdict, certainty: certainty, reasons: reasons,
      firstBlocking: verdict == .blocked ? firstBlocking(tally, split, reasons, mapped) : nil,
      firstToMove: [FrameClass.migratable, .droppable].compactMap { tally.first($0) }.min(),
      free: contents.free, toMove: outcome.moves, droppable: contents.droppable,
      remedies: verdict == .blocked || verdict == .excluded ? Self.remedies(reasons) : [],
      isOnlyUnsettled: verdict == .blocked && unless.isPossible)
  }

  /// What becomes of the frames without flags.
  private struct Undecided {
    var free: UInt64 = 0
    var unknown: UInt64 = 0
    var deferred: UInt64 = 0
    var isFreeCertain = false

    init(_ tally: RangeTally, _ zone: ZoneJudgement?) {
      let all = tally.counts
      let near = tally.nearUnmovable
      guard let zone else {
        unknown = all.sum(.undecided, .emptySection, .freeTail)
        return
      }
      var kinds: [FrameClass] = [.undecided]
      if zone.isDeferred { deferred = all[.emptySection] } else { kinds.append(.emptySection) }
      if zone.hidesFreeTails { free = all[.freeTail] } else { kinds.append(.freeTail) }
      let without = kinds.reduce(0) { $0 + all[$1] }
      let withoutNear = kinds.reduce(0) { $0 + near[$1] }
      switch zone.undecided {
      case .free:
        free += without
        isFreeCertain = true
      case .freeElsewhere:
        free += without - withoutNear
        unknown = withoutNear
      case .unknown: unknown = without
      }
    }
  }

  /// Whether a verdict hangs on frames without flags.
  static func hangs(_ verdict: RangeVerdict, _ tally: RangeTally) -> Bool {
    guard verdict.verdict == .free || verdict.verdict == .movable, verdict.certainty != .certain else { return false }
    return tally.counts.sum(.undecided, .emptySection, .freeTail) > 0
  }

  private func firstBlocking(
    _ tally: RangeTally, _ split: Undecided, _ reasons: [Reason: FrameCount], _ mapped: MappedCounts.Finding
  ) -> FrameNumber? {
    var kinds: [FrameClass] = [.slab, .pageTable, .reserved, .kernel, .offline, .poisoned, .unsettled]
    if reasons[.smallerHugePages] != nil || reasons[.largerHugePage] != nil { kinds.append(.huge) }
    let proven = (kinds.map { tally.first($0) } + [mapped.first]).compactMap { $0 }.min()
    if let proven { return proven }
    var guesses: [FrameClass] = []
    if split.deferred > 0 { guesses.append(.emptySection) }
    if split.unknown > 0 { guesses += [.undecided, .emptySection, .freeTail] }
    return guesses.compactMap { tally.first($0) }.min()
  }

  /// What has to be done, the hardest first.
  static func remedies(_ reasons: [Reason: FrameCount]) -> [Remedy] {
    var remedies: Set<Remedy> = []
    for reason in reasons.keys {
      switch reason {
      case .slab, .unknown: remedies.insert(.dropCaches)
      case .pageTables, .noRoom: remedies.insert(.moveProcess)
      case .reserved, .kernel, .poisoned: remedies.insert(.nextBoot)
      case .unsettled: remedies.insert(.compact)
      case .smallerHugePages, .largerHugePage: remedies.insert(.shrinkPool)
      case .offline: remedies.insert(.online)
      case .deferred: remedies.insert(.touch)
      case .hole, .border, .zone: return []
      }
    }
    return Remedy.allCases.reversed().filter(remedies.contains)
  }
}
