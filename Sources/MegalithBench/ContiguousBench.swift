import ArgumentParser
import CBaselines
import FrameAllocator
import FrameMap
import HostArena
import Megalith
import MemoryUnits
import Mobility
import PhysicalLayout

struct ContiguousBench: Suite {
  static let configuration = CommandConfiguration(
    commandName: "contiguous",
    abstract: "Gigantic pages out of memory that is in use, metadata only.",
    discussion: """
      A machine of 64 GiB or 1 TiB holds random movable frames, p percent of all. decide: to choose the range that costs the \
      fewest moves, with a share of the pages held already; baseline scan looks at every frame of every range, in C, one word a \
      frame. get: to obtain one 1 GiB page, moves included; a note tells how the last quarter of the pages compares with the first. \
      compact: to move a frame, while a zone is compacted from end to end.

      The machine of 1 TiB with movable frames needs 12 GiB of memory: --large.
      """)

  @OptionGroup var options: BenchOptions
  @OptionGroup var parts: BenchParts
  private struct Size {
    let name: String
    let bytes: ByteCount
    let shares: [Int]
  }

  static func measure(_ options: BenchOptions, into report: inout Report) throws {
    var sizes = [Size(name: "64G", bytes: .gibibytes(64), shares: options.quick ? [0, 1] : [0, 1, 10, 50])]
    if !options.quick { sizes.append(Size(name: "1T", bytes: .gibibytes(1024), shares: options.large ? [0, 1] : [0])) }
    for size in sizes {
      for share in size.shares {
        let id = "contiguous/\(size.name)/p\(share)"
        guard options.wants(id) else { continue }
        try measure(options, id, size.bytes, share, into: &report)
      }
    }
    if options.wants("contiguous/64G/compact") { try measureCompaction(options, into: &report) }
  }

  private static func measure(_ options: BenchOptions, _ id: String, _ bytes: ByteCount, _ share: Int, into report: inout Report)
    throws
  {
    let ground = try Ground(bytes, share: share, seed: 1)
    let order = Order(18)
    let request = FrameRequest(.unmovable, urgency: .emergency)
    let count = Int(bytes.rawValue >> 30)
    var pages: [FolioPlace] = []
    var times: [Double] = []
    var moves: [FrameCount] = []
    func decide() {
      var own = Samples()
      var scan = Samples()
      let states = ground.states()
      for round in 0...options.roundCount {
        let start = now()
        let plan = ground.machine.zones.plan(block: order, request)
        let middle = now()
        let best = states.withUnsafeBufferPointer { megalith_c_scan($0.baseAddress, UInt64($0.count), 1 << 18) }
        let end = now()
        precondition((plan == nil) == (best == .max), "the scan found other than the plan")
        if round > 0 {
          own.add(Double(middle - start))
          scan.add(Double(end - middle))
        }
      }
      report.rows.append(
        Row(id: "\(id)/decide/held\(pages.count * 100 / count)", samples: own, baselines: [("scan", scan)], target: nil))
    }
    decide()
    while true {
      let plan = ground.machine.zones.plan(block: order, request)
      let start = now()
      guard let plan,
        let page = try? ground.machine.contiguousBlock(order, request, kind: .hugePool, owner: ground.ledger)
      else { break }
      times.append(Double(now() - start))
      moves.append(plan.moves)
      pages.append(FolioPlace(head: page.head, order: page.order))
      // Held is what the owner keeps; the value itself is not needed to free it.
      if [count / 4, count / 2, count * 3 / 4].contains(pages.count) { decide() }
    }
    decide()
    var get = Samples()
    for time in times { get.add(time) }
    report.rows.append(Row(id: "\(id)/get", samples: get, baselines: [], target: nil))
    let quarter = max(1, times.count / 4)
    let (first, last) = (median(times.prefix(quarter)), median(times.suffix(quarter)))
    let moved = moves.reduce(FrameCount.zero) { $0 + $1 }
    let each = moved.rawValue / UInt64(max(1, pages.count))
    report.remarks.append(
      "\(id): \(pages.count) of \(count) pages, \(each) frames moved for each, last quarter \(ratio(last, first)) of the first")
    for place in pages { try ground.machine.zones.free(at: place.head, order: order, on: CPUIndex(0)) }
    try ground.finish()
  }

