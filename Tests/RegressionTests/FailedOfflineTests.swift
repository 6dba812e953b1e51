import FrameMap
import AddressSpaces
import FrameAllocator
import HostArena
import Hotplug
import HugePools
import Megalith
import MemoryUnits
import Mobility
import PhysicalLayout
import Testing

/// An offline that failed set the pools' sizes as they had been, which made a surplus page of the same node one of the set size instead of
/// making the page again that had been given up: the pool was one page short.
@Suite struct FailedOfflineTests {
  private struct Unable: FolioOwner {
    func detach(_ folio: FolioPlace) -> FrameCounts? { .references(2) }
    func attach(_ folio: FolioPlace, to head: FrameNumber) {}
  }

  @Test func poolsWithSurplusPagesAreAsBefore() throws {
    let cpu = CPUIndex(0)
    let huge = PageSize(shift: PageShift(21))
    var policy = MachinePolicy()
    policy.hotplug = HotplugRoom(limit: PhysicalAddress(16 << 30))
    let machine = try Machine(
      BootLayout(of: PhysicalMemory(total: .mebibytes(512)).boot()), model: .vmemmap, policy: policy)
    let range = FrameRange(start: FrameNumber(1 << 20), count: FrameCount(1 << 15))
    try machine.add(range)
    let zone = try machine.online(range, .kernel)
    // One page in use and too many, one free that lies in what is to go.
    machine.memory.pools.setSize(huge, to: PageCount(1), zones: machine.zones, with: machine.migration(of: Unable()))
    let used = try machine.memory.pools.take(
      huge, reserved: false, placement: .preferred(NodeID(0)), zones: machine.zones, with: machine.migration(of: Unable()))
    machine.memory.pools.setSize(huge, to: .zero, zones: machine.zones, with: machine.migration(of: Unable()))
    let free = try machine.zones[zone].claimFolio(at: range.start, order: Order(9), .movable, kind: .hugePool)
    machine.memory.pools.adopt(free, huge, on: NodeID(0), zones: machine.zones)
    let before = machine.memory.pools.counts(huge)
    #expect(before.total == PageCount(2) && before.surplus == PageCount(1))
    // And something that cannot be moved now.
    let kept = try machine.zones[zone].claimFolio(at: range.start + FrameCount(600), order: Order(0), .movable)
    #expect(throws: HotplugError.self) { try machine.offline(range, owner: Unable()) }
    #expect(machine.memory.pools.counts(huge) == before)
    try machine.checkInvariants()
    machine.free(kept)
    machine.zones.put(used.head, on: cpu)
    machine.memory.pools.drain(zones: machine.zones, on: cpu)
    try machine.offline(range)
    try machine.remove(range)
    let held = try machine.checkInvariants()
    #expect(held == .zero)
  }
}
