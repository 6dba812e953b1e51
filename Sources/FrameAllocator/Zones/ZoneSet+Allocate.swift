public import FrameMap
public import MemoryUnits

extension ZoneSet {
  /// Hands out a folio with one reference, the caller's, from the first zone of the node's list that may give it: first only
  /// zones that stay above their low mark, then down to what the urgency allows, and at last with what caches gave back.
  ///
  /// A single frame out of the processor's own cache is given at once: its word was accounted for when the cache took it.
  ///
  /// - Throws: `.aboveTopOrder` by policy; `.exhausted` where no zone may give a block of the order. Nothing is reclaimed or
  ///   compacted: who can do so tries again.
  /// - Complexity: O(zones) searches at worst; O(1) for a cached frame. One descriptor is written, whatever the order.
  ///
  /// Threads: any, one at a time for each `cpu`. Linux: `__alloc_pages`, `get_page_from_freelist`.
  public borrowing func allocate(
    _ order: Order, _ request: FrameRequest, on cpu: CPUIndex
  ) throws(FolioError) -> Folio {
    guard order <= topOrder else { throw .aboveTopOrder(order, top: topOrder) }
    return try allocateAnyOrder(order, request, on: cpu)
  }

  /// The same without the policy's top order: for who moves a folio that is there already.
  public borrowing func allocateAnyOrder(
    _ order: Order, _ request: FrameRequest, on cpu: CPUIndex
  ) throws(FolioError) -> Folio {
    let list = list(for: request)
    if order == Order(0) {
      for index in list where accepts(index, request) {
        if let folio = try self[index].takeCached(request.mobility, on: cpu) { return folio }
        // Only the first zone that would do: others' caches are not a reason to go there.
        break
      }
    }
    if let folio = try take(order, request, on: cpu, isFirstTry: true) { return folio }
    if let folio = try take(order, request, on: cpu, isFirstTry: false) { return folio }
    // Frames in caches count as taken, and keep their neighbours from coalescing: with them there may be enough.
    if drain(zonesFor: request), let folio = try take(order, request, on: cpu, isFirstTry: false) { return folio }
    var largest = FrameCount.zero
    for index in list where accepts(index, request) { largest = max(largest, self[index].largestFree()) }
    throw .exhausted(wanted: order.frames, largestFree: largest)
  }

  /// Hands out a folio that is free as things are: caches stay as they are, and nothing is told where there is none. For who asks
  /// often, and can do with less.
  ///
  /// - Returns: nil where no zone may give a block of the order.
  /// - Throws: `.aboveTopOrder` by policy.
  /// - Complexity: O(zones) searches. Linux: `__GFP_NORETRY | __GFP_NOWARN`.
  public borrowing func allocateIfFree(
    _ order: Order, _ request: FrameRequest, on cpu: CPUIndex
  ) throws(FolioError) -> Folio? {
    guard order <= topOrder else { throw .aboveTopOrder(order, top: topOrder) }
    if order == Order(0) {
      for index in list(for: request) where accepts(index, request) {
        if let folio = try self[index].takeCached(request.mobility, on: cpu) { return folio }
        break
      }
    }
    if let folio = try take(order, request, on: cpu, isFirstTry: true, drains: false) { return folio }
    return try take(order, request, on: cpu, isFirstTry: false, drains: false)
  }

  /// The zones that may serve a request, in the order in which it tries them.
  public func zones(for request: FrameRequest) -> [ZoneIndex] {
    list(for: request).filter { accepts($0, request) }
  }

  /// A folio from the first zone of the list that stays above its low mark, or, later, above what the urgency allows.
  private borrowing func take(
    _ order: Order, _ request: FrameRequest, on cpu: CPUIndex, isFirstTry: Bool, drains: Bool = true
  ) throws(FolioError) -> Folio? {
    for index in list(for: request) where accepts(index, request) {
      let marks = self[index].watermarks
      let reserve = reserves.reserve(Int(index.rawValue), for: request.highestZone)
      // What the first try did not find in a zone, the second does not either, without a drain.
      if !isFirstTry, !drains, self[index].isAbove(marks.low, order: order, urgency: .ordinary, reserve: reserve) { continue }
      guard
        self[index].isAbove(
          isFirstTry ? marks.low : marks.min, order: order, urgency: isFirstTry ? .ordinary : request.urgency,
          reserve: reserve)
      else { continue }
      if let folio = try self[index].take(order, request.mobility, drains: drains, on: cpu) { return folio }
    }
    return nil
  }

  /// Drains the zones that may serve the request; false where their caches had nothing.
  private borrowing func drain(zonesFor request: FrameRequest) -> Bool {
    var hadAny = false
    for index in list(for: request) where accepts(index, request) && self[index].cache.cachedFrames() > .zero {
      self[index].drain()
      hadAny = true
    }
    return hadAny
  }

