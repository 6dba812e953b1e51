import MemoryUnits

/// The rows of the allocators: every order, workload and number of threads.
struct AllocationTable {
  /// What the ids begin with.
  let name: String
  /// The engine's side first.
  let contenders: (_ order: Order, _ threads: Int) throws -> [any Contender]
  /// The figure to reach; `single` is the row's median with one thread, where that was measured in this run.
  let target: (_ order: UInt8, _ workload: Workload, _ threads: Int, _ single: Double?) -> Double?

  static let zone = FrameRange(start: .zero, count: FrameCount(ByteCount.gibibytes(8), PageShift(12), rounded: .down))

  func measure(_ options: BenchOptions, into report: inout Report) throws {
    var single: [String: Double] = [:]
    for order in [0, 4, 9, 13, 18] as [UInt8] {
      for threads in 1...2 {
        let ids = Workload.allCases.map { "\(name)/order\(order)/\($0.rawValue)/t\(threads)" }
        guard ids.contains(where: options.wants) else { continue }
        try requireProcessors(threads)
        let work = Case(zone: Self.zone, order: Order(order), threads: threads, isQuick: options.quick)
        let sides = try contenders(Order(order), threads)
        let samples = interleaved(sides, rounds: options.roundCount, work.round)
        for (index, workload) in Workload.allCases.enumerated() where options.wants(ids[index]) {
          let own = samples[0][index]
          let key = "\(order)/\(workload.rawValue)"
          if threads == 1 { single[key] = own.median }
          report.rows.append(
            Row(
              id: ids[index], samples: own, baselines: zip(sides, samples).dropFirst().map { ($0.name, $1[index]) },
              target: target(order, workload, threads, single[key])))
        }
      }
    }
  }
}
