import FrameAllocator
import FrameMap
import Megalith
import MemoryUnits
import PhysicalLayout
import Testing

@Suite struct BootTests {
  @Test(arguments: MemoryModel.allCases) func aBootedMachineHasWhatIsNotReserved(model: MemoryModel) throws {
    let memory = try PhysicalMemory(total: .gibibytes(8), nodes: [.gibibytes(4), .gibibytes(4)])
    let line = KernelCommandLine(parsing: Array("hugepagesz=1G hugepages=2".utf8))
    let layout = try BootLayout(of: memory.boot(commandLine: line))
    var policy = MachinePolicy()
    policy.checksEveryStep = true
    let reserved = FrameRange(start: FrameNumber(0x1000), end: FrameNumber(0x3000))
    let machine = try Machine(layout, model: model, policy: policy, commandLine: line, reserved: [reserved])
    let pages = machine.boot.hugePages.flatMap { $0.frames }
    #expect(pages.count == 2)
    let inFolios = try machine.checkInvariants()
    #expect(inFolios == FrameCount(2 << 18))
    let snapshot = machine.snapshot()
    let memmap = machine.boot.memmap.reduce(FrameCount.zero) { $0 + $1.count }
    #expect(memmap >= FrameCount(layout.present.rawValue / 64))
    let managed = snapshot.zones.reduce(FrameCount.zero) { $0 + $1.managed }
    #expect(managed == layout.present - memmap - reserved.count)
    let free = snapshot.zones.reduce(FrameCount.zero) { $0 + $1.free }
    #expect(free == managed - inFolios)

    let folio = try machine.allocate(Order(9), FrameRequest(.movable, node: NodeID(1)))
    #expect(machine.zones.descriptions[Int(folio.zone.rawValue)].node == NodeID(1))
    machine.free(folio)
    let tooLarge = #expect(throws: FolioError.self) {
      let folio = try machine.allocate(Order(18), FrameRequest(.movable))
      machine.free(folio)
    }
    #expect(tooLarge == .aboveTopOrder(Order(18), top: Order(10)))
    machine.memory.pools.drain(zones: machine.zones, on: CPUIndex(0))
    let left = try machine.checkInvariants()
    #expect(left == .zero)
  }
}
