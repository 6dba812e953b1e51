public import MemoryUnits

/// Which pages of a file or of a mapping count as reserved: a set of page indices, kept as regions.
///
/// **A shared file** has one map for all its mappings. A page is in it when a reservation was made for it, or when it exists. Who
/// maps a range asks ``missing(in:)``, reserves that many pages of the pool, and then calls ``add(_:)``; of what others added in
/// between, the difference of the two is given back. Cutting the file calls ``remove(_:)``: of what was removed, the pages that did
/// not exist are unreserved.
///
/// **A private mapping** has its own map, and the meaning is the other way round: the whole mapping was reserved when it was made,
/// and a page is in the map when its reservation was used up. So the page at an index has a reservation where the map does *not*
/// contain it, and what is to be unreserved at the end is ``missing(in:)``.
///
/// A plan is a value: asking changes nothing, so that there is nothing to abort.
///
/// **Threads.** A value; the owner's lock guards it.
///
/// Linux: `struct resv_map`, `region_chg` (missing), `region_add` (add), `region_abort` (none), `region_del` (remove).
public struct ReservationMap: Hashable, Sendable {
  /// Apart from each other, lowest first, none empty.
  public private(set) var regions: [UnitRange<PageIndex>] = []

  public init() {}

  /// Pages in the map.
  public var count: PageCount { regions.reduce(.zero) { $0 + $1.count } }

  /// - Complexity: O(log regions).
  public func contains(_ index: PageIndex) -> Bool {
    let place = firstRegion(endingAfter: index)
    return place < regions.count && regions[place].contains(index)
  }

  /// Pages of `range` in the map.
  ///
  /// - Complexity: O(log regions + regions that the range touches).
  public func count(in range: UnitRange<PageIndex>) -> PageCount {
    var sum = PageCount.zero
    var place = firstRegion(endingAfter: range.start)
    while place < regions.count, regions[place].start < range.end {
      sum += regions[place].intersection(range).count
      place += 1
    }
    return sum
  }

  /// Pages of `range` that are not in the map: what ``add(_:)`` would add. Linux: `region_chg`.
  ///
  /// - Complexity: as ``count(in:)``.
  public func missing(in range: UnitRange<PageIndex>) -> PageCount { range.count - count(in: range) }

  /// Puts all of `range` into the map.
  ///
  /// - Returns: the pages that were not in it before.
  /// - Complexity: O(regions). Linux: `region_add`.
  @discardableResult public mutating func add(_ range: UnitRange<PageIndex>) -> PageCount {
    guard !range.isEmpty else { return .zero }
    let added = missing(in: range)
    // Regions that only touch the range are joined with it.
    let first = firstRegion(endingAfter: range.start, orAt: true)
    var end = first
    while end < regions.count, regions[end].start <= range.end { end += 1 }
    var whole = range
    if first < end {
      whole = UnitRange(start: min(range.start, regions[first].start), end: max(range.end, regions[end - 1].end))
    }
    regions.replaceSubrange(first..<end, with: [whole])
    return added
  }

  /// Takes all of `range` out of the map; a region around it becomes two.
  ///
  /// - Returns: the pages that were in it.
  /// - Complexity: O(regions). Linux: `region_del`.
  @discardableResult public mutating func remove(_ range: UnitRange<PageIndex>) -> PageCount {
    guard !range.isEmpty else { return .zero }
    let removed = count(in: range)
    let first = firstRegion(endingAfter: range.start)
    var end = first
    while end < regions.count, regions[end].start < range.end { end += 1 }
    guard first < end else { return .zero }
    var left: [UnitRange<PageIndex>] = []
    if regions[first].start < range.start { left.append(UnitRange(start: regions[first].start, end: range.start)) }
    if range.end < regions[end - 1].end { left.append(UnitRange(start: range.end, end: regions[end - 1].end)) }
    regions.replaceSubrange(first..<end, with: left)
    return removed
  }

  /// The place of the first region that ends above `index`, or, where `orAt` says so, there.
  private func firstRegion(endingAfter index: PageIndex, orAt: Bool = false) -> Int {
    var low = 0
    var high = regions.count
    while low < high {
      let middle = (low + high) / 2
      let isBelow = orAt ? regions[middle].end < index : regions[middle].end <= index
      if isBelow { low = middle + 1 } else { high = middle }
    }
    return low
  }
}
