import CBaselines
import MemoryUnits

/// The workloads, in the order in which a round runs them.
enum Workload: String, CaseIterable {
  case bulkGet = "bulk-get"
  case bulkPut = "bulk-put"
  case randomPut = "random-put"
  case randomGet = "random-get"
  case churn, pair
}

/// One order and one number of threads: half of the zone is held, in equal shares.
final class Case: Sendable {
  let order: Order
  let threads: Int
  /// Blocks that a thread holds.
  private let share: Int
  /// How often a round repeats the steps, so that short ones can be timed.
  private let repeats: Int
  private let pairs: Int
  /// All threads' blocks, a share each; and the same, shuffled.
  nonisolated(unsafe) private let held: Blocks
  nonisolated(unsafe) private let shuffled: Blocks
  nonisolated(unsafe) private let permutation: UnsafeMutableBufferPointer<UInt32>
  /// What each thread's churn frees, a part each.
  nonisolated(unsafe) private let churned: UnsafeMutableBufferPointer<UInt32>
  private let churns: Int

  init(zone: FrameRange, order: Order, threads: Int, isQuick: Bool) {
    self.order = order
    self.threads = threads
    let blocks = Int(zone.count.rawValue >> UInt64(order.rawValue))
    share = blocks / 2 / threads
    let operations = isQuick ? 1 << 14 : 1 << 18
    // Steps of a few blocks are mostly meetings: enough of them is enough.
    repeats = min(4096, max(1, operations / share))
    churns = max(1, min(share * 64, operations / repeats))
    pairs = max(1, min(share * 256, operations * 4 / repeats))
    held = .allocate(capacity: share * threads)
    held.initialize(repeating: 0)
    shuffled = .allocate(capacity: share * threads)
    shuffled.initialize(repeating: 0)
    permutation = .allocate(capacity: share * threads)
    _ = permutation.initialize(fromContentsOf: (0..<UInt32(share * threads)).shuffled())
    churned = .allocate(capacity: churns * threads)
    for index in churned.indices { churned[index] = .random(in: 0..<UInt32(share)) }
  }

  deinit {
    held.deallocate()
    shuffled.deallocate()
    permutation.deallocate()
    churned.deallocate()
  }

  /// Runs all workloads once on `contender`; returns the nanoseconds an operation of each, as the slowest thread saw them.
  func round(_ contender: any Contender) -> [Double] {
    let phases = Workload.allCases.count
    nonisolated(unsafe) let times = UnsafeMutableBufferPointer<UInt64>.allocate(capacity: threads * phases)
    times.initialize(repeating: 0)
    defer { times.deallocate() }
    let meeting = Rendezvous(threads: threads)
    onThreads(threads) { [self] thread in
      for _ in 0..<repeats {
        steps(contender, thread, meeting, Blocks(rebasing: times.extracting((thread * phases)..<((thread + 1) * phases))[...]))
      }
    }
    return (0..<phases).map { phase in
      let slowest = (0..<threads).map { times[$0 * phases + phase] }.max() ?? 0
      let operations = phase == 4 ? churns : phase == 5 ? pairs : share
      return Double(slowest) / Double(operations * repeats)
    }
  }

  private func steps(_ contender: any Contender, _ thread: Int, _ meeting: Rendezvous, _ times: Blocks) {
    let mine = held.extracting((thread * share)..<((thread + 1) * share))
    var dealt = shuffled.extracting((thread * share)..<((thread + 1) * share))
    let indices = churned.extracting((thread * churns)..<((thread + 1) * churns))
    func timed(_ phase: Int, _ body: () -> Void) {
      meeting.wait()
      let start = megalith_now()
      body()
      let end = megalith_now()
      times[phase] += end - start > clockCost ? end - start - clockCost : 0
    }
    timed(0) { contender.get(mine, thread: thread) }
    timed(1) { contender.put(mine, thread: thread) }
    meeting.wait()
    contender.get(mine, thread: thread)
    meeting.wait()
    // Each thread deals itself a share of all blocks.
    for index in 0..<share { dealt[index] = held[Int(permutation[thread * share + index])] }
    timed(2) { contender.put(dealt, thread: thread) }
    timed(3) { contender.get(dealt, thread: thread) }
    timed(4) { contender.churn(dealt, indices, thread: thread) }
    timed(5) { contender.pair(pairs, thread: thread) }
    meeting.wait()
    // In order, so that a list is as the first round found it.
    dealt.sort()
    contender.put(Blocks(rebasing: dealt[...]), thread: thread)
  }
}

/// What two looks at the clock cost.
let clockCost: UInt64 = {
  var least = UInt64.max
  for _ in 0..<1000 {
    let start = megalith_now()
    least = min(least, megalith_now() - start)
  }
  return least
}()
