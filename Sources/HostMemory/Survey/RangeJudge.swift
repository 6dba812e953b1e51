import MemoryUnits

/// The rule that turns a tally into a verdict. All of it stands in this file.
///
/// It follows what the kernel does when asked for a pool page. Gigantic pages: each zone from its first aligned range
/// upwards, a range is passed over where a frame is missing, of another zone, reserved or a pool page; then every
/// pageblock is isolated, which fails on any frame that is neither free nor on a list of movable pages; then the rest
/// is moved away. Huge pages up to the allocator's top order: free lists first, then compaction, which makes free blocks
/// wherever the same conditions hold.
///
/// Linux: `alloc_contig_pages`, `pfn_range_valid_contig`, `has_unmovable_pages`; `alloc_buddy_hugetlb_folio`.
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

    var reasons: [Reason: FrameCount] = [:]
    func blame(_ reason: Reason, _ count: UInt64) {
      if count > 0 { reasons[reason, default: .zero] += FrameCount(count) }
    }
    let isWhollyHuge = tally.counts[.huge] == order.frames.rawValue
    let isHeld = isWhollyHuge && tally.leadingHugePage == order.frames
    let isInsideLarger = isWhollyHuge && (tally.hugeHeads == 0 || tally.leadingHugePage > order.frames)

    var verdict = Verdict.free
    var certainty = Certainty.certain
    let free = FrameCount(counts[.free] + split.free)
    let movesHuge = policy.isGigantic(order) && policy.movesSmallerHugePages && !isHeld && !isInsideLarger
    let smallerHuge = movesHuge ? counts[.huge] : 0
    let toMove = FrameCount(counts[.migratable] + counts[.droppable] + smallerHuge)

    blame(.hole, counts[.absent])
    blame(.slab, counts[.slab])
    blame(.pageTables, counts[.pageTable])
    blame(.reserved, counts[.reserved])
    blame(.kernel, counts[.kernel] + mapped.count.rawValue)
    blame(.offline, counts[.offline])
    blame(.poisoned, counts[.poisoned])
    if !isHeld {
      if isInsideLarger {
        blame(.largerHugePage, counts[.huge])
      } else if !movesHuge {
        blame(.smallerHugePages, counts[.huge])
      }
    }
    let hasProof = !reasons.isEmpty
    blame(.unknown, split.unknown)
    blame(.deferred, split.deferred)
    let isBlockedWithoutUnsettled = !reasons.isEmpty
    blame(.unsettled, counts[.unsettled])

    let isUnusedZone = zone.map { !policy.searches(zoneNamed: zones[$0].name, for: order) } ?? false
    if isHeld {
      verdict = .held
      reasons = [:]
    } else if counts[.absent] > 0 || tally.hasOfflineBlock || tally.zone == .several || tally.zone == .none || isUnusedZone {
      verdict = .excluded
      if tally.zone == .several { reasons[.border] = range.count * ranges }
      if isUnusedZone { reasons[.zone] = range.count * ranges }
    } else if isBlockedWithoutUnsettled {
      verdict = .blocked
      certainty = hasProof ? .certain : split.deferred > 0 ? .likely : .unknown
    } else if counts[.unsettled] > 0 {
      verdict = .blocked
      certainty = .likely
    } else if toMove > .zero {
      verdict = .movable
      certainty = hasPins ? .unknown : .likely
    } else {
      certainty = split.free == 0 || split.isFreeCertain ? .certain : .likely
    }
    return RangeVerdict(
      range: range, zone: zone, verdict: verdict, certainty: certainty, reasons: reasons,
      firstBlocking: verdict == .blocked ? firstBlocking(tally, split, reasons, mapped) : nil,
      firstToMove: [FrameClass.migratable, .droppable].compactMap { tally.first($0) }.min(),
      free: free, toMove: toMove, droppable: FrameCount(counts[.droppable]),
      remedies: verdict == .blocked || verdict == .excluded ? Self.remedies(reasons) : [],
      isOnlyUnsettled: verdict == .blocked && !isBlockedWithoutUnsettled)
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
