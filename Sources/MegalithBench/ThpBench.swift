import ArgumentParser
import CBaselines
import FrameAllocator
import FrameMap
import MemoryUnits

struct ThpBench: Suite {
  static let configuration = CommandConfiguration(
    commandName: "thp",
    abstract: "What transparent huge pages cost: references, splits, collapses.",
    discussion: """
      thp/get-put/base, /head   a reference taken and given back, on a base page and on the head of a page of 2 MiB; baseline c: \
      atomic add, atomic subtract with a look at zero
      thp/pin-unpin/tail        one frame of a page of 2 MiB pinned and unpinned, which takes the page's lock
      thp/split/2M/<model>      a mapped page of 2 MiB becomes 512 base pages
      thp/split/1G/<model>      a mapped page of 1 GiB becomes 512 pages of 2 MiB
      thp/split/.../untouched   the same where nobody has touched the descriptors of tails before: the host finds memory for them
      thp/collapse/2M           512 base pages that lie anywhere become a page of 2 MiB, on a machine with contents

      Baseline c of a split: writes the same fields of the same 512 descriptors. Before each turn these are dropped from all caches, and \
      other memory is read, so that the nearer caches have nothing else either; the page is looked up again, as who splits it must. \
      Baselines of a collapse, on other pages of the same memory: c, which copies 512 pages by memcpy; works, the engine's copies. \
      Sides take turns within a round; what is compared with the target is the median of the rounds' ratios.
      """)

  @OptionGroup var options: BenchOptions
  @OptionGroup var parts: BenchParts

  /// Rounds are short here, and differences small: so many for each that is asked for.
  static func rounds(_ options: BenchOptions) -> Int { options.roundCount * (options.quick ? 1 : 3) }

  static func measure(_ options: BenchOptions, into report: inout Report) throws {
    try measureReferences(options, into: &report)
    try measureSplits(options, into: &report)
    try measureCollapse(options, into: &report)
  }

  private static func measureReferences(_ options: BenchOptions, into report: inout Report) throws {
    let ids = ["thp/get-put/base", "thp/get-put/head", "thp/pin-unpin/tail"]
    guard ids.contains(where: options.wants) else { return }
    let ground = try ReferenceGround()
    let count = options.quick ? 100_000 : 1_000_000
    let sides: [@Sendable () -> Double] = [
      { ground.getPut(ground.base, count) }, { ground.getPut(ground.head, count) }, { ground.pinUnpin(count / 10) },
      { ground.getPutInC(count) },
    ]
    let samples = interleaved(sides, rounds: rounds(options)) { side in [pinned(side)] }.map { $0[0] }
    for (index, id) in ids.enumerated() where options.wants(id) {
      report.rows.append(Row(id: id, samples: samples[index], baselines: [("c", samples[3])], target: nil))
    }
    ground.finish()
  }
}

extension Report {
  /// A row whose target is a share of a baseline: what is compared is the median of the rounds' ratios.
  mutating func add(_ id: String, _ turns: Turns, _ names: [String], reach: (share: Double, baseline: Int)? = nil) {
    let baselines = zip(names, turns.samples.dropFirst()).map { (name: $0, samples: $1) }
    rows.append(
      Row(
        id: id, samples: turns.samples[0], baselines: baselines,
        target: reach.map { turns.samples[$0.baseline].median * $0.share }))
    let ratios = zip(names, turns.ratios).map { "\(decimal($1.median)) of \($0)" }.joined(separator: ", ")
    guard let reach else { return remarks.append("\(id): median of ratios \(ratios)") }
    let isReached = turns.ratios[reach.baseline - 1].median <= reach.share
    remarks.append(
      "\(id): median of ratios \(ratios); at most \(decimal(reach.share)) of \(names[reach.baseline - 1]) wanted: "
        + (isReached ? "ok" : "above"))
  }
}

/// The figures of sides that took turns, the engine's first.
struct Turns {
  /// By side.
  var samples: [Samples]
  /// The engine's figure by another's, of the same round; by side, the engine's own left out.
  var ratios: [Samples]

  /// Lets the sides take turns, many in a round: the median of a side's turns is its figure. The first round does not count.
  ///
  /// - Parameter side: what a turn of a side took.
  init(_ sides: Int, rounds: Int, turns: Int, _ side: (Int) -> Double) {
    samples = [Samples](repeating: Samples(), count: sides)
    ratios = [Samples](repeating: Samples(), count: sides - 1)
    for round in 0...rounds {
      var own = [Samples](repeating: Samples(), count: sides)
      for turn in 0..<turns {
        // Each begins in its turn, as what went before is not the same for all.
        for place in 0..<sides {
          let number = (turn + place) % sides
          own[number].add(side(number))
        }
      }
      guard round > 0 else { continue }
      for number in 0..<sides {
        samples[number].add(own[number].median)
        if number > 0 { ratios[number - 1].add(own[0].median / own[number].median) }
      }
    }
  }
}

// One function for both kinds of pages: Scripts/same-get-put.sh shows what it does.

@inline(never) private func getAndPut(_ descriptor: DescriptorPointer) -> Bool {
  descriptor.pointee.take(.references(1))
  return descriptor.pointee.give(.references(1))
}

/// A base page and a page of 2 MiB.
private final class ReferenceGround: Sendable {
  private let fixture: FolioFixture
  private let huge: FolioPlace
  nonisolated(unsafe) let base: DescriptorPointer
  nonisolated(unsafe) let head: DescriptorPointer
  private let baseFrame: FrameNumber
  private static let cpu = CPUIndex(0)

  init() throws {
    fixture = try FolioFixture(zone: FrameRange(start: .zero, count: FrameCount(1 << 16)), threads: 1)
    let one = try fixture.zone.allocate(Order(0), .movable, on: Self.cpu)
    baseFrame = one.head
    _ = consume one
    let other = try fixture.zone.allocate(Order(9), .movable, on: Self.cpu)
    huge = FolioPlace(head: other.head, order: other.order)
    _ = consume other
    guard let base = fixture.table.descriptor(baseFrame), let head = fixture.table.descriptor(huge.head) else {
      throw BenchError.outOfMemory
    }
    self.base = base
    self.head = head
  }

  func finish() {
    fixture.zone.put(baseFrame, on: Self.cpu)
    fixture.zone.put(huge.head, on: Self.cpu)
  }

  func getPut(_ descriptor: DescriptorPointer, _ count: Int) -> Double {
    var wasLast = false
    let time = timed { for _ in 0..<count { wasLast = getAndPut(descriptor) || wasLast } }
    precondition(!wasLast, "a page lost its reference")
    return time / Double(count)
  }

  func getPutInC(_ count: Int) -> Double {
    nonisolated(unsafe) var counts = megalith_descriptor()
    counts.counts = 1
    var wasLast = false
    let time = timed { for _ in 0..<count { wasLast = megalith_c_get_put(&counts) || wasLast } }
    precondition(!wasLast, "a page lost its reference")
    return time / Double(count)
  }

  func pinUnpin(_ count: Int) -> Double {
    let tail = FrameRange(start: huge.head + FrameCount(77), count: FrameCount(1))
    let time = timed {
      for _ in 0..<count {
        let pin = fixture.zone.pin(tail, of: huge, on: Self.cpu, pause: {}, while: { true })
        let unpin = fixture.zone.unpin(tail, on: Self.cpu, pause: {})
        precondition(pin == .done && unpin.outcome == .done, "a tail was not pinned")
      }
    }
    return time / Double(count)
  }
}
