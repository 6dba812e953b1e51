public import MemoryUnits

/// An amount of references to memory.
@frozen public struct ReferenceCount: Amount {
  public let rawValue: UInt64
  public init(rawValue: UInt64) { self.rawValue = rawValue }
  public var description: String { String(rawValue) }
}

/// What it costs to translate an address that no translation buffer knows: how often the processor refers to memory.
///
/// The count of a walk that reads every level. What processors keep of upper levels is not taken off: it depends on the processor, and
/// on what it did before.
///
/// Linux: no counterpart; `perf stat -e dtlb_load_misses.walk_duration` and its like measure what this counts.
public struct WalkCost: Hashable, Comparable, Sendable {
  public let references: ReferenceCount

  /// No translation at all: what is below a machine that is nobody's guest.
  public static var none: WalkCost { WalkCost(references: .zero) }

  /// What the walk costs where its own tables and its result lie in memory that `host` translates.
  ///
  /// Each of the g tables is read at an address of the guest: a walk of h in the host leads to it, and the read itself is one more. The
  /// result, too, is an address of the guest, and takes another h. So g * (h + 1) + h, which is (g + 1) * (h + 1) - 1. The rule holds for
  /// a guest of a guest: in which order walks are nested makes no difference.
  ///
  /// - Complexity: O(1).
  public func nested(in host: WalkCost) -> WalkCost {
    let one = ReferenceCount(1)
    return WalkCost(references: (references + one) * (host.references + one).rawValue - one)
  }

  public static func < (left: WalkCost, right: WalkCost) -> Bool { left.references < right.references }
}

extension TableShape {
  /// What it costs to come from the root to a page: one read for each level down to that of its entries.
  ///
  /// Traps where `leaf` is of another shape. Complexity: O(sizes).
  public func walk(to leaf: Leaf) -> WalkCost {
    precondition(leaves.contains(leaf), "a size that these tables do not have")
    return WalkCost(references: ReferenceCount(UInt64(levels.rawValue - leaf.level.rawValue)))
  }
}

/// How the machine below a guest translates the guest's physical addresses.
public struct HostWalk: Hashable, Sendable {
  public let cost: WalkCost
  /// The pages that it maps the guest's memory with; nil where nothing is translated.
  public let pageSize: PageSize?

  /// No host: addresses of the machine are physical.
  public static var native: HostWalk { HostWalk(cost: .none, pageSize: nil) }

  /// A host whose tables have `shape`, and which maps all memory of the guest with pages of `leaf`.
  ///
  /// Traps where `leaf` is of another shape.
  public init(_ shape: TableShape, _ leaf: TableShape.Leaf) {
    self.init(cost: shape.walk(to: leaf), pageSize: leaf.size)
  }

  private init(cost: WalkCost, pageSize: PageSize?) {
    self.cost = cost
    self.pageSize = pageSize
  }
}
