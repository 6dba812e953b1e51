import HostMemory
import MemoryUnits

/// The numbers of a survey and what changed since the one before, and the map.
struct WatchScreen {
  private let survey: Survey
  private let before: Survey?
  private let terminal: Terminal

  init(_ survey: Survey, since before: Survey?, _ terminal: Terminal) {
    self.survey = survey
    self.before = before
    self.terminal = terminal
  }

  func lines(at time: String) -> [String] {
    let reports = survey.reports
    var head = [time]
    if let available = reports.memory?.bytes("MemAvailable") { head.append("\(available.forPeople) available") }
    var lines = [terminal.heading(head.joined(separator: ", ")), ""] + table()
    if let error = survey.framesError { lines += ["", "\(error.path) (\(error.kind)): what can be had is unknown"] }
    if let listed = survey.sizes.last(where: { !$0.verdicts.isEmpty }) {
      lines += [""] + MemoryMap(result: listed, terminal: terminal).lines()
    }
    return lines
  }

  private func table() -> [String] {
    var table = TextTable([
      .init(title: "pages of", isNumber: false), .init(title: "node", isNumber: true), .init(title: "held", isNumber: true),
      .init(title: "free", isNumber: true), .init(title: "reserved", isNumber: true), .init(title: "obtainable", isNumber: true),
      .init(title: "blocked", isNumber: true),
    ])
    for pool in survey.reports.pools.sorted(by: Self.isListedFirst) {
      let old = before?.reports.pools.first { $0.size == pool.size && $0.node == pool.node }
      let result = survey.sizes.first { $0.size == pool.size }
      let oldResult = before?.sizes.first { $0.size == pool.size }
      func obtainable(_ result: SizeResult) -> UInt64 {
        pool.node.map { (result.obtainableByNode[$0] ?? .zero).rawValue } ?? result.obtainable
      }
      table.add([
        "\(pool.size)", pool.node?.description ?? "all", cell(pool.total.rawValue, old?.total.rawValue),
        cell(pool.free.rawValue, old?.free.rawValue), cell(pool.reserved?.rawValue, old?.reserved?.rawValue),
        cell(result.map(obtainable), oldResult.map(obtainable)),
        cell(pool.node == nil ? result?[.blocked] : nil, oldResult?[.blocked]),
      ])
    }
    return table.lines()
  }

  /// Larger sizes first; in each the host, then its nodes.
  private static func isListedFirst(_ left: HugePool, _ right: HugePool) -> Bool {
    func place(_ pool: HugePool) -> UInt64 { pool.node.map { UInt64($0.rawValue) + 1 } ?? 0 }
    return (right.size.bytes, place(left)) < (left.size.bytes, place(right))
  }

  /// A number with its change: `12 (+3)`.
  private func cell(_ value: UInt64?, _ old: UInt64?) -> String {
    guard let value else { return "-" }
    guard let old, old != value else { return "\(value)" }
    return "\(value) (\(value > old ? "+\(value - old)" : "-\(old - value)"))"
  }
}
