import AddressSpaces
import CBaselines
import FrameAllocator
import FrameContents
import HostArena
import Megalith
import MemoryUnits
import PhysicalLayout

extension ThpBench {
  static func measureCollapse(_ options: BenchOptions, into report: inout Report) throws {
    let id = "thp/collapse/2M"
    guard options.wants(id) else { return }
    guard ByteCount(megalith_available()) >= ByteCount(CollapseGround.total.rawValue / 2 * 3) else {
      return report.remarks.append("\(id): left out, \(CollapseGround.total) of memory are not available")
    }
    let ground = try CollapseGround()
    let turns = onProcessor {
      Turns(3, rounds: rounds(options), turns: CollapseGround.turns) { ground.turn(CollapseSide.allCases[$0]) }
    }
    report.add(id, turns, ["c", "works"], reach: (1.05, 1))
    try ground.finish()
  }
}

private enum CollapseSide: CaseIterable { case collapse, copyInC, works }

/// A machine with resident memory, and a space in it whose base pages lie anywhere.
private final class CollapseGround: Sendable {
  static let total = ByteCount.mebibytes(512)
  /// Turns of a side in a round. All that a round uses is more than the nearer caches hold.
  static let turns = 8
  private static let ranges = turns * CollapseSide.allCases.count
  private static let size = PinnedPage.huge.size
  private static let order = Order(9)
  private static let cpu = CPUIndex(0)
  private static let shift = PageShift(12)
  private let machine: Machine<ArenaStorage>
  private let space: AddressSpace
  // One thread at a time has all of these.
  nonisolated(unsafe) private var random = SplitMix(seed: 1)
  nonisolated(unsafe) private var mapped: VirtualRange?
  nonisolated(unsafe) private var left: [VirtualRange] = []

  init() throws {
    let layout = try BootLayout(of: try PhysicalMemory(total: Self.total).boot())
    let arena = try Arena(layout.memory.map { PhysicalRange($0, Self.shift) }, baseShift: Self.shift)
    machine = try Machine(layout, model: .vmemmap, arena: arena)
    space = try machine.memory.makeSpace(on: Self.cpu)
    try touch()
  }

  /// Makes all free memory resident.
  private func touch() throws {
    var heads: [FrameNumber] = []
    while let folio = try? machine.allocate(Self.order, FrameRequest(.movable)) {
      heads.append(folio.head)
      var work = try ClearWork(folio.frames, in: machine.contents, with: HostMover.self)
      work.advance(by: work.remaining)
      _ = consume folio
    }
    for head in heads { machine.zones.put(head, on: Self.cpu) }
  }

  func finish() throws {
    unmap()
    try end(machine, space, on: Self.cpu)
  }

  /// Nanoseconds of one collapse, or of a copy of as many pages.
  func turn(_ side: CollapseSide) -> Double {
    if left.isEmpty { map() }
    guard let range = left.popLast() else { fatalError("nothing is mapped") }
    guard side != .collapse else {
      return timed {
        mustNot { () throws(CollapseError) in try machine.memory.collapse(range.start, to: Self.size, in: space, on: Self.cpu) }
      }
    }
    let sources = frames(behind: range)
    guard let target = try? machine.allocate(Self.order, FrameRequest(.movable)) else { fatalError("no page could be had") }
    let time = side == .works ? copy(sources, to: target.frames) : copyInC(sources, to: target.frames)
    machine.free(target)
    return time
  }

  private func copy(_ sources: [FrameNumber], to target: FrameRange) -> Double {
    let contents = machine.contents
    return timed {
      var place = target.start
      for source in sources {
        mustNot { () throws(ContentsError) in
          var work = try CopyWork(
            FrameRange(start: source, count: FrameCount(1)), to: place, in: contents, with: HostMover.self)
          work.advance(by: work.remaining)
        }
        place += FrameCount(1)
      }
    }
  }

  private func copyInC(_ sources: [FrameNumber], to target: FrameRange) -> Double {
    let pages = sources.map { UnsafeRawPointer?(address($0)) }
    let place = address(target.start)
    return timed { megalith_c_gather(place, pages, pages.count, Int(Self.shift.bytes.rawValue)) }
  }

  private func address(_ frame: FrameNumber) -> UnsafeMutableRawPointer {
    guard let run = try? machine.contents?.run(at: frame, upTo: frame + FrameCount(1)) else {
      fatalError("a frame without contents")
    }
    return run.base
  }

  private func frames(behind range: VirtualRange) -> [FrameNumber] {
    var frames = [FrameNumber](repeating: .zero, count: Int(Self.order.frames.rawValue))
    mustNot { () throws(PinError) in
      var span = frames.mutableSpan
      _ = try machine.memory.pin(range, in: space, into: &span, on: Self.cpu)
    }
    mustNot { () throws(PinError) in try machine.memory.unpin(frames.span, on: Self.cpu) }
    return frames
  }

  private func unmap() {
    guard let range = mapped else { return }
    mustNot { () throws(MappingError) in try machine.memory.unmap(range, in: space, on: Self.cpu) }
    mapped = nil
  }

  /// Maps new memory and touches it in random order, so that neighbours lie anywhere.
  private func map() {
    unmap()
    mustNot { () throws(MappingError) in
      mapped = try machine.memory.map(
        .anonymous(PinnedPage.base.size), Self.size.bytes * UInt64(Self.ranges + 1), in: space, on: Self.cpu)
    }
    guard let mapped else { return }
    let start = mapped.start.aligned(to: Self.size.bytes, .up)
    let pages = UInt64(Self.ranges) * Self.order.frames.rawValue
    for page in (0..<pages).shuffled(using: &random) {
      mustNot { () throws(FaultError) in
        try machine.memory.fault(start + Self.shift.bytes * page, .write, in: space, on: Self.cpu)
      }
    }
    left = (0..<UInt64(Self.ranges)).map { VirtualRange(start: start + Self.size.bytes * $0, count: Self.size.bytes) }
  }
}
