import AddressSpaces
import HostArena
import HugePools
import Megalith
import MemoryUnits
import PhysicalLayout
import Testing

/// Reservations of files of huge pages went astray: a mapping that found its place taken left some behind and made the file longer, a
/// hole ended those of pages that were not there yet, and private copies that went with a file's end were not reserved again.
@Suite struct FileReservationTests {
  @Test func reservationsOfFilesAreKept() throws {
    let huge = PageSize(shift: PageShift(21))
    let cpu = CPUIndex(0)
    let machine = try Machine(BootLayout(of: PhysicalMemory(total: .mebibytes(256)).boot()), model: .vmemmap)
    machine.memory.pools.setSize(
      huge, to: PageCount(8), zones: machine.zones, with: machine.migration(of: machine.memory.owner))
    func counts() -> [UInt64] {
      let counts = machine.memory.pools.counts(huge)
      return [counts.free.rawValue, counts.reserved.rawValue]
    }
    let space = try machine.memory.makeSpace(on: cpu)
    let object = try machine.memory.makeObject(huge, size: PageCount(1))
    let shared = try machine.memory.map(.shared(object, from: PageIndex(0)), .mebibytes(4), in: space, on: cpu)
    #expect(counts() == [8, 2] && object.size == PageCount(2))
    var options = MappingOptions()
    options.place = .at(shared.start)
    #expect(throws: MappingError.occupied(VirtualRange(start: shared.start, count: .mebibytes(6)))) {
      try machine.memory.map(.shared(object, from: PageIndex(0)), .mebibytes(6), in: space, options, on: cpu)
    }
    #expect(counts() == [8, 2] && object.size == PageCount(2))
    try machine.memory.fault(shared.start, .write, in: space, on: cpu)
    machine.memory.punch(UnitRange(start: PageIndex(0), count: PageCount(2)), of: object, on: cpu)
    #expect(counts() == [8, 1])
    try machine.memory.fault(shared.start, .write, in: space, on: cpu)
    let own = try machine.memory.map(.privately(object, from: PageIndex(0)), .mebibytes(4), in: space, on: cpu)
    try machine.memory.fault(own.start, .write, in: space, on: cpu)
    #expect(counts() == [6, 2])
    machine.memory.truncate(object, to: .zero, on: cpu)
    #expect(counts() == [8, 2])
    try machine.checkInvariants()
    machine.memory.destroy(space, on: cpu)
    machine.memory.delete(object, on: cpu)
    #expect(counts() == [8, 0])
    machine.memory.pools.drain(zones: machine.zones, on: cpu)
    let held = try machine.checkInvariants()
    #expect(held == .zero)
  }
}
