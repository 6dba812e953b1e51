public import FrameAllocator
public import FrameMap
public import MemoryUnits

/// What adding a range comes to, before anything is done.
public struct AddPlan: Hashable, Sendable {
  public enum Hosting: Hashable, Sendable {
    case elsewhere
    /// So many frames of each block.
    case eachBlock(FrameCount)
    /// So many frames of the range.
    case wholeRange(FrameCount)
  }

  public let range: FrameRange
  public let node: NodeID
  public let blockFrames: FrameCount
  public let hosting: Hosting
  /// Frames that the descriptors take, wherever they lie.
  public let memmapFrames: FrameCount

  /// Where inside the range descriptors lie, lowest first, joined.
  public var hosted: [FrameRange] { blocks.map { FrameRange(start: $0.start, count: memmapFrames(in: $0)) }.joined() }

  var blocks: [FrameRange] {
    (0..<range.count / blockFrames).map { FrameRange(start: range.start + blockFrames * $0, count: blockFrames) }
  }

  /// How many of a block's first frames hold descriptors.
  func memmapFrames(in block: FrameRange) -> FrameCount {
    switch hosting {
    case .elsewhere: .zero
    case .eachBlock(let count): count
    case .wholeRange(let count): block.intersection(FrameRange(start: range.start, count: count)).count
    }
  }
}

extension MemoryHotplug {
  /// Says where the descriptors of a range would lie. Nothing changes.
  ///
  /// - Throws: `.misaligned`, `.notAccessibleBeforeOnline`, `.memmapNotWhole`.
  /// - Complexity: O(1).
  public borrowing func plan(
    adding range: FrameRange, node: NodeID, memmap wanted: MemmapPlace, model: MemoryModel
  ) throws(HotplugError) -> AddPlan {
    try requireWholeBlocks(range)
    let block = geometry.blockFrames
    let bytes = geometry.descriptorSize * block.rawValue
    let perBlock = FrameCount(bytes, geometry.baseShift, rounded: .up)
    let whole = FrameCount(geometry.descriptorSize * range.count.rawValue, geometry.baseShift, rounded: .up)
    let isHosting = wanted == .fromRange && (model == .vmemmap || !policy.hostsInVirtualModelOnly)
    let hosting: AddPlan.Hosting =
      switch policy.hostingUnit {
      case .oneBlock where isHosting: range.count == block ? .eachBlock(perBlock) : .elsewhere
      case .eachBlock where isHosting: .eachBlock(perBlock)
      case .wholeRange where isHosting: .wholeRange(whole)
      default: .elsewhere
      }
    if hosting != .elsewhere {
      guard geometry.isAccessibleBeforeOnline else { throw .notAccessibleBeforeOnline(range) }
      guard FrameCount(exactly: bytes, geometry.baseShift) != nil else { throw .memmapNotWhole(bytes) }
    }
    return AddPlan(
      range: range, node: node, blockFrames: block, hosting: hosting, memmapFrames: perBlock * (range.count / block))
  }

  /// Adds memory: every frame gets a descriptor, and blocks that are offline. All or nothing.
  ///
  /// Descriptors from the range take its first frames, which no zone will ever have; the head of each aligned piece of them is marked,
  /// and no other frame is touched. A range of several blocks may be held by whole blocks at its start; see ``HostingUnit``.
  ///
  /// - Parameters:
  ///   - range: whole memory blocks.
  ///   - memmap: where descriptors are to lie; the policy may have those of some ranges lie elsewhere.
  ///   - lend: told, before the map grows, which frames will hold descriptors, in the order in which they are to be used.
  /// - Throws: ``HotplugError``.
  /// - Complexity: O(sections + units). Threads: any. Linux: `add_memory_resource`, `create_altmaps_and_memory_blocks`.
  @discardableResult public borrowing func add<Storage>(
    _ range: FrameRange, node: NodeID, memmap: MemmapPlace = .elsewhere, map: borrowing FrameMap<Storage>,
    zones: borrowing ZoneSet, on cpu: CPUIndex, lend: ([FrameRange]) -> Void = { _ in }
  ) throws(HotplugError) -> AddPlan {
    let plan = try plan(adding: range, node: node, memmap: memmap, model: map.model)
    try state.withLock { (state) throws(HotplugError) in
      try add(plan, as: .offline, &state, map: map, zones: zones, on: cpu, lend: lend)
    }
    return plan
  }

