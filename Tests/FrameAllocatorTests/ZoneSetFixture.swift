import FrameAllocator
import FrameMap
import HostArena
import MemoryUnits
import PhysicalLayout
import Testing

/// Zones one after the other, each on a multiple of 2^18 frames, over a virtual memmap.
final class ZoneSetFixture: Sendable {
  private let map: FrameMap<HostStorage>
  let zones: ZoneSet

  convenience init(
    _ sizes: [(node: NodeID, kind: ZoneKind, frames: FrameCount)], minimum: FrameCount = .zero, cpus: UInt32 = 1,
    topOrder: Order? = nil, policy: PageblockPolicy = PageblockPolicy(order: Order(9)), distances: NodeDistances = NodeDistances()
  ) throws {
    var start = FrameNumber.zero
    var descriptions: [ZoneDescription] = []
    for size in sizes {
      let range = FrameRange(start: start, count: size.frames)
      descriptions.append(ZoneDescription(node: size.node, kind: size.kind, span: range, memory: [range]))
      start = range.end.aligned(to: FrameCount(1 << 18), .up)
    }
    try self.init(
      descriptions, minimum: minimum, cpus: cpus, topOrder: topOrder, policy: policy, distances: distances)
  }

  init(
    _ descriptions: [ZoneDescription], minimum: FrameCount = .zero, cpus: UInt32 = 1, topOrder: Order? = nil,
    policy: PageblockPolicy = PageblockPolicy(order: Order(9)), distances: NodeDistances = NodeDistances()
  ) throws {
    let nodes = Set(descriptions.map { $0.node }).sorted().map { node in
      NodeMemory(node, descriptions.filter { $0.node == node }.flatMap { $0.memory })
    }
    let storage = HostStorage()
    map = try FrameMap(
      FrameMapLayout(Architecture.x86_64, nodes: nodes), model: .vmemmap, storage: storage, cpuLimit: CPUIndex(cpus))
    let size = ZoneSet.storageBytes(descriptions, cpus: cpus, policy: policy).aligned(to: storage.granule, .up)
    let base = try storage.reserve(size, for: .tables)
    zones = ZoneSet(
      descriptions, table: map.table, topOrder: topOrder, policy: policy, cpus: cpus, distances: distances,
      storage: UnsafeMutableRawBufferPointer(start: base, count: Int(size.rawValue)), barrier: { storage.barrier() })
    for index in zones.indices {
      for range in descriptions[Int(index.rawValue)].memory { try zones[index].manage(range) }
    }
    zones.setWatermarks(minimum: minimum)
  }

  /// The zones are drained and balanced.
  func finish() throws {
    zones.drain()
    for index in zones.indices {
      let held = try zones[index].checkInvariants()
      #expect(held == .zero, "folios are left")
      let (free, managed) = (zones[index].freeFrames(), zones[index].managed)
      #expect(free == managed)
    }
  }
}
