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

  /// A node for what can move: unmovable requests go there only when nothing else is left.
  @Test func aNodeForMovableMemoryStaysWhole() throws {
    let layout = try BootLayout(of: try PhysicalMemory(total: .gibibytes(6), nodes: [.gibibytes(2), .gibibytes(4)]).boot())
    for isPreferred in [false, true] {
      var policy = MachinePolicy()
      policy.nodesForMovable = isPreferred ? [NodeID(1)] : []
      let machine = try Machine(layout, model: .sparse, policy: policy)
      var heads: [FolioPlace] = []
      // Half of the requests ask for node 1.
      for number in 0..<200 {
        let folio = try machine.allocate(Order(5), FrameRequest(.unmovable, node: NodeID(UInt32(number % 2))))
        heads.append(FolioPlace(head: folio.head, order: folio.order))
      }
      let onNode1 = heads.filter { place in
        guard let zone = machine.zones.zone(of: place.head) else { return false }
        return machine.zones.descriptions[Int(zone.rawValue)].node == NodeID(1)
      }
      #expect(onNode1.count == (isPreferred ? 0 : 100))
      let movable = try machine.allocate(Order(5), FrameRequest(.movable, node: NodeID(1)))
      #expect(machine.zones.descriptions[Int(movable.zone.rawValue)].node == NodeID(1))
      machine.free(movable)
      // It refuses nobody.
      while let folio = try? machine.allocate(Order(9), FrameRequest(.unmovable)) {
        heads.append(FolioPlace(head: folio.head, order: folio.order))
      }
      #expect(
        heads.contains { machine.zones.zone(of: $0.head).map { machine.zones.descriptions[Int($0.rawValue)].node } == NodeID(1) })
      for place in heads { try machine.zones.free(at: place.head, order: place.order, on: CPUIndex(0)) }
      machine.zones.drain()
      let left = try machine.checkInvariants()
      #expect(left == .zero)
    }
  }
}
