import FrameAllocator
import FrameMap
import Megalith
import MemoryUnits
import PhysicalLayout
import Testing

/// Of pageblocks above order 18, parts of 2^18 frames and more were nobody's: neither their own requests nor others found them
/// once the pageblock was not wholly free, and a machine with nearly all of its memory free was exhausted.
@Suite struct LargePageblockTests {
  @Test(arguments: [19, 20, 27] as [UInt8], FrameMobility.allCases.filter { $0 != .contiguous })
  func partsOfAPageblockAreFound(order: UInt8, mobility: FrameMobility) throws {
    let memory = try PhysicalMemory(total: .gibibytes(24), architecture: .s390x)
    var policy = MachinePolicy()
    policy.topOrder = .unlimited
    policy.memmap = .elsewhere
    policy.minimumFree = .zero
    policy.pageblocks = PageblockPolicy(order: Order(order))
    let machine = try Machine(try BootLayout(of: memory.boot()), model: .vmemmap, policy: policy)
    let request = FrameRequest(mobility, urgency: .emergency)
    // 24 GiB with a hole below 4 GiB hold 23 or more blocks of 1 GiB, whatever else is asked for: here one frame of each mobility.
    var small: [FrameNumber] = []
    for other in [FrameMobility.unmovable, .movable] {
      small.append(try machine.allocate(Order(0), FrameRequest(other, urgency: .emergency)).head)
    }
    var large: [FrameNumber] = []
    while let folio = try? machine.allocate(Order(18), request) { large.append(folio.head) }
    #expect(large.count == 22)
    for head in large { try machine.zones.free(at: head, order: Order(18), on: CPUIndex(0)) }
    for head in small { try machine.zones.free(at: head, order: Order(0), on: CPUIndex(0)) }
    machine.zones.drain()
    let held = try machine.checkInvariants()
    #expect(held == .zero)
  }
}
