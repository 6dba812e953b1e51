import MemoryUnits
import PhysicalLayout

/// The memory of a node.
public struct NodeMemory: Hashable, Sendable {
  public let node: NodeID
  /// Lowest first, not empty, apart from each other.
  public let ranges: [FrameRange]

  public init(_ node: NodeID, _ ranges: [FrameRange]) {
    self.node = node
    self.ranges = ranges
  }

  /// From the first frame of memory to the end of the last.
  var span: FrameRange? {
    guard let first = ranges.first, let last = ranges.last else { return nil }
    return FrameRange(start: first.start, end: last.end)
  }
}

/// Which frames are memory, and the units in which a map of them is made.
public struct FrameMapLayout: Hashable, Sendable {
  /// Frames of a section: a power of two, at least 64.
  public let sectionFrames: FrameCount

  /// The granule of validity of a virtual memmap: a power of two, at most a section.
  public let subsectionFrames: FrameCount

  /// The first frame that the map can never hold, a multiple of a section. What lies below and is no memory yet may be
  /// added later.
  public let limit: FrameNumber

  /// By number of node.
  public let nodes: [NodeMemory]

  /// - Parameters:
  ///   - architecture: gives section, subsection, and the limit where none is named.
  ///   - limit: rounded up to whole sections.
  public init(
    _ architecture: Architecture, nodes: [NodeMemory], limit: FrameNumber? = nil
  ) throws(FrameMapError) {
    let highest = FrameNumber(architecture.addressLimit, architecture.baseShift, rounded: .down)
    try self.init(
      sectionFrames: architecture.sectionFrames, subsectionFrames: architecture.validityFrames, nodes: nodes,
      limit: limit ?? highest)
  }

  /// The map of a machine as a kernel lays it out.
  public init(_ layout: BootLayout, limit: FrameNumber? = nil) throws(FrameMapError) {
    try self.init(layout.architecture, nodes: layout.nodes.map { NodeMemory($0.node, $0.memory) }, limit: limit)
  }

  /// - Parameter limit: rounded up to whole sections.
  public init(
    sectionFrames: FrameCount, subsectionFrames: FrameCount, nodes: [NodeMemory], limit: FrameNumber
  ) throws(FrameMapError) {
    guard sectionFrames.rawValue.nonzeroBitCount == 1, sectionFrames >= FrameCount(64),
      subsectionFrames.rawValue.nonzeroBitCount == 1, subsectionFrames <= sectionFrames,
      // Beyond this a descriptor's place no longer fits an address.
      limit.rawValue <= 1 << 57
    else { throw .unitsOutOfRange }
    self.sectionFrames = sectionFrames
    self.subsectionFrames = subsectionFrames
    self.limit = limit.aligned(to: sectionFrames, .up)
    self.nodes = nodes.filter { !$0.ranges.isEmpty }.sorted { $0.node < $1.node }
    var place = FrameNumber.zero
    for owned in ownedRanges {
      guard owned.range.start >= place, !owned.range.isEmpty else { throw .overlappingMemory(owned.range.start) }
      place = owned.range.end
    }
    guard place > .zero else { throw .noMemory }
    guard place <= self.limit else { throw .beyondLimit(place) }
  }

  var sectionOrder: UInt64 { UInt64(sectionFrames.rawValue.trailingZeroBitCount) }
  var subsectionOrder: UInt64 { UInt64(subsectionFrames.rawValue.trailingZeroBitCount) }

  /// From the first frame of memory to the end of the last.
  var span: FrameRange {
    var low = limit
    var high = FrameNumber.zero
    for node in nodes {
      guard let span = node.span else { continue }
      low = min(low, span.start)
      high = max(high, span.end)
    }
    return FrameRange(start: min(low, high), end: high)
  }

  struct OwnedRange {
    let range: FrameRange
    /// An index into `nodes`.
    let owner: Int
  }

  /// Memory of all nodes, lowest first.
  var ownedRanges: [OwnedRange] {
    var owned: [OwnedRange] = []
    for owner in nodes.indices {
      for range in nodes[owner].ranges { owned.append(OwnedRange(range: range, owner: owner)) }
    }
    owned.sort { $0.range.start < $1.range.start }
    return owned
  }

  /// Memory, lowest first, joined where it touches, whatever the node.
  var memory: [FrameRange] { ownedRanges.map { $0.range }.joined(alignedTo: FrameCount(1)) }

  /// The aligned units that memory touches, lowest first, cut where the node changes. One in which nodes meet goes to the
  /// lower memory's node.
  func ownedUnits(of unit: FrameCount) -> [FrameRange] {
    var units: [OwnedRange] = []
    for owned in ownedRanges {
      let around = owned.range.aligned(to: unit, .up)
      let last = units.last
      let start = max(around.start, last?.range.end ?? .zero)
      guard start < around.end else { continue }
      if let last, last.owner == owned.owner, last.range.end == start {
        units[units.count - 1] = OwnedRange(range: FrameRange(start: last.range.start, end: around.end), owner: owned.owner)
      } else {
        units.append(OwnedRange(range: FrameRange(start: start, end: around.end), owner: owned.owner))
      }
    }
    return units.map { $0.range }
  }

  /// What the discontiguous model gives descriptors to, cut where the node changes. A frame belongs to the node whose
  /// memory it is; in a hole, to the lowest node that spans it.
  var pieces: [OwnedRange] {
    var pieces: [OwnedRange] = []
    func append(_ start: FrameNumber, _ end: FrameNumber, _ owner: Int) {
      if let last = pieces.last, last.owner == owner, last.range.end == start {
        pieces[pieces.count - 1] = OwnedRange(range: FrameRange(start: last.range.start, end: end), owner: owner)
      } else {
        pieces.append(OwnedRange(range: FrameRange(start: start, end: end), owner: owner))
      }
    }
    var place = FrameNumber.zero
    for owned in ownedRanges {
      // Between two neighbours in memory no span begins or ends, so one owner has the whole hole.
      if place < owned.range.start, let owner = nodes.firstIndex(where: { $0.span?.contains(place) == true }) {
        append(place, owned.range.start, owner)
      }
      append(owned.range.start, owned.range.end, owned.owner)
      place = owned.range.end
    }
    return pieces
  }
}

extension [FrameRange] {
  /// The aligned units that the ranges touch, as ranges, joined where they touch. The ranges are in rising order.
  func joined(alignedTo unit: FrameCount) -> [FrameRange] {
    var joined: [FrameRange] = []
    for range in self {
      let around = range.aligned(to: unit, .up)
      if let last = joined.last, around.start <= last.end {
        joined[joined.count - 1] = FrameRange(start: last.start, end: Swift.max(last.end, around.end))
      } else {
        joined.append(around)
      }
    }
    return joined
  }

  var total: FrameCount { reduce(.zero) { $0 + $1.count } }
}
