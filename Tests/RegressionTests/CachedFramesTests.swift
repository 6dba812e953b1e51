import FrameAllocator
import FrameMap
import HostArena
import Megalith
import MemoryUnits
import PhysicalLayout
import Testing

/// A set of zones counted cached frames as taken, and reported exhaustion without giving them back first: a processor that had
/// just freed a frame could not have it again, nor what lay in other processors' caches.
@Suite struct CachedFramesTests {
  private func machine() throws -> Machine<HostStorage> {
    let memory = try PhysicalMemory(total: .mebibytes(2), architecture: .s390x)
    var policy = MachinePolicy()
    policy.memmap = .elsewhere
    policy.minimumFree = .zero
    policy.watermarkScale = 0
    policy.processors = CPUIndexLimit(3)
    return try Machine(try BootLayout(of: memory.boot()), model: .vmemmap, policy: policy)
  }

  @Test(arguments: Urgency.allCases) func whatCachesKeepIsHandedOutInTheEnd(urgency: Urgency) throws {
    let machine = try machine()
    let request = FrameRequest(.movable, urgency: urgency)
    var held: [FrameNumber] = []
    // Every processor's cache has the rest of a word.
    for cpu in 0..<3 as Range<UInt32> { held.append(try machine.allocate(Order(0), request, on: CPUIndex(cpu)).head) }
    while let folio = try? machine.allocate(Order(0), request) { held.append(folio.head) }
    #expect(held.count == 512)
    // Into the cell's second word, of which nothing is handed out directly.
    let last = held.removeLast()
    try machine.zones.free(at: held.removeFirst(), order: Order(0), on: CPUIndex(0))
    try machine.zones.free(at: last, order: Order(0), on: CPUIndex(0))
    for _ in 0..<2 { held.append(try machine.allocate(Order(0), request).head) }
    for head in held { try machine.zones.free(at: head, order: Order(0), on: CPUIndex(0)) }
    // Now nearly all words are whole in caches or the tree; a large block needs all of them.
    held = [try machine.allocate(Order(8), request).head, try machine.allocate(Order(8), request).head]
    for head in held { try machine.zones.free(at: head, order: Order(8), on: CPUIndex(0)) }
    machine.zones.drain()
    let left = try machine.checkInvariants()
    #expect(left == .zero)
  }
}
