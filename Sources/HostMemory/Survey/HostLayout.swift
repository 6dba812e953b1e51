import MemoryUnits

/// Which part of physical memory belongs to which zone, and which is no memory at all.
struct HostLayout: Sendable {
  enum State: Hashable, Sendable {
    /// Online memory of the zone with this index.
    case zone(Int)
    /// Online memory that no zone claims, or that the data leave between several.
    case unzoned
    /// Memory that is there and was not brought online.
    case offline
    case hole
  }

  struct Segment: Hashable, Sendable {
    let range: FrameRange
    let state: State
  }

  let zones: [ZoneReport]
  /// Ascending and gapless from frame 0; beyond the last one all is hole.
  let segments: [Segment]

  /// - Parameters:
  ///   - blocks: nil where the kernel has none; then every frame of a zone counts as online.
  ///   - memory: what the firmware calls memory, ascending; nil where that is hidden.
  init(zones: [ZoneReport], blocks: MemoryBlocks?, memory: [FrameRange]?, baseShift: PageShift) {
    self.zones = zones
    let blockRuns = blocks.map { Self.runs(of: $0, baseShift) }
    var edges: Set<UInt64> = [0]
    for zone in zones { edges.formUnion([zone.span.start.rawValue, zone.span.end.rawValue]) }
    for run in blockRuns ?? [] { edges.formUnion([run.range.start.rawValue, run.range.end.rawValue]) }
    for range in memory ?? [] { edges.formUnion([range.start.rawValue, range.end.rawValue]) }

    let ascending = edges.sorted()
    var segments: [Segment] = []
    var blockCursor = Cursor(ranges: blockRuns?.map(\.range))
    var memoryCursor = Cursor(ranges: memory)
    for (low, high) in zip(ascending, ascending.dropFirst()) {
      let range = FrameRange(start: FrameNumber(low), end: FrameNumber(high))
      let block = blockCursor.find(range.start)
      let isMemory = memoryCursor.find(range.start) != .outside
      let state: State
      switch block {
      case _ where !isMemory: state = .hole
      case .outside: state = .hole
      case .unknown: state = Self.zone(at: range.start, node: nil, zones)
      case .inside(let index):
        // The index came from these runs.
        let run = blockRuns?[index]
        state = run?.isOnline == false ? .offline : Self.zone(at: range.start, node: run?.node, zones)
      }
      if let last = segments.last, last.state == state {
        segments[segments.count - 1] = Segment(range: FrameRange(start: last.range.start, end: range.end), state: state)
      } else {
        segments.append(Segment(range: range, state: state))
      }
    }
    self.segments = segments
  }

  /// Where memory ends, whatever its state.
  var end: FrameNumber { segments.last { $0.state != .hole }?.range.end ?? FrameNumber(0) }

  private static func zone(at frame: FrameNumber, node: NodeID?, _ zones: [ZoneReport]) -> State {
    let candidates = zones.indices.filter {
      zones[$0].span.contains(frame) && (node == nil || zones[$0].node == node)
    }
    // Spans of different nodes may interleave; without the block's node that cannot be resolved.
    guard let first = candidates.first else { return zones.isEmpty ? .unzoned : .hole }
    return candidates.count == 1 ? .zone(first) : .unzoned
  }

  private struct BlockRun {
    let range: FrameRange
    let isOnline: Bool
    let node: NodeID?
  }

  private static func runs(of blocks: MemoryBlocks, _ baseShift: PageShift) -> [BlockRun] {
    var runs: [BlockRun] = []
    for block in blocks.blocks {
      let range = blocks.frames(of: block, baseShift: baseShift)
      if let last = runs.last, last.range.end == range.start, last.isOnline == block.isOnline, last.node == block.node {
        runs[runs.count - 1] = BlockRun(
          range: FrameRange(start: last.range.start, end: range.end), isOnline: block.isOnline, node: block.node)
      } else {
        runs.append(BlockRun(range: range, isOnline: block.isOnline, node: block.node))
      }
    }
    return runs
  }

  /// Finds ascending places in ascending ranges.
  private struct Cursor {
    enum Answer: Equatable { case unknown, outside, inside(Int) }
    let ranges: [FrameRange]?
    var position = 0

    mutating func find(_ frame: FrameNumber) -> Answer {
      guard let ranges else { return .unknown }
      while position < ranges.count, ranges[position].end <= frame { position += 1 }
      return position < ranges.count && ranges[position].contains(frame) ? .inside(position) : .outside
    }
  }
}
