import MemoryUnits

/// The boot allocator's algebra: which bytes are memory, and which bytes are reserved.
///
/// Two sorted sets. A reservation may lie anywhere, over memory or not; free is what is memory and not reserved.
/// Ranges of zero bytes change nothing, and no operation traps on any range.
///
/// Linux: `memblock`.
public struct RegionSet: Hashable, Sendable {
  struct Attributes: Hashable, Sendable {
    var node: NodeID?
    var kind: RegionKind
  }

  var memoryMap = IntervalMap<Attributes>()
  var reservedMap = IntervalMap<Attributes>()

  public init() {}

  /// Memory, in rising order.
  public var memory: [MemoryRegion] { memoryMap.regions }

  /// Reservations, in rising order, whether over memory or not.
  public var reserved: [MemoryRegion] { reservedMap.regions }

  /// Bytes of memory.
  ///
  /// Linux: `memblock_phys_mem_size`.
  public var memorySize: ByteCount { memoryMap.size }

  /// Bytes of reservations.
  ///
  /// Linux: `memblock_reserved_size`.
  public var reservedSize: ByteCount { reservedMap.size }

  /// From the first byte of memory to the end of the last; nil without memory.
  ///
  /// Linux: `memblock_start_of_DRAM`, `memblock_end_of_DRAM`.
  public var span: PhysicalRange? {
    guard let first = memoryMap.intervals.first, let last = memoryMap.intervals.last else { return nil }
    return PhysicalRange(start: first.range.start, end: last.range.end)
  }

  /// Makes the parts of `range` that are not memory yet memory; parts that are keep their node and kind.
  ///
  /// Linux: `memblock_add_node`.
  public mutating func add(_ range: PhysicalRange, node: NodeID? = nil, kind: RegionKind = .ordinary) {
    memoryMap.rewrite(range) { $1 ?? Attributes(node: node, kind: kind) }
  }

  /// Makes `range` no memory.
  ///
  /// Linux: `memblock_remove`.
  public mutating func remove(_ range: PhysicalRange) { memoryMap.rewrite(range) { _, _ in nil } }

  /// Reserves `range`, memory or not; parts that are reserved already keep their node and kind.
  ///
  /// Linux: `memblock_reserve`.
  public mutating func reserve(_ range: PhysicalRange, node: NodeID? = nil, kind: RegionKind = .ordinary) {
    reservedMap.rewrite(range) { $1 ?? Attributes(node: node, kind: kind) }
  }

  /// Takes the reservation from `range`; nothing happens where there is none.
  ///
  /// Linux: `memblock_phys_free`.
  public mutating func unreserve(_ range: PhysicalRange) { reservedMap.rewrite(range) { _, _ in nil } }

  /// Gives the memory inside `range` to `node`.
  ///
  /// Linux: `memblock_set_node`.
  public mutating func setNode(_ node: NodeID?, over range: PhysicalRange) {
    memoryMap.rewrite(range) { _, old in
      guard let old else { return nil }
      return Attributes(node: node, kind: old.kind)
    }
  }

  /// Sets the kind of the memory inside `range`.
  ///
  /// Linux: `memblock_mark_hotplug`, `memblock_mark_mirror`, `memblock_mark_nomap`.
  public mutating func setKind(_ kind: RegionKind, over range: PhysicalRange) {
    memoryMap.rewrite(range) { _, old in
      guard let old else { return nil }
      return Attributes(node: old.node, kind: kind)
    }
  }

  /// Whether every byte of `range` is memory.
  public func isMemory(_ range: PhysicalRange) -> Bool { memoryMap.gaps(in: range).isEmpty }

  /// Whether some byte of `range` is memory.
  ///
  /// Linux: `memblock_overlaps_region`.
  public func hasMemory(in range: PhysicalRange) -> Bool { !memoryMap.intervals(in: range).isEmpty }

  /// The node of the memory at `address`; nil where there is no memory, or where it has no node.
  public func node(at address: PhysicalAddress) -> NodeID? { memoryMap.value(at: address)?.node }
}

// MARK: - Trimming

extension RegionSet {
  /// Shrinks each memory region to whole multiples of `alignment`, a power of two.
  ///
  /// Linux: `memblock_trim_memory`.
  public mutating func trim(to alignment: ByteCount) {
    precondition(alignment.rawValue.nonzeroBitCount == 1, "alignment is not a power of two")
    for region in memory {
      let end = region.range.end.aligned(to: alignment, .down)
      // A start above the last multiple leaves nothing, and rounding it up could overflow.
      let start = region.range.start > end ? region.range.end : region.range.start.aligned(to: alignment, .up)
      remove(PhysicalRange(start: region.range.start, end: min(start, region.range.end)))
      remove(PhysicalRange(start: max(end, region.range.start), end: region.range.end))
    }
  }

  /// Removes memory outside `bounds`.
  ///
  /// Linux: `memblock_cap_memory_range`.
  public mutating func cap(to bounds: PhysicalRange) {
    remove(PhysicalRange(start: .zero, end: bounds.start))
    remove(PhysicalRange(start: bounds.end, end: PhysicalRange.everything.end))
  }

  /// Removes memory from the top until at most `total` bytes are left.
  ///
  /// Linux: `memblock_enforce_memory_limit`.
  public mutating func limit(to total: ByteCount) {
    var left = total
    for interval in memoryMap.intervals {
      if interval.range.count > left {
        cap(to: PhysicalRange(start: .zero, end: interval.range.start + left))
        return
      }
      left -= interval.range.count
    }
  }
}

extension IntervalMap where Value == RegionSet.Attributes {
  fileprivate var regions: [MemoryRegion] {
    intervals.map { MemoryRegion($0.range, node: $0.value.node, kind: $0.value.kind) }
  }
}

extension IntervalMap {
  var size: ByteCount { intervals.reduce(.zero) { $0 + $1.range.count } }

  /// The intervals that overlap `range`, cut to it.
  func intervals(in range: PhysicalRange) -> [Interval] {
    var found: [Interval] = []
    var index = firstIndex { $0.range.end > range.start }
    while index < intervals.count, intervals[index].range.start < range.end {
      let cut = intervals[index].range.intersection(range)
      if !cut.isEmpty { found.append(Interval(range: cut, value: intervals[index].value)) }
      index += 1
    }
    return found
  }
}
