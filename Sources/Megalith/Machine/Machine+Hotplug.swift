import FrameAllocator
public import FrameMap
public import Hotplug
import HugePools
public import MemoryUnits
public import Mobility
import PhysicalLayout

/// Who is told which frames of added memory will hold its descriptors, before these are made.
protocol MemmapLender: Sendable {
  /// - Parameter frames: in the order in which they are to be used; none where none of the machine's are.
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

  /// In whole sections, or in whole memory blocks where these are smaller.
  static func limit(_ room: HotplugRoom, _ layout: BootLayout) -> FrameNumber {
    let architecture = layout.architecture
    let unit = min(architecture.sectionSize, room.policy.blockSize ?? layout.memoryBlockSize)
    return FrameNumber(min(room.limit, architecture.addressLimit), architecture.baseShift, rounded: .down)
      .aligned(to: FrameCount(unit, architecture.baseShift, rounded: .down), .down)
  }

  /// Where memory ends that the machine has or may get. Its map sets addresses aside up to there: up to all that the architecture can
  /// address they would be more than a process has, as on riscv64 with its 56 bits.
  static func mapLimit(_ layout: BootLayout, _ policy: MachinePolicy) -> FrameNumber {
    let end = layout.nodes.flatMap { $0.memory.map { $0.end } }.max() ?? FrameNumber(0)
    return max(end, policy.hotplug.map { limit($0, layout) } ?? end)
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
      accountsElsewhere: hasOwnDescriptors || policy.memmap == .accounted)
    return MemoryHotplug(
      geometry, policy: own, rebalance: { Machine.rebalance($0, architecture, policy) }, pause: pause)
  }

  /// The zones that the memory makes, and, where more may come, those that it may need.
  static func descriptions(_ layout: BootLayout, _ policy: MachinePolicy) -> [ZoneDescription] {
    let everything = policy.hotplug.map { FrameRange(start: FrameNumber(0), end: limit($0, layout)) }
    var descriptions: [ZoneDescription] = []
    let extra = policy.hotplug?.nodes ?? []
    for node in Set(layout.nodes.map { $0.node }).union(extra).sorted() {
      let prefersMovable = policy.nodesForMovable.contains(node)
      let own = layout.nodes.first { $0.node == node }
      let zones = own?.zones.filter { $0.present > .zero } ?? []
      for zone in zones {
        let mayGrow = zone.kind == .normal || zone.kind == .movable
        let reach = mayGrow ? everything?.joined(with: zone.span) : nil
        descriptions.append(
          ZoneDescription(
            node: node, kind: zone.kind, span: reach ?? zone.span,
            memory: own?.memory.map { $0.intersection(zone.span) }.filter { !$0.isEmpty } ?? [], spanned: zone.span,
            prefersMovable: prefersMovable))
      }
      guard let everything else { continue }
      for kind in [ZoneKind.normal, .movable] where !zones.contains(where: { $0.kind == kind }) {
        descriptions.append(
          ZoneDescription(node: node, kind: kind, span: everything, memory: [], prefersMovable: prefersMovable))
      }
    }
    return descriptions
  }
}

extension FrameRange {
  /// The smallest range that holds both.
  fileprivate func joined(with other: FrameRange) -> FrameRange {
    FrameRange(start: Swift.min(start, other.start), end: Swift.max(end, other.end))
  }
}

// MARK: Devices

extension Machine {
  /// Adds memory of a device. See ``Hotplug/MemoryHotplug/addDevice(_:node:memmap:map:zones:on:lend:)``.
  @discardableResult public borrowing func addDevice(
    _ range: FrameRange, node: NodeID = NodeID(0), memmap: MemmapPlace = .elsewhere, on cpu: CPUIndex = CPUIndex(0)
  ) throws(HotplugError) -> AddPlan {
    let lender = lender
    let plan = try hotplug.addDevice(range, node: node, memmap: memmap, map: map, zones: zones, on: cpu) { lender?.lend($0) }
    checkStep()
    return plan
  }

  /// A device that lends memory by units. See ``Hotplug/VirtioMemory``.
  public borrowing func virtioMemory(
    region: FrameRange, node: NodeID = NodeID(0), unit: ByteCount, zone: OnlineZone = .movable, memmap: MemmapPlace = .elsewhere
  ) -> VirtioMemory {
    VirtioMemory(
      region: region, node: node, unit: FrameCount(unit, layout.architecture.baseShift, rounded: .down), zone: zone,
      memmap: memmap, of: hotplug, pageblock: zones[ZoneIndex(0)].pageblockOrder)
  }

  /// Plugs memory of a device. See ``Hotplug/VirtioMemory/plug(_:hotplug:map:zones:on:lend:)``.
  public borrowing func plug(
    _ bytes: ByteCount, of device: inout VirtioMemory, on cpu: CPUIndex = CPUIndex(0)
  ) throws(HotplugError) -> FrameCount {
    let lender = lender
    let frames = FrameCount(bytes, layout.architecture.baseShift, rounded: .down)
    let done = try device.plug(frames, hotplug: hotplug, map: map, zones: zones, on: cpu) { lender?.lend($0) }
    checkStep()
    return done
  }

  /// Unplugs memory of a device. See ``Hotplug/VirtioMemory/unplug(_:hotplug:map:zones:pools:with:shouldGoOn:)``.
  public borrowing func unplug<Owner: FolioOwner>(
    _ bytes: ByteCount, of device: inout VirtioMemory, owner: Owner, on cpu: CPUIndex = CPUIndex(0),
    shouldGoOn: () -> Bool = { true }
  ) throws(HotplugError) -> FrameCount {
    let frames = FrameCount(bytes, layout.architecture.baseShift, rounded: .down)
    let done = try device.unplug(
      frames, hotplug: hotplug, map: map, zones: zones, pools: memory.pools, with: migration(of: owner, on: cpu),
      shouldGoOn: shouldGoOn)
    checkStep()
    return done
  }
}
