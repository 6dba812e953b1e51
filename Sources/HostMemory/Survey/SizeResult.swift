import MemoryUnits
public import PhysicalLayout

/// What a host can give in pages of one size.
public struct SizeResult: Sendable {
  public let size: PageSize
  public let order: Order
  /// Whether such pages come from contiguous ranges and not from the allocator's lists.
  public let isGigantic: Bool
  /// Ranges by verdict.
  public internal(set) var ranges: [Verdict: UInt64] = [:]
  /// Pages that the kernel would give if asked for more than it has.
  public internal(set) var obtainable: UInt64 = 0
  /// `obtainable`, by how well the data support each page.
  public internal(set) var obtainableBy: [Certainty: UInt64] = [:]
  /// `obtainable`, by node.
  public internal(set) var obtainableByNode: [NodeID: HugePageCount] = [:]
  /// Frames that must be moved or dropped for these, by node; gigantic sizes only, since others come from the lists.
  public internal(set) var workByNode: [NodeID: FrameCount] = [:]
  /// Frames that stand in the way, over blocked and excluded ranges.
  public internal(set) var reasons: [Reason: FrameCount] = [:]
  /// Blocked ranges in which a reason occurs.
  public internal(set) var blockedRanges: [Reason: UInt64] = [:]
  /// The same by the node of the range's zone; a range that lies in no zone or in several is left out.
  public internal(set) var blockedByNode: [NodeID: [Reason: HugePageCount]] = [:]
  /// Blocked ranges by the hardest thing that has to be done for them.
  public internal(set) var remedies: [Remedy: UInt64] = [:]
  /// Every range in ascending order; empty for sizes that are only counted.
  public internal(set) var verdicts: [RangeVerdict] = []

  public subscript(_ verdict: Verdict) -> UInt64 { ranges[verdict] ?? 0 }

  init(size: PageSize, order: Order, isGigantic: Bool) {
    self.size = size
    self.order = order
    self.isGigantic = isGigantic
  }

  /// - Parameter node: of the zone that the range lies in.
  mutating func count(_ verdict: RangeVerdict, on node: NodeID?, times: UInt64 = 1) {
    ranges[verdict.verdict, default: 0] += times
    guard verdict.verdict == .blocked || verdict.verdict == .excluded else { return }
    for (reason, frames) in verdict.reasons { reasons[reason, default: .zero] += frames }
    guard verdict.verdict == .blocked else { return }
    for reason in verdict.reasons.keys {
      blockedRanges[reason, default: 0] += times
      if let node { blockedByNode[node, default: [:]][reason, default: .zero] += HugePageCount(times) }
    }
    if let hardest = verdict.remedies.first { remedies[hardest, default: 0] += times }
  }
}
