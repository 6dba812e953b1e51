import FrameAllocator
import FrameMap
import Foundation
import MemoryUnits
import Synchronization
import TestSupport
import Testing

/// Threads that allocate, free and look at each other's folios. Run them under the thread sanitizer:
/// `swift test --sanitize=thread --filter FolioThreadTests`.
@Suite struct FolioThreadTests {
  @Test(arguments: [MemoryModel.sparse, .vmemmap]) func strangersReferencesKeepFoliosAlive(model: MemoryModel) throws {
    let machine = try MachineFixture(model, memory: [frames(0, 4096)], cpus: 4)
    let references = Atomic<UInt64>(0)
    DispatchQueue.concurrentPerform(iterations: 4) { index in
      let cpu = CPUIndex(UInt32(index))
      var random = SplitMix(seed: UInt64(index) + 11)
      for _ in 0..<3000 {
        if index < 2 {
          let order = Order([0, 0, 2, 9].randomElement(using: &random) ?? 0)
          guard let folio = try? machine.zone.allocate(order, .movable, on: cpu) else { continue }
          // A stranger may hold a reference, so the owner gives up its own instead of freeing.
          machine.zone.put(folio.head, on: cpu)
        } else {
          let frame = FrameNumber(UInt64.random(in: 0..<4096, using: &random))
          guard let place = try? machine.zone.tryGet(frame, on: cpu) else { continue }
          references.wrappingAdd(1, ordering: .relaxed)
          machine.zone.put(place.head, on: cpu)
        }
      }
    }
    machine.zone.drain()
    try machine.finish()
  }
}
