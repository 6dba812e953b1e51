public import MemoryUnits

/// What a node has, and what of it could be handed out without hardship, from `/proc/zoneinfo`.
public struct NodeMemory: Sendable, Hashable {
  public let node: NodeID
  public internal(set) var present = FrameCount.zero
  public internal(set) var free = FrameCount.zero
  /// File cache on the lists of pages that can be reclaimed; dirty pages are among them.
  public internal(set) var fileCache = FrameCount.zero
  public internal(set) var reclaimableSlab = FrameCount.zero
  /// What the zones keep: the high watermark, and what is kept from requests that higher zones could serve.
  var kept = FrameCount.zero
  var low = FrameCount.zero

  /// Frames that new work could get without swapping: what is free above the reserves, and file cache and slab but for a part that
  /// stays in use. Memory that was not handed over yet does not count.
  ///
  /// Linux: `MemAvailable`, there for the whole host only.
  public var available: FrameCount {
    func beyondUse(_ frames: FrameCount) -> FrameCount {
      frames - min(FrameCount(frames.rawValue / 2), low)
    }
    return (free + beyondUse(fileCache) + beyondUse(reclaimableSlab)).saturatingSubtracting(kept)
  }

  /// Every node that has memory, ascending.
  public static func all(of root: Sysroot) throws(HostFileError) -> [NodeMemory] {
    let path = "proc/zoneinfo"
    let content = try root.readText(path)
    var nodes: [NodeID: NodeMemory] = [:]
    for zone in try ZoneReport.parse(content, path: path) where zone.name != "Device" {
      var node = nodes[zone.node] ?? NodeMemory(node: zone.node)
      node.present += zone.present
      node.free += zone.free
      node.kept += min(zone.managed, zone.high + zone.reserveForHigherZones)
      node.low += zone.low
      nodes[zone.node] = node
    }
    var current: NodeID?
    for (number, line) in TextLines(content) {
      let fields = line.fields
      guard fields.count >= 2 else { continue }
      if fields[0] == "Node" {
        let digits = fields[1].last == 0x2c ? fields[1].dropLast() : fields[1]
        current = digits.decimal.flatMap(UInt32.init(exactly:)).map(NodeID.init(_:))
        continue
      }
      guard fields.count == 2, let current, nodes[current] != nil else { continue }
      let isCache = fields[0] == "nr_inactive_file" || fields[0] == "nr_active_file"
      guard isCache || fields[0] == "nr_slab_reclaimable" else { continue }
      guard let value = fields[1].decimal, value < 1 << 40 else {
        throw .damaged(path: path, line: number, reason: "not a count of frames: \(fields[1].text)")
      }
      if isCache {
        nodes[current]?.fileCache += FrameCount(value)
      } else {
        nodes[current]?.reclaimableSlab += FrameCount(value)
      }
    }
    return nodes.values.sorted { $0.node < $1.node }
  }
}
