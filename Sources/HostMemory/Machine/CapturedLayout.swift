import FrameAllocator
import FrameMap
import MemoryUnits
import PhysicalLayout

/// A host's nodes and zones as a machine's: what ``HostLayout`` knows, in the words of ``BootLayout``.
struct CapturedLayout {
  let layout: BootLayout
  /// For each zone of the host the machine's; nil for those that a machine has no use for.
  let zones: [ZoneIndex?]
  /// Each zone's memory, by the host's zones.
  let memory: [[FrameRange]]

  init(_ host: HostLayout, holes: [FrameRange], _ reports: HostReports) throws(BootLayoutError) {
    var memory = [[FrameRange]](repeating: [], count: host.zones.count)
    for segment in host.segments {
      // Device memory is never handed out.
      guard case .zone(let zone) = segment.state, host.zones[zone].name != "Device" else { continue }
      memory[zone] += Self.parts(of: segment.range, outside: holes)
    }
    self.memory = memory

    var nodes: [NodeLayout] = []
    var order: [Int] = []
    for node in Set(host.zones.map(\.node)).sorted() {
      let own = host.zones.indices.filter { host.zones[$0].node == node && !memory[$0].isEmpty }
      guard !own.isEmpty else { continue }
      order += own
      let zones = own.map { zone in
        ZoneLayout(
          node: node, kind: ZoneKind(named: host.zones[zone].name) ?? .normal, span: host.zones[zone].span,
          present: memory[zone].reduce(.zero) { $0 + $1.count })
      }
      // Ranges that touch are of two zones, or of two segments of one.
      nodes.append(NodeLayout(node: node, memory: Self.joined(own.flatMap { memory[$0] }), zones: zones))
    }
    zones = host.zones.indices.map { zone in
      order.firstIndex(of: zone).map { ZoneIndex(UInt32($0)) }
    }
    layout = try BootLayout(
      architecture: Self.architecture(reports, end: host.end), nodes: nodes, memoryBlockSize: reports.blocks?.size)
  }

  /// The preset of the host's base page, with what its kernel says of itself. A capture does not name its processor.
  private static func architecture(_ reports: HostReports, end: FrameNumber) -> Architecture {
    var architecture: Architecture =
      switch reports.baseShift.rawValue {
      case ...12: .x86_64
      case 14: .arm64Granule16K
      default: .arm64Granule64K
      }
    architecture.name = "captured"
    architecture.baseShift = reports.baseShift
    architecture.maxOrder = reports.policy.topOrder
    architecture.pageblockOrder = reports.policy.pageblockOrder
    architecture.hugeSizes = reports.sizes.sorted()
    let bytes = PhysicalRange(FrameRange(start: FrameNumber(0), end: end), reports.baseShift)
    architecture.addressLimit = max(architecture.addressLimit, bytes.end.aligned(to: architecture.sectionSize, .up))
    return architecture
  }

  private static func parts(of range: FrameRange, outside holes: [FrameRange]) -> [FrameRange] {
    var parts: [FrameRange] = []
    var start = range.start
    var index = holes.firstIndex(endingAbove: start)
    while index < holes.count, holes[index].start < range.end {
      if start < holes[index].start { parts.append(FrameRange(start: start, end: holes[index].start)) }
      start = min(range.end, holes[index].end)
      index += 1
    }
    if start < range.end { parts.append(FrameRange(start: start, end: range.end)) }
    return parts
  }

  private static func joined(_ ranges: [FrameRange]) -> [FrameRange] {
    var joined: [FrameRange] = []
    for range in ranges.sorted(by: { $0.start < $1.start }) {
      if let last = joined.last, last.end == range.start {
        joined[joined.count - 1] = FrameRange(start: last.start, end: range.end)
      } else {
        joined.append(range)
      }
    }
    return joined
  }
}
