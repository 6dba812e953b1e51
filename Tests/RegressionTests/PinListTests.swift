import AddressSpaces
import FrameAllocator
import FrameMap
import HostArena
import Megalith
import MemoryUnits
import Mobility
import PhysicalLayout
import Testing

/// A list of pins that has both a folio and parts of another: each is asked for its own. (The list of a folio that was taken apart meanwhile
/// was refused, because its head was asked for all.)
@Suite struct PinListTests {
  @Test(arguments: MemoryModel.allCases) func aFolioAndItsPartsInOneList(model: MemoryModel) throws {
    var policy = MachinePolicy()
    policy.keepsPageblocksFree = false
    policy.transparent = TransparentPolicy([PageSize(shift: PageShift(21))], .always)
    let memory = try PhysicalMemory(total: .mebibytes(512), architecture: .x86_64)
    let machine = try Machine(BootLayout(of: memory.boot()), model: model, policy: policy)
    let cpu = CPUIndex(0)
    let space = try machine.memory.makeSpace(on: cpu)
    let range = try machine.memory.map(.anonymous(PageSize(shift: PageShift(12))), .mebibytes(4), in: space, on: cpu)
    let frames = try pin(range, space, machine)
    // One of the two stays whole: its frames, and the parts of the other, come in one list, backwards.
    let folio = try machine.zones.folio(containing: frames[600])
    try machine.memory.split(folio, to: Order(3), on: cpu)
    let list = Array(frames.reversed())
    try machine.memory.unpin(list.span, on: cpu)
    machine.memory.destroy(space, on: cpu)
    let held = try machine.checkInvariants()
    #expect(held == .zero)
  }

  private func pin(
    _ range: VirtualRange, _ space: AddressSpace, _ machine: borrowing Machine<HostStorage>
  ) throws -> [FrameNumber] {
    var frames = [FrameNumber](repeating: FrameNumber(0), count: 1024)
    var span = frames.mutableSpan
    let pinned = try machine.memory.pin(range, .write, in: space, into: &span, on: CPUIndex(0))
    #expect(pinned == FrameCount(1024))
    return frames
  }
}
