import FrameAllocator
import FrameMap
import Megalith
import MemoryUnits
import Mobility
import PhysicalLayout
import TestSupport
import Testing

@Suite struct ContiguousTests {
  /// One movable frame in every pageblock: nothing is free above order 8, and a gigantic page is had by moving.
  @Test(arguments: MemoryModel.allCases) func aGiganticPageIsHadByMoving(model: MemoryModel) throws {
    let layout = try BootLayout(of: try PhysicalMemory(total: .gibibytes(6)).boot())
    var policy = MachinePolicy()
    policy.topOrder = .order(Order(10))
    let machine = try Machine(layout, model: model, policy: policy)
    let ledger = FolioLedger()
    // Everything as pageblocks, then one frame of each is kept.
    var blocks: [FolioPlace] = []
    while let folio = try? machine.allocate(Order(9), FrameRequest(.movable, urgency: .emergency)) {
      blocks.append(FolioPlace(head: folio.head, order: folio.order))
    }
    var random = SplitMix(seed: 7)
    for place in blocks {
      let folio = try machine.zones.adopt(place.head)
      let kept = UInt64.random(in: 0..<512, using: &random)
      var offset: UInt64 = 0
      try machine.zones.split(folio, to: Order(0)) { part in
        if offset == kept { _ = ledger.keep(part) } else { machine.free(part) }
        offset += 1
      }
    }
    try machine.checkInvariants()
    let before = ledger.tickets.count
    #expect(throws: FolioError.self) { machine.free(try machine.allocate(Order(9), FrameRequest(.movable))) }
    var pages: [FolioPlace] = []
    while true {
      do {
        let folio = try machine.contiguousBlock(Order(18), FrameRequest(.unmovable), owner: ledger)
        pages.append(FolioPlace(head: folio.head, order: folio.order))
        try machine.checkInvariants()
      } catch {
        break
      }
    }
    #expect(pages.count >= 3)
    #expect(ledger.tickets.count == before)
    for ticket in ledger.tickets {
      let place = try #require(ledger.place(of: ticket))
      #expect(!pages.contains { $0.frames.overlaps(place.frames) })
      ledger.free(ticket, to: machine.zones, on: CPUIndex(0))
    }
    for page in pages { try machine.zones.free(at: page.head, order: page.order, on: CPUIndex(0)) }
    machine.zones.drain()
    let left = try machine.checkInvariants()
    #expect(left == .zero)
  }
}
