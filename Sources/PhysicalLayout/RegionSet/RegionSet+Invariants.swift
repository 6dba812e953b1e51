import MemoryUnits

extension RegionSet {
  /// Throws the first thing that is wrong: an empty, unordered, overlapping or unmerged region.
  ///
  /// - Complexity: O(regions + reservations).
  public func checkInvariants() throws(RegionInvariantError) {
    try check(memory)
    try check(reserved)
  }

  private func check(_ regions: [MemoryRegion]) throws(RegionInvariantError) {
    var previous: MemoryRegion?
    for region in regions {
      guard !region.range.isEmpty else { throw .emptyRegion(region) }
      if let previous {
        guard previous.range.start < region.range.start else { throw .unordered(previous, region) }
        guard previous.range.end <= region.range.start else { throw .overlapping(previous, region) }
        let touches = previous.range.end == region.range.start
        guard !touches || previous.node != region.node || previous.kind != region.kind else {
          throw .notMerged(previous, region)
        }
      }
      previous = region
    }
  }
}
