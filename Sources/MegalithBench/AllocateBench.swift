import ArgumentParser
import CBaselines
import MemoryUnits

struct AllocateBench: ParsableCommand {
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

  func run() throws {
    let zone = FrameRange(start: .zero, count: FrameCount(ByteCount.gibibytes(8), PageShift(12), rounded: .down))
    var report = Report()
    var single: [String: Double] = [:]
    for order in [0, 4, 9, 13, 18] as [UInt8] {
      for threads in 1...2 {
        let ids = Workload.allCases.map { "alloc/order\(order)/\($0.rawValue)/t\(threads)" }
        let isWanted = ids.map { id in options.filter.map { id.contains($0) } ?? true }
        guard isWanted.contains(true) else { continue }
        guard Int(megalith_processors()) >= threads else { throw BenchError.tooManyThreads(threads) }
        let samples = try measure(zone, Order(order), threads)
        for (index, workload) in Workload.allCases.enumerated() where isWanted[index] {
          let own = samples[0].times[index]
          let key = "\(order)/\(workload.rawValue)"
          if threads == 1 { single[key] = own.median }
          report.rows.append(
            Row(
              id: ids[index], samples: own, baselines: samples.dropFirst().map { ($0.name, $0.times[index]) },
              target: target(order, workload, threads, single: single[key])))
        }
      }
    }
    print(options.json ? report.json : report.text)
  }

  private func measure(_ zone: FrameRange, _ order: Order, _ threads: Int) throws -> [(name: String, times: [Samples])] {
    let work = Case(zone: zone, order: order, threads: threads, isQuick: options.quick)
    let contenders: [any Contender] = [
      try TreeContender(zone: zone, order: order, threads: threads),
      try CContender(MEGALITH_LIFO, zone: zone, order: order, threads: threads),
      try CContender(MEGALITH_BUDDY, zone: zone, order: order, threads: threads),
    ]
    var results = contenders.map { ($0.name, Workload.allCases.map { _ in Samples() }) }
    // The first round warms caches and page tables up and does not count.
    for round in 0...options.roundCount {
      for (index, contender) in contenders.enumerated() {
        for (phase, time) in work.round(contender).enumerated() where round > 0 { results[index].1[phase].add(time) }
      }
    }
    return results.map { (name: $0.0, times: $0.1) }
  }

  /// The figures to reach: absolute with one thread, and with two a multiple of what one took in this run.
  private func target(_ order: UInt8, _ workload: Workload, _ threads: Int, single: Double?) -> Double? {
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
