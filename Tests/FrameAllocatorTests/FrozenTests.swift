import FrameAllocator
import FrameMap
import MemoryUnits
import Testing

@Suite struct FrozenTests {
  private let cpu = CPUIndex(0)

  private func fixture(_ model: MemoryModel) throws -> MachineFixture {
    try MachineFixture(model, memory: [FrameRange(start: FrameNumber(0), end: FrameNumber(4096))])
  }

  @Test(arguments: MemoryModel.allCases) func nobodyTakesAFrozenFolio(model: MemoryModel) throws {
    let machine = try fixture(model)
    let folio = try machine.zone.allocate(Order(10), .movable, on: cpu)
    let head = machine.zone.freeze(folio, as: .hugePool)
    #expect(throws: FolioError.notAllocated(head + FrameCount(600))) {
      _ = try machine.zone.tryGet(head + FrameCount(600), on: cpu)
    }
    let held = try machine.zone.checkInvariants()
    #expect(held == FrameCount(1024))
    let thawed = machine.zone.thaw(head)
    #expect(thawed.order == Order(10))
    machine.zone.free(thawed, on: cpu)
    try machine.finish()
  }

  /// 1024 frames cross two sections.
  @Test(arguments: MemoryModel.allCases) func aFrozenFolioIsTakenApart(model: MemoryModel) throws {
    let machine = try fixture(model)
    let head = machine.zone.freeze(try machine.zone.allocate(Order(10), .movable, on: cpu), as: .hugePool)
    machine.zone.splitFrozen(head, to: Order(7))
    for number in 0..<8 as Range<UInt64> {
      let start = head + Order(7).frames * number
      let place = try machine.zone.folio(containing: start + FrameCount(127))
      #expect(place == FolioPlace(head: start, order: Order(7)))
      let shape = machine.table.descriptor(start)?.pointee.shape
      #expect(shape?.kind == .hugePool && shape?.mobility == .movable)
    }
    try machine.zone.checkInvariants()
    for number in 0..<8 as Range<UInt64> { machine.zone.freeFrozen(head + Order(7).frames * number, on: cpu) }
    try machine.finish()
  }

  @Test func whoPutsAPoolsPageLeavesItToThePool() throws {
    let machine = try fixture(.vmemmap)
    let heads = try (0..<3).map { _ in
      let head = machine.zone.freeze(try machine.zone.allocate(Order(6), .movable, on: cpu), as: .hugePool)
      return machine.zone.thaw(head).head
    }
    // Without pools it is freed like any other.
    machine.zone.put(heads[0], on: cpu)
    #expect(throws: FolioError.notAllocated(heads[0])) { _ = try machine.zone.folio(containing: heads[0]) }
    machine.zone.parkPoolPages()
    machine.zone.put(heads[1], on: cpu)
    machine.zone.put(heads[2], on: cpu)
    try machine.zone.checkInvariants()
    var parked: [FrameNumber] = []
    machine.zone.takeParked { parked.append($0) }
    #expect(parked == [heads[2], heads[1]])
    machine.zone.takeParked { _ in Issue.record("a page was handed over twice") }
    for head in parked { machine.zone.freeFrozen(head, on: cpu) }
    try machine.finish()
  }
}
