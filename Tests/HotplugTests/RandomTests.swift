import FrameAllocator
import FrameMap
import HostArena
import Hotplug
import HugePools
import Megalith
import MemoryUnits
import Mobility
import PhysicalLayout
import TestSupport
import Testing

/// Moves the ledger's folios, and has pools replace their free pages.
struct PlantOwner: FolioOwner {
  let plant: Plant<HostStorage>
  func detach(_ folio: FolioPlace) -> FrameCounts? { plant.ledger.detach(folio) }
  func attach(_ folio: FolioPlace, to head: FrameNumber) {
    plant.machine.memory.pools.didMove(folio, to: head, zones: plant.machine.zones)
    plant.ledger.attach(folio, to: head)
  }
  func replaceFree(_ page: FolioPlace, in zones: borrowing ZoneSet, on cpu: CPUIndex) -> Bool {
    plant.machine.memory.pools.replaceFree(page, zones: zones, on: cpu)
  }
}

@Suite struct RandomTests {
  /// 10,000 steps, all counted anew after each. Pins and pages of pools, free ones and others, were in the way of what went offline.
  @Test(arguments: Plants.changeable) func countersAreExact(model: MemoryModel) throws {
    var met = RandomLife.Met()
    for seed in 0..<UInt64(12) {
      let life = try RandomLife(model, seed: seed)
      for _ in 0..<280 { try life.step() }
      met.pins += life.met.pins
      met.usedPages += life.met.usedPages
      met.freePages += life.met.freePages
      try life.finish()
    }
    #expect(met.pins >= 50 && met.usedPages >= 20 && met.freePages >= 20, "little was in the way: \(met)")
  }

  /// The same where nothing can be added, and memory of the boot comes and goes.
  @Test(arguments: [MemoryModel.flat, .discontiguous], Array(UInt64(0)..<3))
  func countersAreExactInFixedModels(model: MemoryModel, seed: UInt64) throws {
    let life = try RandomLife(model, seed: seed)
    for _ in 0..<100 {
      switch UInt64.random(in: 0..<6, using: &life.random) {
      case 0...1: life.bootBlock()
      case 2: life.allocate()
      case 3: life.free()
      case 4: life.pin()
      default: life.resizePool()
      }
      life.plant.check()
    }
    try life.finish()
  }
}
