import FrameAllocator
public import FrameMap
public import Hotplug
import HugePools
public import MemoryUnits
public import Mobility
import PhysicalLayout

/// Who is told which frames of added memory will hold its descriptors, before these are made.
protocol MemmapLender: Sendable {
  /// - Parameter frames: lowest first; none where descriptors are to come from the machine's free memory.
  func lend(_ frames: [FrameRange])
}

extension Machine {
  /// Adds memory. See ``Hotplug/MemoryHotplug/add(_:node:memmap:map:zones:on:lend:)``.
  @discardableResult public borrowing func add(
    _ range: FrameRange, node: NodeID = NodeID(0), memmap: MemmapPlace = .elsewhere, on cpu: CPUIndex = CPUIndex(0)
  ) throws(HotplugError) -> AddPlan {
    let lender = lender
    let plan = try hotplug.add(range, node: node, memmap: memmap, map: map, zones: zones, on: cpu) { lender?.lend($0) }
    checkStep()
    return plan
  }

  /// Puts memory online. See ``Hotplug/MemoryHotplug/online(_:_:zones:)``.
  @discardableResult public borrowing func online(
    _ range: FrameRange, _ zone: OnlineZone = .kernel
  ) throws(HotplugError) -> ZoneIndex {
    let index = try hotplug.online(range, zone, zones: zones)
    checkStep()
    return index
  }

  /// Takes memory offline, whose movable folios `owner` has. See
  /// ``Hotplug/MemoryHotplug/offline(_:zones:pools:with:shouldGoOn:)``.
  @discardableResult public borrowing func offline<Owner: FolioOwner>(
    _ range: FrameRange, owner: Owner, on cpu: CPUIndex = CPUIndex(0), shouldGoOn: () -> Bool = { true }
  ) throws(HotplugError) -> RangePlan {
    let plan = try hotplug.offline(
      range, zones: zones, pools: memory.pools, with: migration(of: owner, on: cpu), shouldGoOn: shouldGoOn)
    checkStep()
    return plan
  }

  /// Takes memory offline, whose movable folios address spaces have.
  @discardableResult public borrowing func offline(
    _ range: FrameRange, on cpu: CPUIndex = CPUIndex(0), shouldGoOn: () -> Bool = { true }
  ) throws(HotplugError) -> RangePlan {
    try offline(range, owner: memory.owner, on: cpu, shouldGoOn: shouldGoOn)
  }

  /// Removes memory. See ``Hotplug/MemoryHotplug/remove(_:map:zones:on:)``.
  public borrowing func remove(_ range: FrameRange, on cpu: CPUIndex = CPUIndex(0)) throws(HotplugError) {
    try hotplug.remove(range, map: map, zones: zones, on: cpu)
    checkStep()
  }

  // MARK: Room

  static func limit(_ room: HotplugRoom, _ layout: BootLayout) -> FrameNumber {
    FrameNumber(min(room.limit, layout.architecture.addressLimit), layout.architecture.baseShift, rounded: .down)
      .aligned(to: layout.architecture.sectionFrames, .down)
  }

  static func makeHotplug(
    _ layout: BootLayout, _ policy: MachinePolicy, _ pageblocks: PageblockPolicy, hasOwnDescriptors: Bool,
    pause: @escaping @Sendable () -> Void
  ) -> MemoryHotplug {
    let architecture = layout.architecture
    let own = policy.hotplug?.policy ?? HotplugPolicy()
    let block = FrameCount(own.blockSize ?? layout.memoryBlockSize, architecture.baseShift, rounded: .down)
    precondition(block.rawValue.nonzeroBitCount == 1, "a memory block's size is a power of two")
    if policy.hotplug != nil {
      precondition(block >= max(pageblocks.order.frames, architecture.validityFrames), "a memory block is at least a pageblock")
    }
    let geometry = HotplugGeometry(
      baseShift: architecture.baseShift, blockFrames: block,
      descriptorSize: hasOwnDescriptors ? MemmapAccount.ownDescriptorSize : architecture.descriptorSize,
      memmapPiece: architecture.pageblockOrder, isAccessibleBeforeOnline: architecture.isMemoryAccessibleBeforeOnline,
      accountsElsewhere: policy.memmap == .accounted && !hasOwnDescriptors)
    return MemoryHotplug(
      geometry, policy: own, rebalance: { Machine.rebalance($0, architecture, policy) }, pause: pause)
  }

  /// The zones that the memory makes, and, where more may come, those that it may need.
  static func descriptions(_ layout: BootLayout, _ policy: MachinePolicy) -> [ZoneDescription] {
    let everything = policy.hotplug.map { FrameRange(start: FrameNumber(0), end: limit($0, layout)) }
    var descriptions: [ZoneDescription] = []
    func add(_ node: NodeID, _ kind: ZoneKind, _ span: FrameRange?, _ memory: [FrameRange]) {
      let mayGrow = kind == .normal || kind == .movable
      guard let reach = mayGrow ? everything.map({ $0.joined(with: span) }) ?? span : span else { return }
      descriptions.append(
        ZoneDescription(
          node: node, kind: kind, span: reach, memory: memory, spanned: span,
          prefersMovable: policy.nodesForMovable.contains(node)))
    }
    let extra = policy.hotplug?.nodes ?? []
    let nodes = Set(layout.nodes.map { $0.node }).union(extra).sorted()
    for node in nodes {
      let own = layout.nodes.first { $0.node == node }
      for kind in ZoneKind.allCases {
        let zone = own?.zones.first { $0.kind == kind && $0.present > .zero }
        let memory = zone.map { zone in own?.memory.map { $0.intersection(zone.span) }.filter { !$0.isEmpty } ?? [] }
        add(node, kind, zone?.span, memory ?? [])
      }
    }
    return descriptions
  }
}

extension FrameRange {
  /// The smallest range that holds both.
  fileprivate func joined(with other: FrameRange?) -> FrameRange {
    guard let other else { return self }
    return FrameRange(start: Swift.min(start, other.start), end: Swift.max(end, other.end))
  }
}
