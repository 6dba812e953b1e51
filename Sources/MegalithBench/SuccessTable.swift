import ArgumentParser
import FrameAllocator
import FrameMap
import Glibc
import HostArena
import Megalith
import MemoryUnits
import Mobility
import PhysicalLayout

struct SuccessTable: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "success",
    abstract: "What share of ranges can be emptied when some pageblocks hold one unmovable frame.",
    discussion: """
      A machine of 16 GiB, metadata only. A share q of its pageblocks gets one unmovable frame each; then every aligned range of \
      a size is planned.

      random: at random places, as on a kernel that has run for long. Of ranges of n pageblocks (1-q)^n can be had: the formula's \
      column. allocated: by requests to the allocator, each of which needs a pageblock of its own, while movable folios fill all memory \
      but four pageblocks, which are others each time. grouped: the same with groups of 1 GiB, where a further pageblock is taken \
      in a group that has one already.

      The unit in which ranges are isolated matters where it is larger than the range: all of it must be emptied.
      """)

  @Option(help: ArgumentHelp("Seeds to average over.", valueName: "count")) var seeds: Int = 200
  @Flag(help: "Print JSON, schema megalith.success/1.") var json = false

  private struct Line {
    let placement: String
    let share: Double
    let cells: [(name: String, value: Double)]
  }

  private static let shares = [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1]

  func run() throws {
    guard seeds > 0 else { throw ValidationError("--seeds takes a number from 1 on") }
    var lines: [Line] = []
    for share in Self.shares {
      lines.append(try line("random", share) { ground, random in ground.spoilRandomly(share, &random) })
    }
    for share in Self.shares {
      lines.append(try line("allocated", share) { ground, random in try ground.spoilByRequests(share, &random) })
    }
    for share in Self.shares {
      lines.append(
        try line("grouped", share, group: Order(18)) { ground, random in try ground.spoilByRequests(share, &random) })
    }
    print(json ? document(lines) : table(lines))
  }

  private func line(
    _ placement: String, _ share: Double, group: Order? = nil, _ spoil: (SpoiltGround, inout SplitMix) throws -> Void
  ) throws -> Line {
    // Range, and the unit of isolation.
    let cases: [(name: String, order: Order, unit: Order?)] = [
      ("2M by 2M", Order(9), nil), ("2M by 4M", Order(9), Order(10)), ("2M by 1G", Order(9), Order(18)),
      ("128M by 2M", Order(15), nil), ("128M by 1G", Order(15), Order(18)), ("1G by 2M", Order(18), nil),
      ("1G by 4M", Order(18), Order(10)), ("1G by 1G", Order(18), Order(18)),
    ]
    var had = [Double](repeating: 0, count: cases.count)
    for seed in 0..<seeds {
      progress("\r\(placement) \(percent(share))%, seed \(seed + 1) of \(seeds)   ")
      var random = SplitMix(seed: UInt64(seed))
      let ground = try SpoiltGround(group: group)
      try spoil(ground, &random)
      for (index, one) in cases.enumerated() { had[index] += ground.share(of: one.order, unit: one.unit) / Double(seeds) }
      try ground.finish()
    }
    progress("\r\u{1b}[K")
    return Line(
      placement: placement, share: share,
      cells: zip(cases, had).map { ($0.name, $1) } + [("(1-q)^512", power(1 - share, 512))])
  }

  private func progress(_ text: String) {
    guard isatty(STDERR_FILENO) != 0 else { return }
    let bytes = Array(text.utf8)
    _ = write(STDERR_FILENO, bytes, bytes.count)
  }

  private func power(_ base: Double, _ exponent: Int) -> Double { (0..<exponent).reduce(1) { result, _ in result * base } }

  private func table(_ lines: [Line]) -> String {
    let names = lines[0].cells.map { $0.name }
    let head = "where      q      " + names.map { right($0, 11) }.joined()
    return
      ([head]
      + lines.map { line in
        line.placement + String(repeating: " ", count: 11 - line.placement.count) + right(percent(line.share), 6) + "%"
          + line.cells.map { right(percent($0.value), 10) + "%" }.joined()
      }).joined(separator: "\n")
  }

  private func document(_ lines: [Line]) -> String {
    let rows = lines.map { line in
      #"{"placement":"\#(line.placement)","spoilt":\#(line.share),"had":{"#
        + line.cells.map { #""\#($0.name)":\#($0.value)"# }.joined(separator: ",") + "}}"
    }
    return #"{"schema":"megalith.success/1","seeds":\#(seeds),"rows":["# + rows.joined(separator: ",") + "]}"
  }

  private func percent(_ value: Double) -> String {
    let hundredths = Int(value * 10_000 + 0.5)
    return "\(hundredths / 100).\(hundredths % 100 < 10 ? "0" : "")\(hundredths % 100)"
  }
  private func right(_ text: String, _ width: Int) -> String { String(repeating: " ", count: max(0, width - text.count)) + text }
}

