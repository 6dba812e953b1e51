import FrameAllocator
public import MemoryUnits

/// When anonymous memory of base pages gets larger pages by itself, by page size.
///
/// Linux: `/sys/kernel/mm/transparent_hugepage`, with a folder for each size.
public struct TransparentPolicy: Hashable, Sendable {
  /// Who gets pages of a size. Linux: the words in `enabled`.
  public enum Use: Hashable, Sendable {
    case never
    /// Mappings whose owner asked for it: ``Advice/hugePages(_:)``. Linux: `madvise`.
    case advised
    case always

    var bit: UInt8 {
      switch self {
      case .never: 0
      case .advised: 1
      case .always: 2
      }
    }
  }

  struct Rule: Hashable, Sendable {
    let size: PageSize
    let use: Use
  }

  /// Largest size first; sizes that nobody gets are left out.
  private(set) var rules: [Rule] = []

  /// How many base pages of a range that is collapsed may be empty. Linux: `max_ptes_none`.
  public var mostEmpty = PageCount(511)
  /// How many of them may be swapped out; these are read in first. Linux: `max_ptes_swap`.
  public var mostSwapped = PageCount(64)
  /// Whether swapping takes large pages apart first, instead of writing them as a whole. Linux: before 4.13, and where there is no room.
  public var splitsBeforeSwap = false

  /// Nobody gets any.
  public init() {}

  /// - Parameter sizes: powers of two above the base page's, of at least four base pages for anonymous memory.
  public init(_ sizes: [PageSize], _ use: Use) {
    for size in sizes { self[size] = use }
  }

  /// Who gets pages of `size`. Sizes that tables cannot map by one entry are mapped by several.
  public subscript(size: PageSize) -> Use {
    get {
      for rule in rules where rule.size == size { return rule.use }
      return .never
    }
    set {
      rules.removeAll { $0.size == size }
      guard newValue != .never else { return }
      let place = rules.firstIndex { $0.size < size } ?? rules.count
      rules.insert(Rule(size: size, use: newValue), at: place)
    }
  }
}

extension VirtualMemory {
  /// What decides about larger pages from now on; pages that are there stay as they are.
  ///
  /// Threads: any.
  public var transparentPolicy: TransparentPolicy { books.policy.withLock { $0 } }

  /// Sets ``transparentPolicy``.
  public func setTransparentPolicy(_ policy: TransparentPolicy) { books.setPolicy(policy) }
}

extension Mapping {
  /// Whether its pages may be larger than it says: anonymous memory of base pages.
  var isTransparent: Bool { !isShared && object == nil && !isHuge }

  /// Whether a rule is for the mapping.
  func allows(_ use: TransparentPolicy.Use) -> Bool {
    guard isTransparent, !marks.contains(.hugeRefused) else { return false }
    switch use {
    case .never: return false
    case .advised: return marks.contains(.hugeAdvised)
    case .always: return true
    }
  }
}
