import MemoryUnits
import PhysicalLayout

/// One zone as `/proc/zoneinfo` prints it.
public struct ZoneReport: Sendable, Hashable {
  public let node: NodeID
  public let name: String
  public var start = FrameNumber(0)
  public var spanned = FrameCount.zero
  public var present = FrameCount.zero
  /// Frames that the allocator was given. Far below `present` where the kernel has not handed over all memory yet.
  public var managed = FrameCount.zero
  public var free = FrameCount.zero
  /// The watermark below which only emergencies allocate.
  public var minimum = FrameCount.zero
  /// The watermark below which other zones are tried first.
  public var low = FrameCount.zero
  /// The watermark where reclaim stops.
  public var high = FrameCount.zero
  public var contiguousArea = FrameCount.zero
  /// Frames on per-CPU lists: free, but without the flag of free frames. Nil where the file does not say.
  public var onCPULists: FrameCount?
  /// Frames kept from requests that could be served from a higher zone, by that zone's index.
  public var reserves: [FrameCount] = []

  public var span: FrameRange { FrameRange(start: start, count: spanned) }

  /// What requests that may use any zone must leave free here.
  public var reserveForHigherZones: FrameCount { reserves.max() ?? .zero }
}

extension ZoneReport {
  /// Reads all zones. Zones without frames are left out.
  ///
  /// Kernels before 3.16 name the start only per node; a zone without `start_pfn` is refused as damaged, since
  /// nothing can be placed without it.
  public static func parse(_ content: [UInt8], path: String) throws(HostFileError) -> [ZoneReport] {
    var zones: [ZoneReport] = []
    var current: ZoneReport?
    var hasStart = false
    func finish(_ line: LineNumber) throws(HostFileError) {
      guard let zone = current, zone.spanned > .zero else { return }
      guard hasStart else { throw .damaged(path: path, line: line, reason: "zone \(zone.name) has no start_pfn") }
      guard zone.present <= zone.spanned, zone.managed <= zone.present
      else { throw .damaged(path: path, line: line, reason: "zone \(zone.name): spanned, present and managed contradict") }
      zones.append(zone)
    }
    var last = LineNumber(0)
    for (number, line) in TextLines(content) {
      last = number
      let fields = line.fields
      guard let first = fields.first else { continue }
      if first == "Node", fields.count >= 4, fields[2] == "zone" {
        try finish(number)
        let digits = fields[1].last == 0x2c ? fields[1].dropLast() : fields[1]
        guard let id = digits.decimal, let node = UInt32(exactly: id) else {
          throw .damaged(path: path, line: number, reason: "not a node number")
        }
        current = ZoneReport(node: NodeID(node), name: fields[3].text)
        hasStart = false
        continue
      }
      guard current != nil else { continue }
      if first.starts(with: "protection:") {
        let reserves = line.split(whereSeparator: { !($0 >= 0x30 && $0 <= 0x39) }).map { $0.decimal ?? .max }
        guard reserves.allSatisfy({ $0 <= countLimit }) else {
          throw .damaged(path: path, line: number, reason: "a reserve is out of range")
        }
        current?.reserves = reserves.map { FrameCount($0) }
        continue
      }
      guard fields.count >= 2, let keyed = Key(fields) else { continue }
      guard let value = fields[fields.count - 1].decimal, value <= countLimit else {
        throw .damaged(path: path, line: number, reason: "not a count of frames: \(fields[fields.count - 1].text)")
      }
      let count = FrameCount(value)
      switch keyed {
      case .free: current?.free = count
      case .minimum: current?.minimum = count
      case .low: current?.low = count
      case .high: current?.high = count
      case .spanned: current?.spanned = count
      case .present: current?.present = count
      case .managed: current?.managed = count
      case .contiguousArea: current?.contiguousArea = count
      case .onCPUList:
        let sum = (current?.onCPULists ?? .zero) + count
        current?.onCPULists = sum
      case .start:
        current?.start = FrameNumber(value)
        hasStart = true
      }
    }
    try finish(last)
    guard !zones.isEmpty else { throw .damaged(path: path, line: last, reason: "no zone has frames") }
    return zones
  }

  /// No machine has 2^40 frames; a sum of such counts cannot overflow.
  private static let countLimit: UInt64 = 1 << 40

  private enum Key {
    case free, minimum, low, high, spanned, present, managed, contiguousArea, onCPUList, start

    init?(_ fields: [ArraySlice<UInt8>]) {
      if fields.count == 3, fields[0] == "pages", fields[1] == "free" {
        self = .free
        return
      }
      guard fields.count == 2 else { return nil }
      if fields[0] == "min" {
        self = .minimum
      } else if fields[0] == "low" {
        self = .low
      } else if fields[0] == "high" {
        self = .high
      } else if fields[0] == "spanned" {
        self = .spanned
      } else if fields[0] == "present" {
        self = .present
      } else if fields[0] == "managed" {
        self = .managed
      } else if fields[0] == "cma" {
        self = .contiguousArea
      } else if fields[0] == "count:" {
        self = .onCPUList
      } else if fields[0] == "start_pfn:" {
        self = .start
      } else {
        return nil
      }
    }
  }
}
