import MemoryUnits
import Mobility

/// What was found in one naturally aligned range.
struct RangeTally: Sendable {
  /// The zones whose frames the range holds.
  enum Zone: Equatable, Sendable {
    case none
    case one(Int)
    /// More than one, or frames that no zone claims.
    case several
  }

  let start: FrameNumber
  private(set) var counts = ClassCounts()
  /// The part of `counts` in pageblocks where something unmovable was seen. The kernel keeps such things together, so an
  /// undecided frame there is likely the kernel's, and elsewhere likely free.
  private(set) var nearUnmovable = ClassCounts()
  private(set) var zone = Zone.none
  /// Whether part of the range lies in a block that was not brought online.
  private(set) var hasOfflineBlock = false
  /// Pool pages that begin in the range.
  private(set) var hugeHeads: UInt64 = 0
  /// The length of the pool page that begins with the range.
  private(set) var leadingHugePage = FrameCount.zero
  private var firsts = SIMD16<UInt32>(repeating: .max)

  init(start: FrameNumber) { self.start = start }

  /// - Parameter hugePage: where a pool page begins with these frames, its length, which may reach beyond them.
  mutating func add(_ count: UInt64, _ kind: FrameClass, at frame: FrameNumber, hugePage: FrameCount) {
    counts.add(count, kind)
    let offset = UInt32(truncatingIfNeeded: (frame - start).rawValue)
    firsts[Int(kind.rawValue)] = min(firsts[Int(kind.rawValue)], offset)
    if hugePage > .zero {
      hugeHeads += 1
      if frame == start { leadingHugePage = hugePage }
    }
  }

  mutating func add(_ state: HostLayout.State) {
    switch (state, zone) {
    case (.hole, _): break
    case (.offline, _): hasOfflineBlock = true
    case (.zone(let index), .none): zone = .one(index)
    case (.zone(let index), .one(let known)) where index == known: break
    default: zone = .several
    }
  }

  /// Closes a pageblock: from now on `nearUnmovable` tells where its frames stood.
  mutating func finishPageblock() {
    if FrameClass.allCases.contains(where: { $0.isEvidenceOfUnmovable && counts[$0] > 0 }) { nearUnmovable = counts }
  }

  /// Takes in a smaller range inside this one.
  mutating func add(_ part: RangeTally) {
    counts.add(part.counts)
    nearUnmovable.add(part.nearUnmovable)
    switch (part.zone, zone) {
    case (.none, _): break
    case (_, .none): zone = part.zone
    case (.one(let left), .one(let right)) where left == right: break
    default: zone = .several
    }
    hasOfflineBlock = hasOfflineBlock || part.hasOfflineBlock
    hugeHeads += part.hugeHeads
    if part.start == start { leadingHugePage = part.leadingHugePage }
    let shift = UInt32(truncatingIfNeeded: (part.start - start).rawValue)
    for lane in 0..<FrameClass.laneCount where part.firsts[lane] != .max {
      firsts[lane] = min(firsts[lane], part.firsts[lane] &+ shift)
    }
  }

  /// The first frame of a class, nil where there is none.
  func first(_ kind: FrameClass) -> FrameNumber? {
    let offset = firsts[Int(kind.rawValue)]
    return offset == .max ? nil : start + FrameCount(UInt64(offset))
  }

  /// What emptying the range asks of the allocator's own compaction.
  enum Effort: Hashable {
    /// At most an eighth of the frames must move: done in passing.
    case little
    /// More must move, most of it file cache that could be dropped.
    case dropping
    case moving
  }

  func effort(of order: Order) -> Effort {
    let moving = FrameCount(counts.sum(.migratable, .droppable))
    if RangeRule.isMadeInPassing(moves: moving, of: order.frames) { return .little }
    return counts[.droppable] > counts[.migratable] ? .dropping : .moving
  }

  /// How pool pages lie in the range, which is one of `order`.
  func hugePages(of order: Order) -> RangeContents.HugePages {
    guard counts[.huge] > 0 else { return .none }
    guard counts[.huge] == order.frames.rawValue else { return .smaller }
    if leadingHugePage == order.frames { return .whole }
    return hugeHeads == 0 || leadingHugePage > order.frames ? .larger : .smaller
  }

  /// Takes in the frames of another range of the same kind; places are not kept.
  mutating func addAmounts(of other: RangeTally) {
    counts.add(other.counts)
    nearUnmovable.add(other.nearUnmovable)
  }
}

/// All that a verdict depends on, amounts apart: ranges with equal signatures get equal verdicts.
struct RangeSignature: Hashable {
  private let zone: Int
  private let present: UInt16
  private let presentElsewhere: UInt16
  private let hasOfflineBlock: Bool
  private let hasHugeHeads: Bool
  private let leadingHugePage: FrameCount
  private let isWhollyHuge: Bool
  private let effort: RangeTally.Effort

  init(_ tally: RangeTally, order: Order) {
    switch tally.zone {
    case .none: zone = -1
    case .several: zone = -2
    case .one(let index): zone = index
    }
    present = tally.counts.presence
    presentElsewhere = tally.counts.presence(beyond: tally.nearUnmovable)
    hasOfflineBlock = tally.hasOfflineBlock
    hasHugeHeads = tally.hugeHeads > 0
    leadingHugePage = tally.leadingHugePage
    isWhollyHuge = tally.counts[.huge] == order.frames.rawValue
    effort = tally.effort(of: order)
  }
}

/// Ranges with equal signatures, too many to keep one by one.
struct TallyGroup {
  /// The first of them; it stands for all in every question of kind.
  let example: RangeTally
  /// Their frames together.
  var amounts: RangeTally
  var ranges: UInt64 = 1
}
