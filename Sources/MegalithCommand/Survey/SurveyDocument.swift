import HostMemory
import MemoryUnits

/// `megalith.survey/1`. Frames and pages are numbers; keys are only ever added.
struct SurveyDocument: Encodable {
  let schema = "megalith.survey/1"
  let host: Host
  let sizes: [Size]
  let zones: [Zone]
  let pools: [Pool]
  let unread: [Unread]

  struct Host: Encodable {
    let release: String?
    let basePage: UInt64
    let memoryBytes: UInt64?
    let availableBytes: UInt64?
    let pinnedFrames: UInt64
    /// Boot parameters that concern memory.
    let bootParameters: String?
    let transparentHugePages: String?
    let topOrder: UInt8
    let pageblockOrder: UInt8
  }

  struct Size: Encodable {
    let size: String
    let held: UInt64
    let obtainable: UInt64
    let obtainableBy: [String: UInt64]
    let free: UInt64
    let movable: UInt64
    let blocked: UInt64
    let excluded: UInt64
    /// Frames by reason, over blocked and excluded ranges.
    let reasons: [String: UInt64]
    /// Blocked ranges by reason.
    let blockedRanges: [String: UInt64]
    /// Blocked ranges by the hardest remedy.
    let remedies: [String: UInt64]
    let isGigantic: Bool
    /// A letter per range, for sizes whose ranges are listed.
    let map: String?
    /// What a machine of the host gave, where it was asked for.
    let engine: Engine?
  }

  struct Engine: Encodable {
    let obtainable: UInt64
    let movedFrames: UInt64
    let droppedFrames: UInt64
  }

  struct Zone: Encodable {
    let node: UInt32
    let name: String
    let start: UInt64
    let spanned: UInt64
    let present: UInt64
    let managed: UInt64
    let free: UInt64
    let contiguousArea: UInt64
    let unmovablePageblocks: UInt64?
    let largestFreeOrder: UInt8?
  }

  struct Pool: Encodable {
    let size: String
    let node: UInt32?
    let total: UInt64
    let free: UInt64
    let reserved: UInt64?
    let surplus: UInt64
    let overcommit: UInt64?
  }

  struct Unread: Encodable {
    let path: String
    let why: String
    let cost: String

    static func all(_ reports: HostReports) -> [Unread] {
      reports.unread.map { Unread(path: $0.error.path, why: $0.error.kind, cost: $0.cost) }
    }
  }

  init(_ survey: Survey, _ predictions: [MachinePrediction] = []) {
    let reports = survey.reports
    host = Host(
      release: reports.release?.text, basePage: reports.baseShift.bytes.rawValue,
      memoryBytes: reports.memory?["MemTotal"], availableBytes: reports.memory?["MemAvailable"],
      pinnedFrames: reports.pinnedFrames.rawValue, bootParameters: reports.commandLine,
      transparentHugePages: reports.transparentHugePages,
      topOrder: reports.policy.topOrder.rawValue, pageblockOrder: reports.policy.pageblockOrder.rawValue)
    sizes = survey.sizes.map { result in
      let prediction = predictions.first { $0.size == result.size }
      return Size(
        size: result.size.description, held: result[.held], obtainable: result.obtainable,
        obtainableBy: result.obtainableBy.byName, free: result[.free], movable: result[.movable],
        blocked: result[.blocked], excluded: result[.excluded], reasons: result.reasons.mapValues(\.rawValue).byName,
        blockedRanges: result.blockedRanges.byName, remedies: result.remedies.byName, isGigantic: result.isGigantic,
        map: result.verdicts.isEmpty ? nil : String(result.verdicts.map { MapCell($0).letter }),
        engine: prediction.map {
          Engine(obtainable: $0.count.rawValue, movedFrames: $0.moved.rawValue, droppedFrames: $0.dropped.rawValue)
        })
    }
    zones = reports.zones.map { zone in
      let blocks = reports.pageTypes?.zones.first { $0.node == zone.node && $0.zone == zone.name }
      let lists = reports.freeLists.first { $0.node == zone.node && $0.zone == zone.name }
      return Zone(
        node: zone.node.rawValue, name: zone.name, start: zone.start.rawValue, spanned: zone.spanned.rawValue,
        present: zone.present.rawValue, managed: zone.managed.rawValue, free: zone.free.rawValue,
        contiguousArea: zone.contiguousArea.rawValue, unmovablePageblocks: blocks?.count("Unmovable"),
        largestFreeOrder: lists?.largestOrder?.rawValue)
    }
    pools = reports.pools.map {
      Pool(
        size: $0.size.description, node: $0.node?.rawValue, total: $0.total.rawValue, free: $0.free.rawValue,
        reserved: $0.reserved?.rawValue, surplus: $0.surplus.rawValue, overcommit: $0.overcommit?.rawValue)
    }
    unread = Unread.all(reports)
  }
}

extension Dictionary where Key: RawRepresentable, Key.RawValue == String {
  var byName: [String: Value] { Dictionary<String, Value>(uniqueKeysWithValues: map { ($0.key.rawValue, $0.value) }) }
}

extension HostFileError {
  /// Why, in a word.
  var kind: String {
    switch self {
    case .missing: "missing"
    case .denied: "denied"
    case .failed: "failed"
    case .damaged: "damaged"
    }
  }
}
