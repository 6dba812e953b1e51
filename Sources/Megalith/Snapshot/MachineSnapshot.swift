public import FrameAllocator
public import HugePools
public import MemoryUnits
public import PhysicalLayout

/// A machine's counters at one moment, under the names that kernels print them by.
public struct MachineSnapshot: Hashable, Sendable {
  public struct Zone: Hashable, Sendable {
    public let node: NodeID
    public let kind: ZoneKind
    /// Linux: `start_pfn`, `spanned`.
    public let span: FrameRange
    public let present: FrameCount
    public let managed: FrameCount
    /// In the tree; frames in processors' caches are not among them, as on Linux.
    public let free: FrameCount
    public let cached: FrameCount
    public let watermarks: Watermarks
    /// What the zone keeps from requests that accept zones up to each of the snapshot's kinds. Linux: `protection`.
    public let reserves: [FrameCount]
    /// By order from 0 to the architecture's top order. Linux: `nr_free`.
    public let freeBlocks: [BlockCount]
    public let pageblocks: PageblockCounts
  }

  /// The pool of a size.
  public struct Pool: Hashable, Sendable {
    public let size: PageSize
    public let counts: HugePoolCounts
    /// By node, in the order of the machine's nodes.
    public let nodes: [HugePoolNodeCounts]
  }

  public let baseShift: PageShift
  /// The kinds of zones that the architecture can have, lowest first.
  public let kinds: [ZoneKind]
  /// In the order of the machine's zones, without those that have no memory.
  public let zones: [Zone]
  /// In the order of the architecture's sizes.
  public let pools: [Pool]

  /// Linux: `MemTotal`.
  public var total: ByteCount { ByteCount(zones.reduce(.zero) { $0 + $1.managed }, baseShift) }
  /// Linux: `MemFree`.
  public var free: ByteCount { ByteCount(zones.reduce(.zero) { $0 + $1.free }, baseShift) }
}

extension Machine {
  /// Reads all counters. Exact while nobody else is at work.
  ///
  /// - Complexity: O(nodes of the zones' trees that are partly free).
  public borrowing func snapshot() -> MachineSnapshot {
    let own = layout.architecture.zones.map { $0.kind }
    let kinds = ZoneKind.allCases.filter { own.contains($0) || $0 == .movable }
    var list: [MachineSnapshot.Zone] = []
    for index in zones.indices {
      let description = zones.descriptions[Int(index.rawValue)]
      let boot = description.memory.reduce(FrameCount.zero) { $0 + $1.count }
      let present = FrameCount(UInt64(Int64(boot.rawValue) + zones[index].presentChange))
      // Zones that wait for their first memory are not shown.
      guard present > .zero, let span = hotplug.spanned(by: index, zones: zones) else { continue }
      let free = zones[index].freeInTree()
      list.append(
        MachineSnapshot.Zone(
          node: description.node, kind: description.kind, span: span, present: present, managed: zones[index].managed, free: free,
          cached: zones[index].freeFrames() - free, watermarks: zones[index].watermarks,
          reserves: kinds.map { zones.reserve(of: index, for: $0) },
          freeBlocks: zones[index].freeBlocks(upTo: layout.architecture.maxOrder),
          pageblocks: zones[index].pageblockCounts))
    }
    let pools = memory.pools.sizes.map { size in
      MachineSnapshot.Pool(
        size: size, counts: memory.pools.counts(size), nodes: zones.nodes.map { memory.pools.counts(size, on: $0) })
    }
    return MachineSnapshot(baseShift: layout.architecture.baseShift, kinds: kinds, zones: list, pools: pools)
  }
}
