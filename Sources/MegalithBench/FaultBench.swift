import AddressSpaces
import ArgumentParser
import CBaselines
import FrameContents
import HostArena
import HugePools
import Megalith
import MemoryUnits
import PhysicalLayout

struct FaultBench: Suite {
  static let configuration = CommandConfiguration(
    commandName: "fault",
    abstract: "First writes to memory of a machine with contents, next to the clear that each of them needs.",
    discussion: """
      Time of one page, on a machine of 3 GiB whose memory, as far as it is used, is resident. Baseline clear: the same frames cleared by themselves, in the \
      same order, by the same loop. What lies between the two is everything else that a fault does: tables, mapping, pool, descriptor.

      fault/1G    one page of 1 GiB
      fault/2M    256 MiB in pages of 2 MiB, one after the other
      fault/4K    64 MiB in base pages, one after the other

      Rows that would not fit into the memory that is available are left out.
      """)

  @OptionGroup var options: BenchOptions
  @OptionGroup var parts: BenchParts

  static func measure(_ options: BenchOptions, into report: inout Report) throws {
    let pages = PinnedPage.allCases.filter { options.wants("fault/\($0.rawValue)") }
    guard !pages.isEmpty else { return }
    // Half as much again, so that the machine's other work is not pushed out.
    guard ByteCount(megalith_available()) >= ByteCount(FaultGround.total.rawValue / 2 * 3) else {
      report.remarks.append("fault: left out, \(FaultGround.total) of memory are not available")
      return
    }
    let ground = try FaultGround()
    for page in pages {
      try ground.prepare(page)
      let samples = interleaved([true, false], rounds: options.roundCount) { isFault in
        [pinned { isFault ? ground.fault(page) : ground.clear(page) }]
      }
      let clear = samples[1][0]
      report.rows.append(
        Row(
          id: "fault/\(page.rawValue)", samples: samples[0][0], baselines: [("clear", clear)],
          target: page == .gigantic ? clear.median * 1.05 : nil))
    }
    try ground.finish()
  }
}

extension PinnedPage {
  /// What is touched in a round.
  fileprivate var touched: ByteCount {
    switch self {
    case .gigantic: .gibibytes(1)
    case .huge: .mebibytes(256)
    case .base: .mebibytes(64)
    }
  }
}

/// A machine with resident memory, and a space in it.
private final class FaultGround: Sendable {
  static let total = ByteCount.gibibytes(3)
  private let machine: Machine<ArenaStorage>
  private let space: AddressSpace
  private static let cpu = CPUIndex(0)
  private static let shift = PageShift(12)
  /// The heads of the pages that the last faults put in place. One thread at a time: a round is over before the next begins.
  nonisolated(unsafe) private var heads: [FrameNumber] = []

  init() throws {
    let layout = try BootLayout(of: try PhysicalMemory(total: Self.total).boot())
    let ranges = layout.memory.map { PhysicalRange($0, Self.shift) }
    let arena = try Arena(ranges, baseShift: Self.shift)
    machine = try Machine(layout, model: .vmemmap, arena: arena)
    space = try machine.memory.makeSpace(on: Self.cpu)
  }

  /// Fills the pool, and makes the memory resident that the rounds use: pages that were given back last are given out first.
  func prepare(_ page: PinnedPage) throws {
    machine.memory.pools.drain(zones: machine.zones, on: Self.cpu)
    if page != .base {
      let pages = PageCount(page.touched / page.size.bytes)
      let reached = machine.memory.pools.setSize(
        page.size, to: pages, zones: machine.zones, with: machine.migration(of: machine.memory.owner))
      guard reached == pages else { throw BenchError.outOfMemory }
    }
    for _ in 0..<2 { _ = fault(page) }
  }

  /// Maps, touches and unmaps memory; the touches are timed.
  ///
  /// - Returns: nanoseconds a page.
  func fault(_ page: PinnedPage) -> Double {
    var range = VirtualRange(start: VirtualAddress(0), end: VirtualAddress(0))
    mustNot { () throws(MappingError) in
      range = try machine.memory.map(.anonymous(page.size), page.touched, in: space, on: Self.cpu)
    }
    let time = timed {
      var address = range.start
      while address < range.end {
        mustNot { () throws(FaultError) in try machine.memory.fault(address, .write, in: space, on: Self.cpu) }
        address += page.size.bytes
      }
    }
    heads = heads(behind: range, page)
    mustNot { () throws(MappingError) in try machine.memory.unmap(range, in: space, on: Self.cpu) }
    return time / Double(page.touched / page.size.bytes)
  }

  /// Clears the frames that the last faults put in place, which nobody uses now.
  func clear(_ page: PinnedPage) -> Double {
    let order = page.size.order(baseShift: Self.shift)
    let contents = machine.contents
    let time = timed {
      for head in heads {
        mustNot { () throws(ContentsError) in
          var work = try ClearWork(FrameRange(blockAt: head, order: order), in: contents, with: HostMover.self)
          work.advance(by: work.remaining)
        }
      }
    }
    return time / Double(page.touched / page.size.bytes)
  }

  private func heads(behind range: VirtualRange, _ page: PinnedPage) -> [FrameNumber] {
    var heads: [FrameNumber] = []
    var address = range.start
    while address < range.end {
      var number: [FrameNumber] = [.zero]
      mustNot { () throws(PinError) in
        var span = number.mutableSpan
        _ = try machine.memory.pin(
          VirtualRange(start: address, count: Self.shift.bytes), in: space, into: &span, on: Self.cpu)
        try machine.memory.unpin(FrameRange(start: span[0], count: FrameCount(1)), on: Self.cpu)
      }
      heads.append(number[0])
      address += page.size.bytes
    }
    return heads
  }

  func finish() throws { try end(machine, space, on: Self.cpu) }
}
