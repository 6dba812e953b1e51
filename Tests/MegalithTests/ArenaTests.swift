import FrameAllocator
import FrameContents
import FrameMap
import HostArena
import Megalith
import MemoryUnits
import Mobility
import PhysicalLayout
import TestSupport
import Testing

/// Machines with contents: their descriptors live in their own frames.
@Suite struct ArenaTests {
  static func layout() throws -> BootLayout {
    let memory = try PhysicalMemory(total: .mebibytes(320), nodes: [.mebibytes(192), .mebibytes(128)])
    let holes = try memory.firmwareMap.holes(count: HoleCount(3), size: .mebibytes(1), aligned: .kibibytes(64), seed: 5)
    var boot = memory.boot()
    boot.firmwareMap = memory.firmwareMap.punching(holes, as: .reserved)
    return try BootLayout(of: boot)
  }

  static func machine(_ model: MemoryModel) throws -> Machine<ArenaStorage> {
    let layout = try layout()
    let arena = try Arena(layout.memory.map { PhysicalRange($0, layout.architecture.baseShift) }, baseShift: PageShift(12))
    var policy = MachinePolicy()
    policy.topOrder = .unlimited
    policy.checksEveryStep = true
    return try Machine(layout, model: model, policy: policy, arena: arena)
  }

  @Test(arguments: MemoryModel.allCases) func descriptorsLieInReservedFrames(model: MemoryModel) throws {
    let machine = try Self.machine(model)
    #expect(!machine.boot.memmap.isEmpty)
    let bytes = machine.boot.memmap.reduce(FrameCount.zero) { $0 + $1.count }
    let account = machine.map.account().memmapBytes
    #expect(ByteCount(bytes, PageShift(12)) >= account)
    for range in machine.boot.memmap {
      let plan = try machine.zones.plan(range)
      #expect(plan.free == .zero && plan.obstacles[.memmap] == range.count)
    }
    // Everything that can be had is had, and none of it holds descriptors.
    var folios: [FolioPlace] = []
    for order in stride(from: UInt8(12), through: 0, by: -1).map({ Order($0) }) {
      while let folio = machine.zones[machine.zones.indices[0]].claimAnyFolio(order, .movable, on: CPUIndex(0)) {
        folios.append(FolioPlace(head: folio.head, order: folio.order))
      }
    }
    #expect(!folios.contains { folio in machine.boot.memmap.contains { $0.overlaps(folio.frames) } })
    // The head's descriptor is found, by its bytes, in the memmap's frames.
    let folio = try #require(folios.first)
    let table = machine.map.table
    let head = try #require(table.descriptor(folio.head))
    let mark: UInt64 = 0x4d45_4741_4c49_5448
    head.pointee.privateWord.store(mark, ordering: .sequentiallyConsistent)
    let lent = machine.contents
    let contents = try #require(lent)
    var found = 0
    for range in machine.boot.memmap {
      for frame in range.start.rawValue..<range.end.rawValue {
        try contents.withBytes(of: FrameNumber(frame)) { bytes in
          for place in stride(from: 8, to: bytes.count, by: 32) {
            var word: UInt64 = 0
            for byte in 0..<8 { word |= UInt64(bytes[place + byte]) << UInt64(8 * byte) }
            if word == mark { found += 1 }
          }
        }
      }
    }
    #expect(found == 1)
    head.pointee.privateWord.store(0, ordering: .sequentiallyConsistent)
    for place in folios { try machine.zones.free(at: place.head, order: place.order, on: CPUIndex(0)) }
    machine.zones.drain()
    let left = try machine.checkInvariants()
    #expect(left == .zero)
  }
}
