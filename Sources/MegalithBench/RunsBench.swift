import ArgumentParser
import CBaselines
import FrameMap
import HostArena
import MemoryUnits
import PhysicalLayout

struct RunsBench: Suite {
  static let configuration = CommandConfiguration(
    commandName: "runs",
    abstract: "Loops over the descriptors of huge pages, in every memory model.",
    discussion: """
      Time a frame. The memmap is resident. Baseline: the same loop in C over descriptors in one array.

      runs/<model>           add up a field of the 262,144 descriptors of a 1 GiB page
      runs/<model>/2M        add up a field of the 512 descriptors of one 2 MiB page, again and again
      runs/<model>/record    record the addresses of the descriptors of a 1 GiB page, 512 a call
      """)

  @OptionGroup var options: BenchOptions
  @OptionGroup var parts: BenchParts

  /// Rounds are short here, and differences small: so many for each that is asked for.
  private static let slices = 5

  static func measure(_ options: BenchOptions, into report: inout Report) throws {
    for loop in DescriptorLoop.allCases {
      let ids = MemoryModel.allCases.map { "runs/\($0)" + loop.suffix }
      guard ids.contains(where: options.wants) else { continue }
      let contiguous = try ContiguousDescriptors()
      let maps = try MemoryModel.allCases.map { try ResidentMap($0) }
      let repeats = max(1, loop.repeats / (options.quick ? 16 : 1))
      var sides: [@Sendable () -> Double] = [{ contiguous.time(loop, repeats) }]
      for map in maps { sides.append { map.time(loop, repeats) } }
      let samples = interleaved(sides, rounds: options.roundCount * slices) { side in [pinned(side)] }.map { $0[0] }
      let c = samples[0].median
      let virtual = samples[1 + (MemoryModel.allCases.firstIndex(of: .vmemmap) ?? 0)].median
      for (index, model) in MemoryModel.allCases.enumerated() where options.wants(ids[index]) {
        let isScattered = model == .sparse || model == .sparseExtreme
        report.rows.append(
          Row(
            id: ids[index], unit: "ns/frame", samples: samples[index + 1], baselines: [("c", samples[0])],
            target: isScattered ? min(c * 1.05, virtual * 1.1) : c * 1.05))
      }
    }
  }
}

/// What is done with each descriptor, and of how many.
enum DescriptorLoop: CaseIterable {
  case gigantic, huge, record

  var suffix: String {
    switch self {
    case .gigantic: ""
    case .huge: "/2M"
    case .record: "/record"
    }
  }
  var frames: FrameCount { self == .huge ? Order(9).frames : Order(18).frames }
  /// How often a round repeats it.
  var repeats: Int { self == .huge ? 1 << 15 : 1 << 6 }
  /// Frames of one call.
  static let call = Order(9).frames
}

/// The 1 GiB page from 1 GiB on, of 3 GiB in two nodes.
private let page = FrameRange(blockAt: FrameNumber(1 << 18), order: Order(18))

/// The map of one model, with every descriptor of the page written.
private final class ResidentMap: Sendable {
  private let map: FrameMap<HostStorage>
  private let buffers = PinBuffers()

  init(_ model: MemoryModel) throws {
    let nodes = [
      NodeMemory(NodeID(0), [FrameRange(start: .zero, end: page.start)]),
      NodeMemory(NodeID(1), [FrameRange(start: page.start, count: page.count + page.count)]),
    ]
    map = try FrameMap(
      FrameMapLayout(.x86_64, nodes: nodes, limit: FrameNumber(3 << 18)), model: model, storage: HostStorage(), guards: .never)
    map.forEachRun(in: page) { run in run.forEach { $0.pointee.insert(.accessed) } }
  }

  /// Nanoseconds a frame.
  func time(_ loop: DescriptorLoop, _ repeats: Int) -> Double {
    let table = map.table
    let range = FrameRange(start: page.start, count: loop.frames)
    let frames = Double(range.count.rawValue) * Double(repeats)
    var sum: UInt64 = 0
    let time = timed {
      for _ in 0..<repeats {
        if loop == .record { recordAll(table, range, PinBuffers.start(buffers.descriptors)) } else { sum &+= addUp(table, range) }
      }
    }
    precondition(loop == .record || Double(sum) == frames * Double(FrameFlags.accessed.rawValue), "descriptors were missed")
    return time / frames
  }
}

@inline(never) private func addUp(_ table: FrameTable, _ range: FrameRange) -> UInt64 {
  var sum: UInt64 = 0
  table.forEachRun(in: range) { run in
    run.forEach { sum &+= UInt64($0.pointee.flagsWord.load(ordering: .relaxed)) }
  }
  return sum
}

@inline(never) private func recordCall(
  _ table: FrameTable, _ range: FrameRange, _ descriptors: UnsafeMutablePointer<DescriptorPointer>
) {
  _ = table.recordDescriptors(of: range, into: descriptors)
}

private func recordAll(
  _ table: FrameTable, _ range: FrameRange, _ descriptors: UnsafeMutablePointer<DescriptorPointer>
) {
  var start = range.start
  while start < range.end {
    recordCall(table, FrameRange(start: start, count: DescriptorLoop.call), descriptors)
    start += DescriptorLoop.call
  }
}

/// The baseline's descriptors: one array in memory of the same kind.
private final class ContiguousDescriptors: Sendable {
  nonisolated(unsafe) private let first: UnsafeMutablePointer<megalith_descriptor>
  private let storage = HostStorage()
  private let size = ByteCount(page.count.rawValue * UInt64(MemoryLayout<megalith_descriptor>.size))
  private let buffers = PinBuffers()

  init() throws {
    first = try storage.reserve(size, for: .tables).bindMemory(to: megalith_descriptor.self, capacity: Int(page.count.rawValue))
    for index in 0..<Int(page.count.rawValue) { first[index].flags = FrameFlags.accessed.rawValue }
  }
  deinit { storage.release(first, size) }

  /// Nanoseconds a frame.
  func time(_ loop: DescriptorLoop, _ repeats: Int) -> Double {
    let count = Int(loop.frames.rawValue)
    let call = Int(DescriptorLoop.call.rawValue)
    var sum: UInt64 = 0
    let time = timed {
      for _ in 0..<repeats {
        if loop == .record {
          for start in stride(from: 0, to: count, by: call) { megalith_c_record(first + start, call, buffers.addresses) }
        } else {
          sum &+= megalith_c_sum(first, count)
        }
      }
    }
    let frames = Double(count) * Double(repeats)
    precondition(loop == .record || Double(sum) == frames * Double(FrameFlags.accessed.rawValue), "descriptors were missed")
    return time / frames
  }
}
