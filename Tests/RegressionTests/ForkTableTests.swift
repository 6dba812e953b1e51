import AddressSpaces
import FrameAllocator
import HostArena
import HugePools
import Megalith
import MemoryUnits
import PhysicalLayout
import Testing

/// A fork that could not copy a pinned page had made the tables for it already, and lost them with the child.
@Suite struct ForkTableTests {
  @Test func aForkThatFailsLeavesNoTables() throws {
    let huge = PageSize(shift: PageShift(21))
    let cpu = CPUIndex(0)
    let machine = try Machine(BootLayout(of: PhysicalMemory(total: .mebibytes(256)).boot()), model: .sparse)
    machine.memory.pools.setSize(
      huge, to: PageCount(1), zones: machine.zones, with: machine.migration(of: machine.memory.owner))
    let space = try machine.memory.makeSpace(on: cpu)
    let range = try machine.memory.map(.anonymous(huge), .mebibytes(2), in: space, on: cpu)
    var frames = [FrameNumber(0)]
    var span = frames.mutableSpan
    let pinned = try machine.memory.pin(
      VirtualRange(start: range.start, count: .kibibytes(4)), .write, in: space, into: &span, on: cpu)
    #expect(pinned == FrameCount(1))
    let free = machine.zones.freeFrames()
    let refused = #expect(throws: MappingError.self) { try machine.memory.fork(space, on: cpu) }
    if case .noHugePage? = refused {} else { Issue.record("\(String(describing: refused))") }
    #expect(machine.zones.freeFrames() == free)
    try machine.checkInvariants()
    try machine.memory.unpin(frames.span, on: cpu)
    machine.memory.destroy(space, on: cpu)
    machine.memory.pools.drain(zones: machine.zones, on: cpu)
    let held = try machine.checkInvariants()
    #expect(held == .zero)
  }
}
