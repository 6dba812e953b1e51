import FrameAllocator
import FrameMap
import HostArena
import Megalith
import MemoryUnits
import PhysicalLayout
import TestSupport
import Testing

/// Threads over a whole machine of two nodes. Run them under the thread sanitizer: `swift test --sanitize=thread --filter ThreadTests`.
@Suite(.serialized) struct MachineThreadTests {
  final class Shared: Sendable {
    let machine: Machine<HostStorage>
    init(_ machine: consuming Machine<HostStorage>) { self.machine = machine }
  }

  private static func machine(_ model: MemoryModel, processors: UInt32) throws -> Shared {
    var architecture = Architecture.x86_64
    architecture.addressLimit = PhysicalAddress(8 << 30)
    let memory = try PhysicalMemory(
      total: .mebibytes(96), nodes: [.mebibytes(41), .mebibytes(55)], deviceHole: PhysicalAddress(64 << 20),
      architecture: architecture)
    var policy = MachinePolicy()
    policy.processors = CPUIndexLimit(processors)
    policy.topOrder = .unlimited
    policy.pageblocks = PageblockPolicy(order: architecture.pageblockOrder, groupOrder: Order(11))
    return Shared(try Machine(try BootLayout(of: memory.boot()), model: model, policy: policy))
  }

  /// More is asked for than there is, so that every mark, reserve and cache is met.
  @Test(arguments: MemoryModel.allCases, [2, 6]) func anOverloadedMachineEndsBalanced(model: MemoryModel, threads: Int) throws {
    let shared = try Self.machine(model, processors: UInt32(threads))
    let before = shared.machine.zones.freeFrames()
    let served = Tally()
    let refused = Tally()
    let faults = Tally()
    concurrently(threads) { thread in
      let cpu = CPUIndex(UInt32(thread))
      var random = SplitMix(seed: UInt64(thread) + 5)
      var held: [FolioPlace] = []
      for step in 0..<1500 {
        if held.isEmpty || (step < 1000 && Int.random(in: 0..<3, using: &random) != 0) {
          let order = Order(UInt8.random(in: 0...([0, 4, 9, 13].randomElement(using: &random) ?? 0), using: &random))
          let request = FrameRequest(
            [.unmovable, .reclaimable, .movable].randomElement(using: &random) ?? .movable,
            node: NodeID(.random(in: 0...1, using: &random)), urgency: Urgency.allCases.randomElement(using: &random) ?? .ordinary
          )
          do throws(FolioError) {
            let folio = try shared.machine.allocate(order, request, on: cpu)
            held.append(FolioPlace(head: folio.head, order: folio.order))
            served.add(1)
          } catch {
            if case .exhausted = error { refused.add(1) } else { faults.add(1) }
          }
        } else {
          held.swapAt(.random(in: 0..<held.count, using: &random), held.count - 1)
          guard let place = held.popLast(), let folio = try? shared.machine.zones.adopt(place.head) else {
            faults.add(1)
            continue
          }
          shared.machine.free(folio, on: cpu)
        }
      }
      for place in held {
        do { try shared.machine.zones.free(at: place.head, order: place.order, on: cpu) } catch { faults.add(1) }
      }
    }
    #expect(faults.value == 0)
    #expect(served.value > 0 && refused.value > 0)
    shared.machine.zones.drain()
    let (held, after) = (try shared.machine.checkInvariants(), shared.machine.zones.freeFrames())
    #expect(held == .zero && after == before)
  }
}