/// A machine of one zone of 16 GiB whose pageblocks are spoilt one by one.
private final class SpoiltGround {
  let machine: Machine<HostStorage>
  private static let memory = FrameRange(start: .zero, count: FrameCount(16 << 18))
  private var held: [FolioPlace] = []

  init(group: Order?) throws {
    var architecture = Architecture.x86_64
    architecture.zones = [ZoneLimit(.normal, below: nil)]
    architecture.hasLegacyBIOSArea = false
    let shift = architecture.baseShift
    let map = FirmwareMap([FirmwareMap.Entry(PhysicalRange(Self.memory, shift), .usable)])
    let layout = try BootLayout(of: BootDescription(architecture: architecture, firmwareMap: map))
    var policy = MachinePolicy()
    policy.memmap = .elsewhere
    policy.pageblocks = PageblockPolicy(order: Order(9), groupOrder: group)
    machine = try Machine(layout, model: .vmemmap, policy: policy)
  }

  private var pageblocks: UInt64 { Self.memory.count.rawValue >> 9 }
  private func wanted(_ share: Double) -> Int { Int(share * Double(pageblocks) + 0.5) }
  private var zone: ZoneIndex { machine.zones.indices[0] }

  func spoilRandomly(_ share: Double, _ random: inout SplitMix) {
    // Each pageblock by itself, so that the formula holds.
    let limit = UInt64(share * 18_446_744_073_709_551_616)
    for pageblock in 0..<pageblocks where random.next() < limit {
      let frame = FrameNumber(pageblock << 9 + random.next() % 512)
      guard let folio = try? machine.zones[zone].claimFolio(at: frame, order: Order(0), .unmovable) else { continue }
      held.append(FolioPlace(head: folio.head, order: folio.order))
    }
  }

  /// Requests for whole pageblocks, of which all but one frame is given back, so that each further request needs another one. Memory
  /// is full of movable folios otherwise: each time four pageblocks, anywhere, are free.
  func spoilByRequests(_ share: Double, _ random: inout SplitMix) throws {
    let request = FrameRequest(.unmovable, urgency: .emergency)
    var full = try fill()
    for _ in 0..<wanted(share) {
      var gaps: [FolioPlace] = []
      for _ in 0..<4 {
        let index = Int(random.next() % UInt64(full.count))
        full.swapAt(index, full.count - 1)
        let place = full.removeLast()
        try machine.zones.free(at: place.head, order: place.order, on: CPUIndex(0))
        gaps.append(place)
      }
      let folio = try machine.zones.allocate(Order(9), request, on: CPUIndex(0))
      let first = folio.head
      let kept = random.next() % 512
      try machine.zones.split(folio, to: Order(0)) { part in
        if part.head - first == FrameCount(kept) {
          held.append(FolioPlace(head: part.head, order: part.order))
        } else {
          machine.zones.free(part, on: CPUIndex(0))
        }
      }
      machine.zones.drain()
      for place in gaps where place.head != first {
        let folio = try machine.zones[zone].claimFolio(at: place.head, order: place.order, .movable)
        full.append(FolioPlace(head: folio.head, order: folio.order))
      }
    }
    held += full
  }

  private func fill() throws -> [FolioPlace] {
    var full: [FolioPlace] = []
    while let folio = try? machine.zones.allocate(Order(9), FrameRequest(.movable, urgency: .emergency), on: CPUIndex(0)) {
      full.append(FolioPlace(head: folio.head, order: folio.order))
    }
    return full
  }

  /// The share of aligned ranges of `order` that can be emptied.
  func share(of order: Order, unit: Order?) -> Double {
    var policy = ContiguousPolicy()
    policy.isolationOrder = unit
    // All ranges of one unit of isolation have the same answer.
    let step = max(order, unit ?? order)
    var had = 0
    let count = Self.memory.count.rawValue >> UInt64(step.rawValue)
    for index in 0..<count {
      let range = FrameRange(blockAt: FrameNumber(index << UInt64(step.rawValue)), order: order)
      if let plan = try? machine.zones.plan(range, policy, stopsAtFirst: true), plan.isPossible { had += 1 }
    }
    return Double(had) / Double(count)
  }

  func finish() throws {
    for place in held { try machine.zones.free(at: place.head, order: place.order, on: CPUIndex(0)) }
    machine.zones.drain()
    let left = try machine.checkInvariants()
    precondition(left == .zero, "folios are left")
  }
}
