import MemoryUnits

/// Divides nodes into zones.
///
/// Linux: `free_area_init`, `find_zone_movable_pfns_for_nodes`, `calculate_node_totalpages`.
struct ZonePlan {
  struct Node {
    let id: NodeID
    let memory: [FrameRange]
    /// Where the movable zone starts; nil without one.
    var movableStart: FrameNumber?

    var span: FrameRange { FrameRange(start: memory[0].start, end: memory[memory.count - 1].end) }
  }

  /// A zone's share of the machine's frames, in rising order; empty where memory does not reach it.
  struct Bounds {
    let kind: ZoneKind
    let frames: FrameRange
  }

  var byNode: [Node]
  let bounds: [Bounds]

  init(_ regions: RegionSet, _ architecture: Architecture, _ commandLine: KernelCommandLine) {
    byNode = ZonePlan.group(regions, architecture.baseShift)
    bounds = ZonePlan.bounds(byNode, architecture)
    guard let highest = bounds.last(where: { !$0.frames.isEmpty }) else { return }
    let starts: [FrameNumber?]
    if commandLine.isHotpluggableMovable {
      starts = byNode.map { node in
        regions.memory.first { $0.node == node.id && $0.kind == .hotpluggable }
          .map { FrameNumber($0.range.start, architecture.baseShift, rounded: .down) }
      }
    } else {
      starts =
        MovableShare(byNode, from: highest.frames.start, commandLine, architecture.baseShift, architecture.maxOrder)
        .starts
    }
    for index in byNode.indices {
      guard let start = starts[index]?.aligned(to: architecture.maxOrder.frames, .up), start < byNode[index].span.end else {
        continue
      }
      byNode[index].movableStart = start
    }
  }

  /// Nodes by number, each with its memory; memory without a node is nobody's.
  private static func group(_ regions: RegionSet, _ shift: PageShift) -> [Node] {
    var ids: [NodeID] = []
    for region in regions.memory {
      if let node = region.node, !ids.contains(node) { ids.append(node) }
    }
    return ids.sorted().compactMap { id in
      let memory = regions.memory.filter { $0.node == id }.map { FrameRange($0.range, shift, rounded: .down) }
        .filter { !$0.isEmpty }
      return memory.isEmpty ? nil : Node(id: id, memory: memory)
    }
  }

  /// Each zone begins where the one below ends, and the last one ends with memory.
  private static func bounds(_ nodes: [Node], _ architecture: Architecture) -> [Bounds] {
    let starts = nodes.map { $0.span.start }
    let ends = nodes.map { $0.span.end }
    guard let first = starts.min(), let end = ends.max() else { return [] }
    var start = first
    return architecture.zones.map { zone in
      let limit = zone.end.map { min(FrameNumber($0, architecture.baseShift, rounded: .down), end) } ?? end
      let frames = FrameRange(start: start, end: max(start, limit))
      start = frames.end
      return Bounds(kind: zone.kind, frames: frames)
    }
  }

  func nodes() -> [NodeLayout] {
    byNode.map { node in
      NodeLayout(node: node.id, memory: node.memory, zones: zones(of: node))
    }
  }

  private func zones(of node: Node) -> [ZoneLayout] {
    var zones: [ZoneLayout] = []
    for zone in bounds {
      var span = zone.frames.intersection(node.span)
      if let movable = node.movableStart {
        span = FrameRange(start: min(span.start, movable), end: min(span.end, movable))
      }
      append(zone.kind, span, node, to: &zones)
    }
    if let movable = node.movableStart, let highest = bounds.last(where: { !$0.frames.isEmpty }) {
      // Hot-pluggable memory below the highest zone is movable too: the start decides, whatever zone it lies in.
      let end = min(node.span.end, highest.frames.end)
      append(.movable, FrameRange(start: movable, end: max(movable, end)), node, to: &zones)
    }
    return zones
  }

  private func append(_ kind: ZoneKind, _ span: FrameRange, _ node: Node, to zones: inout [ZoneLayout]) {
    guard !span.isEmpty else { return }
    let present = node.memory.reduce(FrameCount.zero) { $0 + $1.intersection(span).count }
    zones.append(ZoneLayout(node: node.id, kind: kind, span: span, present: present))
  }
}
