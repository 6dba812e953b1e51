public import Mobility

/// What kernels differ in about pools of huge pages.
public struct HugePoolPolicy: Hashable, Sendable {
  /// Which sizes come as movable frames, from movable zones too.
  public enum Movable: Hashable, Sendable {
    case none
    /// Those that the allocator keeps blocks of. Linux: sizes that can migrate and are not gigantic.
    case ordinarySizes
    /// Linux: with `vm.movable_gigantic_pages`.
    case allSizes
  }

  /// What is tried for an ordinary size where no block is free.
  public enum Search: Hashable, Sendable {
    case nothing
    /// Linux: the allocator's slow path.
    case compaction
    /// As for gigantic sizes: the range that costs the fewest moves, whatever the watermarks.
    case contiguousRange
  }

  public var movable = Movable.ordinarySizes
  public var search = Search.compaction
  /// Whether pages above the allocator's top order may be surplus: gathered by reservations and users beyond the pool's size. Kernels
  /// differ.
  public var allowsGiganticSurplus = true
  /// How contiguous ranges are taken.
  public var contiguous = ContiguousPolicy()

  public init() {}
}