  private static func measureCompaction(_ options: BenchOptions, into report: inout Report) throws {
    var own = Samples()
    var moved = FrameCount.zero
    for round in 0...min(options.roundCount, 3) {
      let ground = try Ground(.gibibytes(options.quick ? 8 : 64), share: 10, seed: UInt64(round) + 1)
      let start = now()
      moved = .zero
      for index in ground.machine.zones.indices {
        moved += ground.machine.zones.compact(index, for: nil, with: ground.machine.migration(of: ground.ledger)).moved
      }
      let time = now() - start
      if round > 0 { own.add(Double(time) / Double(max(1, moved.rawValue))) }
      try ground.finish()
    }
    report.rows.append(Row(id: "contiguous/64G/compact", samples: own, baselines: [], target: nil))
    report.remarks.append(
      "contiguous/64G/compact: \(moved) frames moved, \(Int(1e9 / max(own.median, 1e-9))) frames a second, 10 % of memory movable"
    )
  }

  private static func median(_ values: some Collection<Double>) -> Double {
    var samples = Samples()
    for value in values { samples.add(value) }
    return samples.median
  }
  private static func ratio(_ value: Double, _ base: Double) -> String {
    let hundredths = Int(value / max(base, 1) * 100 + 0.5)
    return "\(hundredths / 100).\(hundredths % 100 < 10 ? "0" : "")\(hundredths % 100)"
  }
}

/// A machine with random movable frames, of which each is a folio of its own.
final class Ground {
  let machine: Machine<HostStorage>
  let ledger = FolioLedger()
  private let kept: [FolioLedger.Ticket]

  init(_ bytes: ByteCount, share: Int, seed: UInt64) throws {
    let layout = try BootLayout(of: try PhysicalMemory(total: bytes).boot())
    var policy = MachinePolicy()
    policy.memmap = .elsewhere
    machine = try Machine(layout, model: .vmemmap, policy: policy)
    var random = SplitMix(seed: seed)
    var kept: [FolioLedger.Ticket] = []
    if share > 0 {
      // Everything is taken and most of it given back, so that what stays lies anywhere.
      var heads: [FrameNumber] = []
      heads.reserveCapacity(Int(layout.present.rawValue))
      while let folio = try? machine.zones.allocate(Order(0), FrameRequest(.movable, urgency: .emergency), on: CPUIndex(0)) {
        heads.append(folio.head)
      }
      for head in heads {
        if random.next() % 100 < UInt64(share) {
          kept.append(ledger.keep(try machine.zones.adopt(head)))
        } else {
          try machine.zones.free(at: head, order: Order(0), on: CPUIndex(0))
        }
      }
      machine.zones.drain()
    }
    self.kept = kept
  }

  /// A word a frame for the baseline: 0 free, 1 movable, 2 in the way, 4 held.
  func states() -> [UInt64] {
    let end = machine.zones.descriptions.map { $0.span.end }.max() ?? .zero
    var states = [UInt64](repeating: 2, count: Int(end.rawValue))
    for index in machine.zones.indices {
      machine.zones[index].forEachUse(in: machine.zones[index].zone) { use in
        let state: UInt64 =
          switch use.kind {
          case .free: 0
          case .folio(let shape): shape.kind == .hugePool ? 4 : 1
          case .unowned: 2
          }
        for frame in use.frames.start.rawValue..<use.frames.end.rawValue { states[Int(frame)] = state }
        return true
      }
    }
    return states
  }

  func finish() throws {
    for ticket in kept { ledger.free(ticket, to: machine.zones, on: CPUIndex(0)) }
    machine.zones.drain()
    let left = try machine.checkInvariants()
    precondition(left == .zero, "folios are left")
  }
}