  /// - Parameter staysRemovable: whether a removal must not fail until the map is settled.
  borrowing func add<Storage>(
    _ plan: AddPlan, as first: MemoryBlock.State, staysRemovable: Bool = false, _ state: inout HotplugState,
    map: borrowing FrameMap<Storage>, zones: borrowing ZoneSet, on cpu: CPUIndex, lend: ([FrameRange]) -> Void
  ) throws(HotplugError) {
    let late = try requirePlace(plan.range, plan.node, map: map, zones: zones)
    if let there = state.blocks[state.places(in: plan.range)].first { throw .overlaps(max(there.range.start, plan.range.start)) }
    let homes = try makeHomes(plan, number: HostNumber(state.nextHost), zones: zones, on: cpu)
    lend(plan.hosting == .elsewhere ? homes.flatMap { $0.frames } : plan.hosted)
    do throws(FrameMapError) {
      try map.add(plan.range, staysRemovable: staysRemovable)
    } catch {
      for home in homes { release(home, zones, on: cpu) }
      throw HotplugError(error, plan.range)
    }
    var blocks: [MemoryBlock] = []
    for (place, range) in plan.blocks.enumerated() {
      let count = plan.memmapFrames(in: range)
      // Units beyond hold none already.
      late.setMemmap(count, of: MemoryBlock.units(of: count, in: range, late.unit))
      blocks.append(
        MemoryBlock(
          range: range, node: plan.node, home: homes.count == 1 ? homes[0] : homes[place], memmapFrames: count, state: first))
    }
    if plan.hosting != .elsewhere { for hosted in plan.hosted { mark(hosted, .memmap, zones) } }
    if case .wholeRange(let count) = plan.hosting {
      state.shared.append(
        SharedMemmap(
          number: HostNumber(state.nextHost), frames: FrameRange(start: plan.range.start, count: count),
          users: BlockTally(UInt64(blocks.count))))
      state.nextHost += 1
    }
    state.blocks.insert(contentsOf: blocks, at: state.firstPlace(from: plan.range.start))
  }

  func requireWholeBlocks(_ range: FrameRange) throws(HotplugError) {
    let unit = geometry.blockFrames
    guard !range.isEmpty, range.start.isAligned(to: unit), range.end.isAligned(to: unit) else {
      throw .misaligned(range, unit: unit)
    }
  }

  /// What can be said of a range before anything is made for it.
  private func requirePlace<Storage>(
    _ range: FrameRange, _ node: NodeID, map: borrowing FrameMap<Storage>, zones: borrowing ZoneSet
  ) throws(HotplugError) -> LateFrames {
    guard let late = zones.late else { throw .notPluggable }
    guard map.model.canChange else { throw .modelIsFixed(map.model) }
    guard range.end <= late.limit else { throw .beyondLimit(range, limit: late.limit) }
    guard zones.nodes.contains(node) else { throw .noSuchNode(node) }
    return late
  }

  // MARK: Descriptors' frames

  /// One home for each block; one alone where it is the same for all.
  private borrowing func makeHomes(
    _ plan: AddPlan, number: HostNumber, zones: borrowing ZoneSet, on cpu: CPUIndex
  ) throws(HotplugError) -> [MemoryBlock.Home] {
    switch plan.hosting {
    case .eachBlock: return [.own]
    case .wholeRange: return [.shared(number)]
    case .elsewhere: break
    }
    guard geometry.accountsElsewhere else { return [.lent] }
    let wanted = FrameCount(geometry.descriptorSize * geometry.blockFrames.rawValue, geometry.baseShift, rounded: .up)
    var homes: [MemoryBlock.Home] = []
    for _ in plan.blocks {
      var folios: [FolioPlace] = []
      let missing = take(wanted, for: plan.node, into: &folios, zones, on: cpu)
      homes.append(.folios(folios))
      guard missing > .zero else { continue }
      let had = wanted * UInt64(homes.count) - missing
      for home in homes { release(home, zones, on: cpu) }
      throw .noRoomForMemmap(wanted: plan.memmapFrames, missing: plan.memmapFrames - had)
    }
    return homes
  }

  /// Takes frames for descriptors, near the node, in pieces as large as they come. Returns how many were not had.
  ///
  /// Linux: `vmemmap_populate_hugepages`, which falls back to base pages.
  private borrowing func take(
    _ wanted: FrameCount, for node: NodeID, into folios: inout [FolioPlace], _ zones: borrowing ZoneSet, on cpu: CPUIndex
  ) -> FrameCount {
    var left = wanted
    var order = geometry.memmapPiece
    while left > .zero {
      while order.frames > left { order = Order(order.rawValue - 1) }
      if let folio = try? zones.allocate(order, FrameRequest(.unmovable, node: node), on: cpu) {
        if let head = unsafe zones.table.descriptor(folio.head) {
          // The folio is the caller's alone.
          unsafe head.pointee.setShape(FrameShape(.memmap, order: order, mobility: .unmovable, zone: folio.zone))
        }
        folios.append(FolioPlace(head: folio.head, order: order))
        left -= order.frames
      } else if order > Order(0) {
        order = Order(order.rawValue - 1)
      } else {
        break
      }
    }
    return left
  }

  /// Gives back the frames of a block's descriptors, where they are the block's alone and not of the range.
  borrowing func release(_ home: MemoryBlock.Home, _ zones: borrowing ZoneSet, on cpu: CPUIndex) {
    guard case .folios(let folios) = home else { return }
    for folio in folios { zones.put(folio.head, on: cpu) }
  }

  /// Marks frames that no zone will have: one descriptor for each aligned piece.
  borrowing func mark(_ range: FrameRange, _ kind: FrameKind, _ zones: borrowing ZoneSet) {
    var frame = range.start
    while frame < range.end {
      var order = Order(min(frame.alignmentOrder.rawValue, 40))
      while order.frames > range.end - frame { order = Order(order.rawValue - 1) }
      if let head = unsafe zones.table.descriptor(frame) {
        // Nobody else knows the frame yet.
        unsafe head.pointee.setShape(FrameShape(kind, order: order))
      }
      frame += order.frames
    }
  }
}
