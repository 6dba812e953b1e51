import ArgumentParser
import CBaselines
import FrameAllocator
import MemoryUnits

struct FolioBench: Suite {
  static let configuration = CommandConfiguration(
    commandName: "folio",
    abstract: "Folios: frames with their descriptors, head bits and counts.",
    discussion: """
      The workloads of `alloc`, through a zone over a virtual memmap: each block gets its descriptor and a reference, and each \
      free is checked. Baselines as there; they write no descriptors.

      prepare: allocate, prepare and free a folio of 1 GiB, next to writing all of its 262,144 descriptors in C.
      """)

  @OptionGroup var options: BenchOptions
  @OptionGroup var parts: BenchParts

  static func measure(_ options: BenchOptions, into report: inout Report) throws {
    let zone = AllocationTable.zone
    let table = AllocationTable(
      name: "folio",
      contenders: { order, threads in
        [
          try FolioContender(zone: zone, order: order, threads: threads),
          try CContender(MEGALITH_LIFO, zone: zone, order: order, threads: threads),
          try CContender(MEGALITH_BUDDY, zone: zone, order: order, threads: threads),
        ]
      }, target: target)
    try table.measure(options, into: &report)
    if options.wants(prepareID) { report.rows.append(try prepare(options)) }
  }

  private static func target(_ order: UInt8, _ workload: Workload, _ threads: Int, _ single: Double?) -> Double? {
    switch (order, workload, threads) {
    case (0, .bulkGet, 1), (0, .bulkPut, 1): 20
    default: nil
    }
  }

  private static let prepareID = "folio/order18/prepare"

  private static func prepare(_ options: BenchOptions) throws -> Row {
    let order = Order(18)
    let written = try descriptorsWritten(order)
    // The head, and at most one more: else tails are written again.
    guard written <= 2 else { throw BenchError.tailsWritten(written) }
    let fixture = try FolioFixture(zone: AllocationTable.zone, threads: 1)
    let descriptors = Int(order.frames.rawValue)
    let memmap = try Reservation(ByteCount(order.frames.rawValue * UInt64(MemoryLayout<megalith_descriptor>.size)))
    nonisolated(unsafe) let head = memmap.bytes.bindMemory(to: megalith_descriptor.self).baseAddress
    let sides: [@Sendable () -> Double] = [
      {
        let count = 1024
        return timed { folioPair(fixture.zone, count, order, CPUIndex(0)) } / Double(count)
      },
      {
        timed {
          megalith_c_prepare(head, descriptors)
          megalith_c_dissolve(head, descriptors)
        }
      },
    ]
    let samples = interleaved(sides, rounds: options.roundCount) { side in [pinned(side)] }
    return Row(
      id: prepareID, samples: samples[0][0], baselines: [("each-tail", samples[1][0])], target: 1000,
      counted: ("descriptorsWritten", written))
  }

  /// Descriptors that the first folio of a new zone leaves written.
  private static func descriptorsWritten(_ order: Order) throws -> UInt64 {
    let fixture = try FolioFixture(zone: AllocationTable.zone, threads: 1)
    let folio = try fixture.zone.allocate(order, .unmovable, on: CPUIndex(0))
    let written = fixture.writtenDescriptors(in: folio.frames)
    fixture.zone.free(folio, on: CPUIndex(0))
    return written
  }
}

/// The nanoseconds that `body` takes.
func timed(_ body: () -> Void) -> Double {
  let start = megalith_now()
  body()
  let end = megalith_now()
  return Double(end - start > clockCost ? end - start - clockCost : 0)
}

/// What `body` returns, run on the first processor.
func pinned(_ body: @escaping @Sendable () -> Double) -> Double {
  nonisolated(unsafe) var result = 0.0
  onThreads(1) { _ in result = body() }
  return result
}
