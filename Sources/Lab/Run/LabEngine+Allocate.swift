import FrameAllocator
import FrameMap
import MemoryUnits
import Mobility
import PhysicalLayout

extension LabEngine {
  /// Largest order for which memory is made free at any price. Linux: `PAGE_ALLOC_COSTLY_ORDER`.
  static let costlyOrder = Order(3)
  /// Pageblocks that a compaction looks at for one request. Linux: `COMPACT_CLUSTER_MAX`, and the scanners' cached places.
  static let compactedPageblocks = 64
  /// Frames of file cache that a request for a large folio drops beside its own number. Linux: `SWAP_CLUSTER_MAX`.
  static let reclaimCluster = FrameCount(32)

  /// Allocates a folio for a client: of the order, or of a smaller one of the client's where that cannot be had.
  ///
  /// - Returns: where it is; nil where even the smallest could not be had.
  @discardableResult func allocate(_ order: Order, for client: Client, on cpu: CPUIndex) -> FolioPlace? {
    allocate(order, for: client, on: cpu, in: lab.machine.zones)
  }

  /// The same, for who holds the zones already: to ask the machine for them costs a tenth of what an allocation does.
  func allocate(_ order: Order, for client: Client, on cpu: CPUIndex, in zones: borrowing ZoneSet) -> FolioPlace? {
    if let place = allocateExactly(order, for: client, isLight: client.isLight, on: cpu, in: zones) { return place }
    for smaller in client.orders where smaller < order {
      let isLight = client.isLight && smaller > Order(0)
      if let place = allocateExactly(smaller, for: client, isLight: isLight, on: cpu, in: zones) { return place }
    }
    failures += 1
    return nil
  }

  /// Allocates a folio of just this order.
  ///
  /// - Parameter isLight: whether what is not there is not made.
  func allocateExactly(_ order: Order, for client: Client, isLight: Bool, on cpu: CPUIndex) -> FolioPlace? {
    allocateExactly(order, for: client, isLight: isLight, on: cpu, in: lab.machine.zones)
  }

  private func allocateExactly(
    _ order: Order, for client: Client, isLight: Bool, on cpu: CPUIndex, in zones: borrowing ZoneSet
  ) -> FolioPlace? {
    let request = client.request
    let isHuge = order >= hugeOrder
    if isHuge { hugeAsked += 1 }
    var place = take(order, request, client, on: cpu, in: zones)
    if place == nil, !isLight { place = makeRoom(order, request, client, on: cpu) }
    guard place != nil else { return nil }
    if isHuge { hugeHad += 1 }
    return place
  }

  private func take(_ order: Order, _ request: FrameRequest, _ client: Client, on cpu: CPUIndex) -> FolioPlace? {
    take(order, request, client, on: cpu, in: lab.machine.zones)
  }

  private func take(
    _ order: Order, _ request: FrameRequest, _ client: Client, on cpu: CPUIndex, in zones: borrowing ZoneSet
  ) -> FolioPlace? {
    // What was not there a moment ago is not there now, as long as nothing was freed.
    guard !isMissing(order, request.mobility) else { return nil }
    if let folio = try? zones.allocateIfFree(order, request, on: cpu) {
      return keep(FolioPlace(head: folio.head, order: folio.order), client)
    }
    if !request.isNodeFixed, order > Order(0) { noteMissing(order, request.mobility) }
    return nil
  }

  /// Makes a folio that was just allocated a client's.
  @discardableResult func keep(_ place: FolioPlace, _ client: Client) -> FolioPlace {
    operations += 1
    // In a copy, so that nobody has to watch over the client meanwhile.
    var random = client.random
    let ticks = random.draw(client.lifetime, tick: tick)
    client.random = random
    let slot = client.slots.insert(place, livingFor: ticks)
    owner.claim(place.head, client, slot)
    return place
  }

  /// What a kernel does where nothing suitable is free: small requests drop file cache and compact until they are served or
  /// nothing is left to drop; large ones try once, and not at all for a while after they failed.
  private func makeRoom(_ order: Order, _ request: FrameRequest, _ client: Client, on cpu: CPUIndex) -> FolioPlace? {
    guard order <= Self.costlyOrder || order > lab.machine.zones.topOrder || !isDeferred() else { return nil }
    if order > Self.costlyOrder {
      // One round of both; more is done in the background.
      wanted = max(wanted, order)
      reclaim(order.frames + Self.reclaimCluster, for: request, on: cpu)
      let isThere = compact(order, for: request)
      let place = isThere ? take(order, request, client, on: cpu) : nil
      noteCompaction(hasHelped: place != nil)
      return place
    }
    // Pageblocks of the request's own kind, where other kinds' are not to be touched.
    let block = spec.policy.fallback == .never ? lab.machine.zones[ZoneIndex(0)].pageblockOrder : order
    for round in 0..<64 {
      let dropped = reclaim(
        FrameCount(rawValue: max(block.frames.rawValue * 2, 64) << UInt64(min(round / 8, 6))), for: request, on: cpu)
      if let place = take(order, request, client, on: cpu) { return place }
      let isThere = block > Order(0) && compact(block, for: request)
      if isThere, let place = take(order, request, client, on: cpu) { return place }
      if dropped == .zero, !isThere, round > 1 { break }
    }
    return nil
  }

  private func isDeferred() -> Bool {
    guard deferrals.passed < 1 << deferrals.shift - 1 else { return false }
    deferrals.passed += 1
    return true
  }

  /// After a failure twice as many requests go without as before, 63 at most. Linux: `defer_compaction`.
  private func noteCompaction(hasHelped: Bool) {
    deferrals = hasHelped ? (0, 0) : (min(deferrals.shift + 1, 6), 0)
  }

  /// Brings free frames together until a block of the order is free, in some pageblocks from where the last time ended.
  func compact(_ order: Order, for request: FrameRequest) -> Bool {
    for index in lab.machine.zones.zones(for: request) where compactFurther(index, order) { return true }
    return false
  }

  private func compactFurther(_ index: ZoneIndex, _ order: Order) -> Bool {
    var left = Self.compactedPageblocks
    var last: FrameNumber?
    let result = lab.machine.zones.compact(index, for: order, from: compactionPlaces[Int(index.rawValue)], with: context) {
      place in
      last = place
      left -= 1
      return left >= 0
    }
    compactionPlaces[Int(index.rawValue)] = result.isComplete ? nil : last
    if result.moved > .zero { forgetMissing() }
    return result.hasBlock
  }

  /// Drops file cache and what is like it, oldest first, from all caches by their size.
  ///
  /// - Returns: frames that became free.
  @discardableResult func reclaim(_ wanted: FrameCount, for request: FrameRequest, on cpu: CPUIndex) -> FrameCount {
    let caches = clients.filter { $0.isCache && $0.slots.frames > .zero }
    let near = caches.filter { !request.isNodeFixed || $0.request.node == request.node }
    let total = near.reduce(FrameCount.zero) { $0 + $1.slots.frames }
    guard total > .zero else { return .zero }
    var dropped = FrameCount.zero
    for cache in near {
      // The larger a cache, the more of it goes; rounded up, so that something does.
      let share = FrameCount(rawValue: (wanted.rawValue * cache.slots.frames.rawValue + total.rawValue - 1) / total.rawValue)
      var own = FrameCount.zero
      while own < share, let place = cache.slots.popOldest() {
        own += place.frames.count
        release(place, on: cpu)
      }
      dropped += own
    }
    tally.dropped += dropped
    return dropped
  }
}
