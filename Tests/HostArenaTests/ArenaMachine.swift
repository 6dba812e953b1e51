import FrameMap
import HostArena
import MemoryUnits
import PhysicalLayout
import Synchronization
import Testing

/// A machine of two nodes with holes, whose parts are put together anew by each test.
struct ArenaMachine: Sendable, CustomTestStringConvertible {
  let architecture: Architecture
  let memory: [MemoryRegion]
  let limit: PhysicalAddress
  /// Whole sections without memory.
  let addition: PhysicalRange
  /// A subsection without memory, beside one with memory.
  let subsection: PhysicalRange

  var testDescription: String { architecture.name }
  var shift: PageShift { architecture.baseShift }

  private init(
    _ architecture: Architecture, _ first: [PhysicalRange], _ second: [PhysicalRange], limit: UInt64, addition: PhysicalRange,
    subsection: PhysicalRange
  ) {
    self.architecture = architecture
    memory = first.map { MemoryRegion($0, node: NodeID(0)) } + second.map { MemoryRegion($0, node: NodeID(1)) }
    self.limit = PhysicalAddress(limit)
    self.addition = addition
    self.subsection = subsection
  }

  private static func mebibytes(_ start: UInt64, _ end: UInt64, moved low: UInt64 = 0, _ high: UInt64 = 0) -> PhysicalRange {
    physical(start << 20 + low << 10, end << 20 + high << 10)
  }

  /// Holes begin and end inside subsections, and nodes meet inside one.
  static let x86 = ArenaMachine(
    .x86_64, [mebibytes(1, 63, moved: 0, 12), mebibytes(67, 129, moved: 20, 4)],
    [mebibytes(129, 150, moved: 4), mebibytes(152, 288)], limit: 1 << 30, addition: mebibytes(512, 768),
    subsection: mebibytes(64, 66))
  static let arm16K = ArenaMachine(
    .arm64Granule16K, [mebibytes(0, 63, moved: 0, 48), mebibytes(67, 129, moved: 16, 32)],
    [mebibytes(129, 150, moved: 32), mebibytes(152, 288)], limit: 1 << 30, addition: mebibytes(512, 768),
    subsection: mebibytes(64, 66))
  /// A subsection's descriptors are 1 KiB, a section's 8 KiB, and a frame 64 KiB.
  static let ppc64K = ArenaMachine(
    .ppc64Granule64K, [mebibytes(0, 40, moved: 0, 64), mebibytes(48, 100, moved: 192)], [mebibytes(100, 200, moved: 0, 448)],
    limit: 1 << 30, addition: mebibytes(512, 576), subsection: mebibytes(202, 204))

  static let all = [x86, arm16K, ppc64K]

  var regions: RegionSet {
    var regions = RegionSet()
    for region in memory { regions.add(region.range, node: region.node) }
    return regions
  }

  /// Regions whose only free memory is so many granules, no two of which touch.
  func fragmented(_ granule: ByteCount, _ count: UInt64) -> RegionSet {
    var regions = regions
    for region in memory { regions.reserve(region.range) }
    let end = memory[memory.count - 1].range.end
    for index in 1...count { regions.unreserve(PhysicalRange(start: end - granule * (2 * index), count: granule)) }
    return regions
  }

  func layout() throws -> FrameMapLayout {
    let nodes = (0...1 as ClosedRange<UInt32>).map { node in
      NodeMemory(
        NodeID(node), memory.filter { $0.node == NodeID(node) }.map { FrameRange($0.range, shift, rounded: .down) })
    }
    return try FrameMapLayout(architecture, nodes: nodes, limit: FrameNumber(limit, shift, rounded: .down))
  }

  func arena() throws -> Arena {
    // Nodes that touch are memory of one arena all the same.
    try Arena(memory.map { $0.range }, baseShift: shift, limit: limit)
  }

  func frames(_ range: PhysicalRange) -> FrameRange { FrameRange(range, shift, rounded: .down) }

  var everything: FrameRange { FrameRange(start: .zero, end: FrameNumber(limit, shift, rounded: .down)) }
}

/// A boot allocator that keeps books and fails when told to.
final class WatchedSource: MemmapFrameSource {
  struct Request {
    let size: ByteCount
    let described: FrameRange
    let given: [PhysicalRange]
  }

  private struct State {
    var calls = 0
    var failsAt: Int?
    var requests: [Request] = []
  }

  let inner: RegionFrameSource
  private let state = Mutex(State())

  init(_ regions: RegionSet, _ shift: PageShift) { inner = RegionFrameSource(regions, baseShift: shift) }

  var requests: [Request] { state.withLock { $0.requests } }

  /// The request so many requests from now fails, counted from 0.
  func fail(at call: Int?) { state.withLock { state in state.failsAt = call.map { state.calls + $0 } } }

  func takeFrames(
    _ size: ByteCount, granule: ByteCount, describing described: FrameRange
  ) throws(MemmapStorageError) -> [PhysicalRange] {
    let fails = state.withLock {
      $0.calls += 1
      return $0.failsAt == $0.calls - 1
    }
    if fails { throw .noMemory(size) }
    let given = try inner.takeFrames(size, granule: granule, describing: described)
    state.withLock { $0.requests.append(Request(size: size, described: described, given: given)) }
    return given
  }

  func giveBack(_ range: PhysicalRange) { inner.giveBack(range) }
}
