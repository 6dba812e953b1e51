import MemoryUnits

/// What is special about a range of boot-time memory, or of a reservation.
///
/// Linux: `enum memblock_flags`.
public enum RegionKind: UInt8, Hashable, Sendable {
  case ordinary
  /// The firmware says that it may be taken away while running. Linux: `MEMBLOCK_HOTPLUG`.
  case hotpluggable
  /// Kept twice by the machine. Linux: `MEMBLOCK_MIRROR`.
  case mirrored
  /// Never in the direct map, never given out. Linux: `MEMBLOCK_NOMAP`.
  case unmapped
}

/// A range of memory, or of reserved bytes, with its owner node and kind.
///
/// Linux: `struct memblock_region`.
public struct MemoryRegion: Hashable, Sendable {
  public let range: PhysicalRange
  /// Nil where nobody said which node it belongs to.
  public let node: NodeID?
  public let kind: RegionKind

  public init(_ range: PhysicalRange, node: NodeID? = nil, kind: RegionKind = .ordinary) {
    self.range = range
    self.node = node
    self.kind = kind
  }
}

/// Why the boot allocator gave nothing.
public enum RegionAllocationError: Error, Hashable, Sendable {
  /// Zero bytes were asked for.
  case emptyRequest
  /// The alignment is zero or no power of two.
  case alignmentNotPowerOfTwo(ByteCount)
  /// No free range inside the bounds holds the size at the alignment; `largestFree` is the longest one there, alignment aside.
  case exhausted(wanted: ByteCount, largestFree: ByteCount)
}

/// What is wrong inside a ``RegionSet``.
public enum RegionInvariantError: Error, Hashable, Sendable {
  case emptyRegion(MemoryRegion)
  case overlapping(MemoryRegion, MemoryRegion)
  case unordered(MemoryRegion, MemoryRegion)
  /// Two regions touch, agree in node and kind, and are not one.
  case notMerged(MemoryRegion, MemoryRegion)
}
