import MemoryUnits

/// A cluster: 512 slots, as many as a huge folio of the commonest size takes.
struct ClusterIndex: Position {
  typealias Distance = ClusterCount
  let rawValue: UInt64
  var description: String { String(rawValue) }
}

/// An amount of clusters.
struct ClusterCount: Amount {
  let rawValue: UInt64
  var description: String { String(rawValue) }
}

/// Which slots of a device are in use, by how many, and which folios are in memory besides.
///
/// Slots of small blocks come from clusters that are used in part, so that others stay whole for huge folios.
struct SlotBooks: Sendable {
  /// Slots of a cluster, as an order.
  static let clusterOrder = Order(9)

  let slots: SlotCount
  var free: FreeBits<SwapSlot>
  /// Clusters of which every slot is free. Never the last one where it is short.
  var whole: FreeBits<ClusterIndex>
  /// Other clusters with free slots.
  var partial: FreeBits<ClusterIndex>
  /// How many name a slot, by cluster; empty where no slot of the cluster is in use.
  var uses: [[UInt32]]
  /// Folios in memory that hold what slots hold: heads, by slot. Each entry is one of the slot's uses.
  var heads = PageSlots()
  /// Where the search among clusters used in part begins: where it last ended.
  var hint = ClusterIndex(0)

  init(_ slots: SlotCount) {
    self.slots = slots
    let cluster = SlotCount(Self.clusterOrder)
    let clusters = ClusterCount(slots.aligned(to: cluster, .up) / cluster)
    free = FreeBits(count: slots, free: true)
    whole = FreeBits(count: clusters, free: false)
    partial = FreeBits(count: clusters, free: false)
    uses = [[UInt32]](repeating: [], count: Int(clusters.rawValue))
    // The short one at the end is none for huge folios, and small blocks may as well begin there.
    whole.set(UnitRange(start: ClusterIndex(0), count: ClusterCount(slots / cluster)), free: true)
    if slots % cluster > .zero { partial[Self.cluster(of: SwapSlot(slots.rawValue))] = true }
  }

  static func cluster(of slot: SwapSlot) -> ClusterIndex { ClusterIndex(slot.rawValue / SlotCount(clusterOrder).rawValue) }

  /// The slots of a cluster that the device has.
  func range(of cluster: ClusterIndex) -> SlotRange {
    let size = SlotCount(Self.clusterOrder)
    let start = SwapSlot(size.rawValue * cluster.rawValue)
    return SlotRange(start: start, count: min(size, slots - (start - SwapSlot(0))))
  }

  /// Where a block of free slots is.
  ///
  /// - Complexity: below a cluster's size O(clusters used in part + clusters / 64), mostly O(1); else O(clusters / 64).
  mutating func find(_ order: Order) -> SwapSlot? {
    guard SlotCount(order) <= free.free else { return nil }
    if order < Self.clusterOrder {
      let end = partial.all.end
      for range in [UnitRange(start: hint, end: end), UnitRange(start: ClusterIndex(0), end: hint)] {
        var start = range.start
        while let cluster = partial.first(Order(0), in: UnitRange(start: start, end: range.end)) {
          if let slot = free.first(order, in: self.range(of: cluster)) {
            hint = cluster
            return slot
          }
          start = cluster + ClusterCount(1)
        }
      }
    }
    let clusters = Order(max(order, Self.clusterOrder).rawValue - Self.clusterOrder.rawValue)
    guard let cluster = whole.first(clusters, in: whole.all) else { return nil }
    if order < Self.clusterOrder { hint = cluster }
    return range(of: cluster).start
  }

  /// Takes slots that are free: each has one use then.
  mutating func take(_ range: SlotRange) {
    free.set(range, free: false)
    forEachPart(of: range) { books, cluster, part in
      if books.uses[cluster].isEmpty {
        books.uses[cluster] = [UInt32](repeating: 0, count: Int(SlotCount(Self.clusterOrder).rawValue))
      }
      for place in part { books.uses[cluster][place] = 1 }
    }
  }

  /// One use more of each slot. Traps where one is free.
  mutating func retain(_ range: SlotRange) {
    requireUsed(range)
    forEachPart(of: range) { books, cluster, part in
      for place in part {
        precondition(books.uses[cluster][place] < .max, "a slot of more uses than can be counted")
        books.uses[cluster][place] += 1
      }
    }
  }

  /// One use less of each slot; returns how many are free now. Traps where one was free.
  mutating func release(_ range: SlotRange) -> SlotCount {
    requireUsed(range)
    let before = free.free
    forEachPart(of: range) { books, cluster, part in
      let start = SwapSlot(UInt64(cluster) * SlotCount(Self.clusterOrder).rawValue)
      for place in part {
        books.uses[cluster][place] -= 1
        guard books.uses[cluster][place] == 0 else { continue }
        let slot = start + SlotCount(UInt64(place))
        precondition(books.heads[Self.page(slot)] == nil, "a slot in the cache lost the cache's use")
        books.free[slot] = true
      }
    }
    return free.free - before
  }

  /// How many name a slot.
  func uses(of slot: SwapSlot) -> UInt32 {
    let leaf = uses[Int(Self.cluster(of: slot).rawValue)]
    return leaf.isEmpty ? 0 : leaf[Int(slot.rawValue % SlotCount(Self.clusterOrder).rawValue)]
  }

  /// The cache numbers slots as pages of a file.
  static func page(_ slot: SwapSlot) -> PageIndex { PageIndex(slot.rawValue) }

  func requireUsed(_ range: SlotRange) {
    precondition(free.all.contains(range), "slots that the device does not have")
    precondition(free.free(in: range) == .zero, "a slot that is free was used")
  }

  /// Calls `body` with each cluster of a range and the places in it, and puts the cluster where it belongs afterwards.
  private mutating func forEachPart(of range: SlotRange, _ body: (inout SlotBooks, Int, Range<Int>) -> Void) {
    var start = range.start
    while start < range.end {
      let cluster = Self.cluster(of: start)
      let slots = self.range(of: cluster)
      let part = slots.intersection(SlotRange(start: start, end: range.end))
      let first = Int((part.start - slots.start).rawValue)
      body(&self, Int(cluster.rawValue), first..<first + Int(part.count.rawValue))
      let left = free.free(in: slots)
      whole[cluster] = left == SlotCount(Self.clusterOrder)
      partial[cluster] = left > .zero && !whole[cluster]
      if left == slots.count { uses[Int(cluster.rawValue)] = [] }
      start = part.end
    }
  }
}
