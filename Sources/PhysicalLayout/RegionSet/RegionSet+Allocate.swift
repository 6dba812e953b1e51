import MemoryUnits

/// The end of memory that an allocation starts looking from.
public enum AllocationDirection: Hashable, Sendable {
  case topDown, bottomUp
}

extension RegionSet {
  /// Memory that is not reserved, in rising order. A free range never crosses from one region to another.
  ///
  /// Linux: `for_each_free_mem_range`.
  ///
  /// - Parameters:
  ///   - node: only memory of this node; nil for all.
  ///   - bounds: only what lies inside.
  /// - Complexity: O(regions + reservations).
  public func freeRanges(
    on node: NodeID? = nil, in bounds: PhysicalRange = .everything
  ) -> [PhysicalRange] {
    var free: [PhysicalRange] = []
    for interval in memoryMap.intervals(in: bounds) {
      guard interval.value.kind != .unmapped, node == nil || interval.value.node == node else { continue }
      free += reservedMap.gaps(in: interval.range)
    }
    return free
  }

  /// Bytes of memory that are not reserved.
  public func freeSize(on node: NodeID? = nil) -> ByteCount {
    freeRanges(on: node).reduce(.zero) { $0 + $1.count }
  }

  /// Reserves `size` free bytes and says where.
  ///
  /// Linux: `memblock_phys_alloc_range`, `memblock_find_in_range_node`.
  ///
  /// - Parameters:
  ///   - alignment: of the first byte; a power of two.
  ///   - direction: whether the highest or the lowest fitting place is taken.
  ///   - bounds: where to look.
  ///   - node: only memory of this node; nil for all. There is no fallback to another node.
  ///   - kind: the kind of the reservation.
  /// - Complexity: O(regions + reservations).
  public mutating func allocate(
    _ size: ByteCount, alignment: ByteCount, from direction: AllocationDirection,
    in bounds: PhysicalRange = .everything, on node: NodeID? = nil,
    kind: RegionKind = .ordinary
  ) throws(RegionAllocationError) -> PhysicalRange {
    guard size > .zero else { throw .emptyRequest }
    guard alignment.rawValue.nonzeroBitCount == 1 else { throw .alignmentNotPowerOfTwo(alignment) }
    let free = freeRanges(on: node, in: bounds)
    let order = direction == .bottomUp ? Array(free.indices) : free.indices.reversed()
    for index in order {
      guard let place = fit(size, alignment, direction, in: free[index]) else { continue }
      reserve(place, node: node, kind: kind)
      return place
    }
    throw .exhausted(wanted: size, largestFree: free.reduce(.zero) { max($0, $1.count) })
  }

  private func fit(
    _ size: ByteCount, _ alignment: ByteCount, _ direction: AllocationDirection, in free: PhysicalRange
  ) -> PhysicalRange? {
    guard free.count >= size else { return nil }
    // The highest aligned place; the lowest one exists only if this one does, and then cannot overflow.
    let highest = (free.end - size).aligned(to: alignment, .down)
    guard highest >= free.start else { return nil }
    let start = direction == .topDown ? highest : free.start.aligned(to: alignment, .up)
    return PhysicalRange(start: start, count: size)
  }
}
