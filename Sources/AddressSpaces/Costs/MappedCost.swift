public import MemoryUnits

/// What it costs to translate the addresses of a part of a space that is mapped.
public struct MappedCost: Hashable, Sendable {
  /// What pages of one size map.
  public struct Part: Hashable, Sendable {
    public let leaf: TableShape.Leaf
    /// What a translation costs, the host's share included.
    public let cost: WalkCost
    /// Base pages mapped with this size.
    public internal(set) var frames = FrameCount.zero
    /// Entries of a translation buffer that cover them: one for a page, for a run of entries too; where the host's pages are smaller, one
    /// for each of those.
    public internal(set) var buffered = EntryCount.zero
  }

  /// One for each size that the tables have, the smallest first; zero where nothing is mapped with it.
  public internal(set) var parts: [Part]

  /// Nothing mapped.
  init(_ shape: TableShape, _ host: HostWalk) {
    parts = shape.leaves.map { Part(leaf: $0, cost: shape.walk(to: $0).nested(in: host.cost)) }
  }

  /// Base pages that are mapped.
  public var frames: FrameCount { sum { $0.frames } }

  /// Base pages that are mapped by entries of a level.
  public func frames(at level: TableLevel) -> FrameCount { sum { $0.leaf.level == level ? $0.frames : .zero } }

  /// Entries of a translation buffer that cover all that is mapped.
  public var buffered: EntryCount { sum { $0.buffered } }

  /// References to memory for one translation in each base page that is mapped: divided by ``frames``, the average.
  public var references: ReferenceCount { sum { $0.cost.references * $0.frames.rawValue } }

  /// The average for a thousand translations, rounded to the nearest, half of one upwards; nil where nothing is mapped. A kernel has no
  /// floating point.
  public var referencesPerThousand: ReferenceCount? {
    let frames = frames
    guard frames > .zero else { return nil }
    let (high, low) = references.rawValue.multipliedFullWidth(by: 1000)
    // The average is at most the largest part's, of hundreds.
    let (quotient, rest) = frames.rawValue.dividingFullWidth((high, low))
    return ReferenceCount(quotient + (rest >= frames.rawValue - rest ? 1 : 0))
  }

  private func sum<Unit: Amount>(_ value: (Part) -> Unit) -> Unit {
    var sum = Unit.zero
    for part in parts { sum += value(part) }
    return sum
  }
}
