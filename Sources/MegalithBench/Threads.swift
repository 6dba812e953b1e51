import CBaselines
import Glibc
import Synchronization

/// Threads that take the steps of a workload together.
final class Rendezvous: Sendable {
  private let threads: Int
  /// Arrivals since the beginning. Partner of whatever the threads wrote before they arrived.
  private let arrivals = Atomic<Int>(0)

  init(threads: Int) { self.threads = threads }

  /// Returns when all threads are here.
  func wait() {
    let mine = arrivals.wrappingAdd(1, ordering: .acquiringAndReleasing).oldValue
    let full = (mine / threads + 1) * threads
    var spins = 0
    while arrivals.load(ordering: .acquiring) < full {
      spins += 1
      // The machine has other work: the one we wait for may need our processor.
      if spins > 10_000 { sched_yield() }
    }
  }
}

/// Runs `body` on `count` threads, each pinned to its processor, and waits for all.
func onThreads(_ count: Int, _ body: @escaping @Sendable (Int) -> Void) {
  final class Start: Sendable {
    let index: Int
    let body: @Sendable (Int) -> Void
    init(_ index: Int, _ body: @escaping @Sendable (Int) -> Void) {
      self.index = index
      self.body = body
    }
  }
  let threads = (0..<count).map { index in
    var thread = pthread_t()
    let start = Unmanaged.passRetained(Start(index, body))
    let failure = pthread_create(
      &thread, nil,
      { argument in
        guard let argument else { return nil }
        let start = Unmanaged<Start>.fromOpaque(argument).takeRetainedValue()
        // Fails where the process may not run there; the figures are noisier then, and right.
        _ = megalith_pin_thread(UInt32(start.index))
        start.body(start.index)
        return nil
      }, start.toOpaque())
    precondition(failure == 0, "no thread could be made")
    return thread
  }
  for thread in threads { pthread_join(thread, nil) }
}
