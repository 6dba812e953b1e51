import FrameAllocator
import FrameMap
import HostArena
import MemoryUnits
import Testing

/// One zone over a frame map of any model. Sections are small here (512 frames), so that folios cross them; memory may have
/// holes. `finish()` ends each test: everything was given back, and the books agree.
final class MachineFixture: Sendable {
  static let section = FrameCount(512)
  private let map: FrameMap<HostStorage>
  let zone: FolioZone
  let memory: [FrameRange]
  // Only freed, and by the last owner.
  private nonisolated(unsafe) let storage: UnsafeMutableRawBufferPointer
  var table: FrameTable { map.table }

  init(
    _ model: MemoryModel, memory: [FrameRange], cpus: UInt32 = 2, topOrder: Order? = nil,
    policy: PageblockPolicy = PageblockPolicy(order: Order(6))
  ) throws {
    let span = FrameRange(start: memory[0].start, end: memory[memory.count - 1].end)
    let layout = try FrameMapLayout(
      sectionFrames: Self.section, subsectionFrames: FrameCount(64), nodes: [NodeMemory(NodeID(0), memory)],
      limit: span.end.aligned(to: Self.section, .up))
    let host = HostStorage()
    map = try FrameMap(layout, model: model, storage: host, cpuLimit: CPUIndex(cpus))
    let bytes = Int(FolioZone.storageBytes(for: span.count, cpus: cpus, pageblock: policy.order).rawValue)
    storage = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes, alignment: 64)
    storage.initializeMemory(as: UInt8.self, repeating: 0)
    zone = FolioZone(
      zone: span, index: ZoneIndex(0), table: map.table, topOrder: topOrder, policy: policy,
      storage: FolioZone.Storage(storage, for: span.count, cpus: cpus, pageblock: policy.order), cpus: cpus,
      barrier: { host.barrier() })
    self.memory = memory
    for range in memory { try zone.manage(range) }
  }

  private nonisolated(unsafe) var lent: [UnsafeMutableRawBufferPointer] = []
  /// Keeps storage as long as the machine.
  func lend(_ storage: UnsafeMutableRawBufferPointer) { lent.append(storage) }

  deinit {
    storage.deallocate()
    for storage in lent { storage.deallocate() }
  }

  var total: FrameCount { memory.reduce(.zero) { $0 + $1.count } }

  /// The machine is drained and balanced.
  func finish() throws {
    #expect(try zone.checkInvariants() == .zero, "folios are left")
    #expect(zone.freeFrames() == total)
  }
}
