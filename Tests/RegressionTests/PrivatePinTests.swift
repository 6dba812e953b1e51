import AddressSpaces
import HostArena
import HugePools
import Megalith
import MemoryUnits
import PhysicalLayout
import Testing

/// A pin for reading through a private mapping, of an object's page that was not mapped yet, stayed with the object's page: after the
/// space's next write the two saw different pages. And a list that named a folio again after another one was given back in part.
@Suite struct PrivatePinTests {
  @Test func aPinStaysWithWhatTheSpaceSees() throws {
    let base = PageSize(shift: PageShift(12))
    let cpu = CPUIndex(0)
    let machine = try Machine(BootLayout(of: PhysicalMemory(total: .mebibytes(64)).boot()), model: .sparse)
    let space = try machine.memory.makeSpace(on: cpu)
    let object = try machine.memory.makeObject(base, size: PageCount(2))
    let shared = try machine.memory.map(.shared(object, from: PageIndex(0)), .kibibytes(8), in: space, on: cpu)
    for page in 0..<UInt64(2) { try machine.memory.fault(shared.start + .kibibytes(4) * page, .write, in: space, on: cpu) }
    let own = try machine.memory.map(.privately(object, from: PageIndex(0)), .kibibytes(8), in: space, on: cpu)
    func frames(_ range: VirtualRange) throws -> [FrameNumber] {
      var frames = [FrameNumber](repeating: FrameNumber(0), count: 2)
      var span = frames.mutableSpan
      let count = try machine.memory.pin(range, in: space, into: &span, on: cpu)
      #expect(count == FrameCount(2))
      return frames
    }
    let theirs = try frames(shared)
    let first = try frames(own)
    #expect(Set(first).isDisjoint(with: theirs))
    for page in 0..<UInt64(2) { try machine.memory.fault(own.start + .kibibytes(4) * page, .write, in: space, on: cpu) }
    let second = try frames(own)
    #expect(first == second)
    try machine.checkInvariants()
    // One pin too many, in two parts of the list: nothing is given back.
    let tooMany = [first[0], first[1], first[0], first[1], first[0]]
    #expect(throws: PinError.notPinned(first[0], wanted: 3, pins: 2)) { try machine.memory.unpin(tooMany.span, on: cpu) }
    let all = Array(tooMany.dropLast())
    try machine.memory.unpin(all.span, on: cpu)
    try machine.memory.unpin(theirs.span, on: cpu)
    machine.memory.destroy(space, on: cpu)
    machine.memory.delete(object, on: cpu)
    let held = try machine.checkInvariants()
    #expect(held == .zero)
  }
}
