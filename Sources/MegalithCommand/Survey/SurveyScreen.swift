import HostMemory
import MemoryUnits

/// The survey on one screen, at most 80 columns wide.
struct SurveyScreen {
  private let survey: Survey
  private let predictions: [MachinePrediction]
  private let terminal: Terminal
  private var reports: HostReports { survey.reports }

  init(_ survey: Survey, _ terminal: Terminal, _ predictions: [MachinePrediction] = []) {
    self.survey = survey
    self.predictions = predictions
    self.terminal = terminal
  }

  func lines() -> [String] {
    var lines = [machine(), ""]
    lines += survey.sizes.isEmpty ? withoutFrames() : sizes()
    if !predictions.isEmpty { lines += [""] + engine() }
    for result in survey.sizes where result.size == survey.sizes.last?.size || survey.sizes.count == 1 {
      lines += more(result) + blockers(result)
    }
    lines += [""] + zones()
    let pools = pools()
    if !pools.isEmpty { lines += [""] + pools }
    if let listed = survey.sizes.last(where: { !$0.verdicts.isEmpty }) {
      lines += [""] + MemoryMap(result: listed, terminal: terminal).lines()
    }
    let unread = unread()
    if !unread.isEmpty { lines += [""] + unread }
    return lines
  }

  private func machine() -> String {
    var parts: [String] = []
    if let total = reports.memory?.bytes("MemTotal") { parts.append("\(total.forPeople) of memory") }
    if let available = reports.memory?.bytes("MemAvailable") { parts.append("\(available.forPeople) available") }
    let nodes = Set(reports.zones.map(\.node)).count
    if nodes > 0 { parts.append(nodes == 1 ? "1 node" : "\(nodes) nodes") }
    if let release = reports.release { parts.append("Linux \(release)") }
    return terminal.heading(parts.joined(separator: ", "))
  }

  private func sizes() -> [String] {
    var table = TextTable([
      .init(title: "pages of", isNumber: false), .init(title: "held", isNumber: true),
      .init(title: "obtainable now", isNumber: true), .init(title: "certain/likely/unknown", isNumber: true),
      .init(title: "blocked", isNumber: true), .init(title: "excluded", isNumber: true),
    ])
    for result in survey.sizes.reversed() {
      let by = Certainty.allCases.map { String(result.obtainableBy[$0] ?? 0) }.joined(separator: "/")
      table.add([
        "\(result.size)", "\(result[.held])", "\(result.obtainable)", by, "\(result[.blocked])", "\(result[.excluded])",
      ])
    }
    return table.lines()
  }

  /// What a machine of the host gave.
  private func engine() -> [String] {
    var table = TextTable([
      .init(title: "pages of", isNumber: false), .init(title: "a machine of this host gives", isNumber: true),
      .init(title: "frames moved", isNumber: true), .init(title: "dropped", isNumber: true),
    ])
    for prediction in predictions.reversed() {
      table.add(["\(prediction.size)", "\(prediction.count)", "\(prediction.moved)", "\(prediction.dropped)"])
    }
    return table.lines()
  }

  /// What the free lists say, where the frames themselves may not be read.
  private func withoutFrames() -> [String] {
    reports.sizes.reversed().map { size in
      let order = size.order(baseShift: reports.baseShift)
      guard !reports.policy.isGigantic(order) else { return "\(size) pages: not told without reading the frames" }
      let free = reports.freeLists.reduce(UInt64(0)) { sum, lists in
        lists.blocks.enumerated().reduce(sum) {
          $1.offset < Int(order.rawValue) ? $0 : $0 &+ ($1.element << UInt64($1.offset - Int(order.rawValue)))
        }
      }
      return "\(size) pages: at least \(free) in the free lists"
    }
  }

  func more(_ result: SizeResult) -> [String] {
    let remedies = Remedy.allCases.filter { (result.remedies[$0] ?? 0) > 0 }
    guard !remedies.isEmpty else { return [] }
    return ["", terminal.heading("More \(result.size) pages, at most, after")]
      + remedies.map { "\(result.remedies[$0] ?? 0)".rightAligned(6) + "  \($0.advice)" }
  }

  func blockers(_ result: SizeResult) -> [String] {
    let reasons = result.blockedRanges.sorted { ($1.value, $0.key.rawValue) < ($0.value, $1.key.rawValue) }.prefix(6)
    guard !reasons.isEmpty else { return [] }
    var table = TextTable([
      .init(title: "blocker", isNumber: false), .init(title: "ranges", isNumber: true), .init(title: "frames", isNumber: true),
    ])
    for (reason, count) in reasons {
      table.add([reason.forPeople, "\(count)", "\(result.reasons[reason] ?? .zero)"])
    }
    return [""] + [
      terminal.heading("What blocks \(result.size) pages") + "   ('megalith explain --size \(result.size)' has each range)"
    ]
      + table.lines(indent: "  ")
  }

  private func zones() -> [String] {
    var table = TextTable([
      .init(title: "node", isNumber: true), .init(title: "zone", isNumber: false), .init(title: "start", isNumber: true),
      .init(title: "present", isNumber: true), .init(title: "managed", isNumber: true), .init(title: "free", isNumber: true),
      .init(title: "unmovable blocks", isNumber: true),
    ])
    func size(_ frames: FrameCount) -> String { ByteCount(frames, reports.baseShift).forPeople }
    for zone in reports.zones {
      let blocks = reports.pageTypes?.zones.first { $0.node == zone.node && $0.zone == zone.name }
      table.add([
        "\(zone.node)", zone.name, "\(zone.start)", size(zone.present), size(zone.managed), size(zone.free),
        blocks.map { "\($0.count("Unmovable"))" } ?? "-",
      ])
    }
    return table.rows.isEmpty ? [] : table.lines()
  }

  private func pools() -> [String] {
    let used = reports.pools.filter { $0.total > .zero || $0.surplus > .zero || ($0.overcommit ?? .zero) > .zero }
    guard !used.isEmpty else { return reports.pools.isEmpty ? [] : ["Pools are empty."] }
    var table = TextTable([
      .init(title: "pool", isNumber: false), .init(title: "node", isNumber: true), .init(title: "total", isNumber: true),
      .init(title: "free", isNumber: true), .init(title: "reserved", isNumber: true), .init(title: "surplus", isNumber: true),
    ])
    for pool in used {
      table.add([
        "\(pool.size)", pool.node?.description ?? "all", "\(pool.total)", "\(pool.free)", pool.reserved?.description ?? "-",
        "\(pool.surplus)",
      ])
    }
    return table.lines()
  }

  private func unread() -> [String] {
    guard !reports.unread.isEmpty else { return [] }
    return [terminal.heading("Not read")] + Self.unread(reports)
  }
}

extension SurveyScreen {
  static func unread(_ reports: HostReports) -> [String] {
    reports.unread.flatMap {
      Paragraph.wrap("\($0.error.path) (\($0.error.kind)): \($0.cost)", indent: "  ", hanging: "    ")
    }
  }
}

extension Reason {
  var forPeople: String {
    switch self {
    case .slab: "slab (kernel objects)"
    case .pageTables: "page tables"
    case .reserved: "reserved since boot"
    case .kernel: "kernel's own"
    case .unknown: "unknown (no flags)"
    case .unsettled: "between lists"
    case .smallerHugePages: "smaller huge pages"
    case .largerHugePage: "part of a larger huge page"
    case .offline: "offline"
    case .poisoned: "poisoned"
    case .deferred: "not handed over yet"
    case .noRoom: "no room to move to"
    case .hole: "hole"
    case .border: "zone or node border"
    case .zone: "zone not used for this size"
    }
  }
}
