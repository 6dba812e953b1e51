import FrameAllocator
import FrameMap
import HostArena
import Hotplug
import Megalith
import MemoryUnits
import PhysicalLayout
import TestSupport
import Testing

/// Memory comes and goes while others allocate and look up. Run them under the thread sanitizer too.
@Suite(.serialized) struct HotplugThreadTests {
  // S1.8: changes wait for each other, and nobody else for them.
  @Test(arguments: Plants.changeable) func memoryComesAndGoesUnderUse(model: MemoryModel) throws {
    var policy = Plants.policy(.wholeRange, limit: .mebibytes(512))
    policy.processors = CPUIndexLimit(4)
    let plant = try Plant(Plants.layout(), model, policy, HostStorage())
    let rounds = Tally()
    let gone = Tally()
    let working = Tally(2)
    let faults = Tally()
    concurrently(4) { thread in
      let cpu = CPUIndex(UInt32(thread))
      var random = SplitMix(seed: UInt64(thread) + 17)
      switch thread {
      case 0, 1:
        // Two ranges of their own; both change the map.
        let range = thread == 0 ? mebibytes(256, 272) : mebibytes(272, 280)
        for step in 0..<60 {
          let isAdded = (try? plant.machine.add(range, memmap: step % 2 == 0 ? .fromRange : .elsewhere, on: cpu)) != nil
          guard isAdded, (try? plant.machine.online(range, step % 3 == 0 ? .kernel : .movable)) != nil else {
            faults.add(1)
            break
          }
          rounds.add(1)
          // Others use it now, and nobody can move what they have: until they give it back.
          while (try? plant.machine.offline(range, owner: plant.ledger, on: cpu)) == nil {}
          guard (try? plant.machine.remove(range, on: cpu)) != nil else {
            faults.add(1)
            break
          }
          gone.add(1)
        }
        working.add(-1)
      case 2:
        while working.value > 0 {
          var held: [FrameNumber] = []
          for _ in 0..<16 {
            let order = Order(UInt8.random(in: 0...4, using: &random))
            if let folio = try? plant.machine.zones.allocate(order, FrameRequest(.movable), on: cpu) { held.append(folio.head) }
          }
          // Put and not freed: the fourth may be looking.
          for head in held { plant.machine.zones.put(head, on: cpu) }
        }
      default:
        while working.value > 0 {
          let frame = FrameNumber(256 << 8) + FrameCount(UInt64.random(in: 0..<6144, using: &random))
          plant.machine.map.read(on: cpu) {
            guard plant.machine.map.isValid(frame) else { return }
            if let place = try? plant.machine.zones.tryGet(frame, on: cpu) { plant.machine.zones.put(place.head, on: cpu) }
          }
        }
      }
    }
    #expect(faults.value == 0 && rounds.value == 120 && gone.value == 120)
    plant.machine.zones.drain()
    plant.finish()
  }
}