  private func accepts(_ index: ZoneIndex, _ request: FrameRequest) -> Bool {
    // One that waits for its first memory.
    if late != nil, self[index].managed == .zero { return false }
    return request.accepts(descriptions[Int(index.rawValue)].kind)
      && (!request.isNodeFixed || descriptions[Int(index.rawValue)].node == request.node)
  }

  /// All zones in the order in which such requests try them; a node without memory has the first node's.
  public func list(for request: FrameRequest) -> [ZoneIndex] {
    let index = nodes.firstIndex(of: request.node) ?? 0
    return request.mobility == .movable || request.mobility == .contiguous ? lists[index] : fixedLists[index]
  }

  /// Gives a folio back. Misuse traps, as in ``FolioZone/free(_:on:)``.
  public borrowing func free(_ folio: consuming Folio, on cpu: CPUIndex) {
    let zone = folio.zone
    self[zone].free(folio, on: cpu)
  }

  /// Gives back the folio at `head`, checked. See ``FolioZone/free(at:order:on:)``.
  public borrowing func free(at head: FrameNumber, order: Order, on cpu: CPUIndex) throws(FolioError) {
    try self[owner(of: head)].free(at: head, order: order, on: cpu)
  }

  /// The folio that contains `frame`. See ``FolioZone/folio(containing:)``.
  public borrowing func folio(containing frame: FrameNumber) throws(FolioError) -> FolioPlace {
    try self[owner(of: frame)].folio(containing: frame)
  }

  /// Whether a folio starts and ends there, at this instant, or, for who has a reference to its head, as long as he has it. A look at the
  /// head's bit, where ``folio(containing:)`` searches.
  ///
  /// - Parameter head: the descriptor of the first frame.
  /// - Returns: also false where the descriptor names another zone than the folio's: then a search tells.
  /// - Complexity: O(1).
  @unsafe public borrowing func isFolio(_ place: FolioPlace, _ head: DescriptorPointer) -> Bool {
    let shape = unsafe head.pointee.shape
    guard shape.order == place.order, Int(shape.zone.rawValue) < descriptions.count else { return false }
    // Below the count, and initialized as long as the set lives. Field by field: a call would get a copy of the zone.
    let index = Int(shape.zone.rawValue)
    return unsafe zones[index].zone.contains(place.head) && zones[index].heads.contains(place.head)
  }

  /// Takes a reference to the folio that contains `frame`. See ``FolioZone/tryGet(_:on:)``.
  public borrowing func tryGet(_ frame: FrameNumber, on cpu: CPUIndex) throws(FolioError) -> FolioPlace {
    try self[owner(of: frame)].tryGet(frame, on: cpu)
  }

  /// Gives back a reference; who gives the last one frees the folio. Traps where there was none.
  public borrowing func put(_ head: FrameNumber, on cpu: CPUIndex) {
    guard let zone = zone(of: head) else { preconditionFailure("a frame outside all zones was put") }
    self[zone].put(head, on: cpu)
  }

  /// Returns the frames of a folio whose counts the caller has frozen at zero.
  public borrowing func freeFrozen(_ head: FrameNumber, on cpu: CPUIndex) {
    guard let zone = zone(of: head) else { preconditionFailure("a frame outside all zones was freed") }
    self[zone].freeFrozen(head, on: cpu)
  }

  /// Takes a folio apart. See ``FolioZone/split(_:to:_:)``.
  public borrowing func split(
    _ folio: consuming Folio, to order: Order, _ body: (consuming Folio) -> Void
  ) throws(FolioError) {
    let zone = folio.zone
    try self[zone].split(folio, to: order, body)
  }

  /// Owns again a folio that is known by its head only. See ``FolioZone/adopt(_:)``.
  public borrowing func adopt(_ head: FrameNumber) throws(FolioError) -> Folio {
    try self[owner(of: head)].adopt(head)
  }

  private func owner(of frame: FrameNumber) throws(FolioError) -> ZoneIndex {
    guard let zone = zone(of: frame) else { throw .noSuchFrame(frame) }
    return zone
  }

  /// Freezes a folio that nobody but the caller owns. See ``FolioZone/freeze(_:as:)``.
  public borrowing func freeze(_ folio: consuming Folio, as kind: FrameKind) -> FrameNumber {
    let zone = folio.zone
    return self[zone].freeze(folio, as: kind)
  }

  /// Gives back what all caches keep.
  public borrowing func drain() {
    for index in indices { self[index].drain() }
  }

  /// Frames that are free in all zones, cached ones included. Exact while nobody else uses them.
  public borrowing func freeFrames() -> FrameCount {
    var sum = FrameCount.zero
    for index in indices { sum += self[index].freeFrames() }
    return sum
  }
}
