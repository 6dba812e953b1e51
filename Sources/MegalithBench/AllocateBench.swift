import ArgumentParser
import CBaselines
import MemoryUnits

struct AllocateBench: Suite {
  static let configuration = CommandConfiguration(
    commandName: "alloc",
    abstract: "Frames only: the tree of free frames and the caches, without descriptors.",
    discussion: """
      The zone is 8 GiB of metadata without memory behind it, and each case holds half of it. Baselines: lifo, a bare list \
      a thread, the floor; buddy, textbook lists under a spin lock.

      bulk-get, bulk-put     allocate a share, free it in order
      random-put, random-get free a share of all threads' blocks shuffled together, allocate as many again
      churn                  free a random one of the own blocks and allocate one
      pair                   with the share held, allocate one and free it
      """)

  @OptionGroup var options: BenchOptions
  @OptionGroup var parts: BenchParts

  static func measure(_ options: BenchOptions, into report: inout Report) throws {
    let zone = AllocationTable.zone
    let table = AllocationTable(
      name: "alloc",
      contenders: { order, threads in
        [
          try TreeContender(zone: zone, order: order, threads: threads),
          try CContender(MEGALITH_LIFO, zone: zone, order: order, threads: threads),
          try CContender(MEGALITH_BUDDY, zone: zone, order: order, threads: threads),
        ]
      }, target: target)
    try table.measure(options, into: &report)
  }

  /// The figures to reach: absolute with one thread, and with two a multiple of what one took in this run.
  private static func target(_ order: UInt8, _ workload: Workload, _ threads: Int, _ single: Double?) -> Double? {
    switch (order, workload, threads) {
    case (0, .bulkGet, 1): 8
    case (0, .bulkPut, 1): 12
    case (0, .randomPut, 1): 25
    case (0, .randomGet, 1): 10
    case (0, .pair, 1): 10
    case (9, .bulkGet, 1): 30
    case (9, .bulkPut, 1): 25
    // Where the threads share no words, and where they do.
    case (0, .bulkGet, 2), (0, .bulkPut, 2), (0, .pair, 2): single.map { $0 * 1.3 }
    case (0, .randomPut, 2), (0, .randomGet, 2): single.map { $0 * 2.2 }
    default: nil
    }
  }
}
