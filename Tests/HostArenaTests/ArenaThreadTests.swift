import Foundation
import FrameContents
import HostArena
import MemoryUnits
import Synchronization
import Testing

/// The current direct map is read without a lock while memory comes and goes. Quiet under the thread sanitizer.
@Suite struct ArenaThreadTests {
  final class Shared: Sendable {
    let arena: Arena
    let isDone = Atomic(false)
    let reads = Atomic(0)
    let failures = Atomic(0)
    init(_ arena: Arena) { self.arena = arena }

    func read() {
      while !isDone.load(ordering: .acquiring) {
        // Frame 300 is always there.
        if (try? arena.directMap.byte(300)) == 42 {
          reads.add(1, ordering: .relaxed)
        } else {
          failures.add(1, ordering: .relaxed)
        }
      }
    }
  }

  @Test func mapsAreReadMeanwhile() throws {
    let shared = Shared(try ArenaTests.make(.memfd))
    try shared.arena.directMap.fill(300, 42)
    let threads = (0..<2).map { _ in
      let thread = Thread { shared.read() }
      thread.start()
      return thread
    }
    while shared.reads.load(ordering: .relaxed) < 100 { sched_yield() }
    for round in 0..<400 as Range<UInt64> {
      let range = physical(2 << 20 | (round % 16) << 12, 3 << 20)
      try shared.arena.add(range)
      try shared.arena.remove(range)
    }
    shared.isDone.store(true, ordering: .releasing)
    while threads.contains(where: { !$0.isFinished }) { sched_yield() }
    #expect(shared.failures.load(ordering: .relaxed) == 0)
    #expect(shared.arena.ranges.count == 2)
  }
}
