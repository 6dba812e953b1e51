import AddressSpaces
import HostArena
import HugePools
import Megalith
import MemoryUnits
import PhysicalLayout
import Testing

/// A part of a mapping that was unmapped left the list of its used reservations with its neighbour. Mapped anew, it joined the
/// neighbour, and its pages counted as used: the pool kept pages promised for ever.
@Suite struct CutMappingTests {
  @Test func mappingsThatCameBackReserveAgain() throws {
    let huge = PageSize(shift: PageShift(21))
    let cpu = CPUIndex(0)
    let machine = try Machine(BootLayout(of: PhysicalMemory(total: .mebibytes(256)).boot()), model: .vmemmap)
    let memory = machine.migration(of: machine.memory.owner)
    machine.memory.pools.setSize(huge, to: PageCount(8), zones: machine.zones, with: memory)
    let space = try machine.memory.makeSpace(on: cpu)
    let whole = try machine.memory.map(.anonymous(huge), .mebibytes(8), in: space, on: cpu)
    for page in 0..<4 { try machine.memory.fault(whole.start + .mebibytes(2) * UInt64(page), .write, in: space, on: cpu) }
    let middle = VirtualRange(start: whole.start + .mebibytes(2), count: .mebibytes(4))
    try machine.memory.unmap(middle, in: space, on: cpu)
    var options = MappingOptions()
    options.place = .at(middle.start)
    try machine.memory.map(.anonymous(huge), .mebibytes(4), in: space, options, on: cpu)
    let reserved = machine.memory.pools.counts(huge).reserved
    #expect(reserved == PageCount(2))
    try machine.checkInvariants()
    machine.memory.destroy(space, on: cpu)
    let after = machine.memory.pools.counts(huge)
    #expect(after.reserved == .zero && after.free == after.total)
    machine.memory.pools.drain(zones: machine.zones, on: cpu)
    let held = try machine.checkInvariants()
    #expect(held == .zero)
  }
}
