import MemoryUnits

/// How a zone's frames without flags are to be read, from the sums over the zone.
///
/// A frame without flags is free on a per-CPU list, or the kernel's own, or not yet handed to the allocator; the kernel
/// exports no more. Sums tell more than the frame does: the kernel prints how many frames its per-CPU lists hold, and
/// how many it was given.
struct ZoneJudgement: Sendable {
  enum Undecided: Sendable {
    /// No more frames lack flags than the per-CPU lists hold.
    case free
    /// The surplus fits, all but a quarter of the rest at most, into the pageblocks where something unmovable was seen;
    /// the frames elsewhere are likely free.
    case freeElsewhere
    case unknown
  }

  /// Whole sections without flags were not handed over yet.
  let isDeferred: Bool
  /// The kernel flags only the first frame of a free block.
  let hidesFreeTails: Bool
  let undecided: Undecided

  init(_ zone: ZoneReport, seen: [UInt64], nearUnmovable: [UInt64]) {
    func frames(_ kind: FrameClass, _ counts: [UInt64]) -> UInt64 { counts[Int(kind.rawValue)] }
    let missing = zone.present.rawValue &- zone.managed.rawValue
    let reserved = frames(.reserved, seen)
    let emptySections = frames(.emptySection, seen)
    let backlog = missing > reserved ? missing - reserved : 0
    let isDeferred = emptySections > 0 && backlog >= emptySections / 2
    let tails = frames(.freeTail, seen)
    let hidesFreeTails = tails > 0 && zone.free.rawValue > frames(.free, seen) + tails / 2
    self.isDeferred = isDeferred
    self.hidesFreeTails = hidesFreeTails

    func withoutOwner(_ counts: [UInt64]) -> UInt64 {
      frames(.undecided, counts) + (isDeferred ? 0 : frames(.emptySection, counts))
        + (hidesFreeTails ? 0 : frames(.freeTail, counts))
    }
    guard let onLists = zone.onCPULists?.rawValue else {
      undecided = withoutOwner(seen) == 0 ? .free : .unknown
      return
    }
    let all = withoutOwner(seen)
    let near = withoutOwner(nearUnmovable)
    // The lists change while the file is read; empty ones explain nothing.
    let drift = onLists == 0 ? 0 : max(64, onLists / 64)
    if all <= onLists + drift {
      undecided = .free
    } else if all - onLists <= near + (onLists == 0 ? 0 : max(drift, (all - near) / 4)) {
      undecided = .freeElsewhere
    } else {
      undecided = .unknown
    }
  }
}
