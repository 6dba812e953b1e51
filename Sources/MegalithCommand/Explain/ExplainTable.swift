import ArgumentParser
import HostMemory
import MemoryUnits

/// What `explain` can show of a range.
enum ExplainColumn: String, CaseIterable {
  case range, node, zone, verdict, certainty, free, move, blocking, first, reasons, suspects, remedy

  var isNumber: Bool {
    switch self {
    case .node, .free, .move, .blocking, .first: true
    default: false
    }
  }
}

extension ExplainColumn {
  /// Wide enough for most cells; longer ones push the rest of their row.
  var width: Int {
    switch self {
    case .range: 24
    case .node: 4
    case .zone: 7
    case .verdict: 8
    case .certainty: 9
    case .free, .move, .blocking: 8
    case .first: 10
    case .reasons: 50
    case .suspects: 40
    case .remedy: 24
    }
  }
}

/// `-o` with its list.
struct ColumnList: ExpressibleByArgument, CustomStringConvertible {
  let columns: [ExplainColumn]

  static let standard = ColumnList(
    columns: [.range, .node, .zone, .verdict, .certainty, .free, .move, .first, .reasons, .suspects, .remedy])

  init(columns: [ExplainColumn]) { self.columns = columns }

  init?(argument: String) {
    let columns = argument.split(separator: ",", omittingEmptySubsequences: false).map { ExplainColumn(rawValue: String($0)) }
    guard !columns.isEmpty, !columns.contains(nil) else { return nil }
    self.columns = columns.compactMap(\.self)
  }

  var description: String { columns.map(\.rawValue).joined(separator: ",") }
}

/// One range as text.
struct ExplainRow {
  private let verdict: RangeVerdict
  private let zone: ZoneReport?
  private let node: NodeID?
  private let suspects: [String]

  init(_ verdict: RangeVerdict, _ survey: Survey, _ suspects: Suspects) {
    self.verdict = verdict
    zone = survey.zone(of: verdict)
    node = survey.node(of: verdict)
    self.suspects = suspects.names(for: verdict)
  }

  func cell(_ column: ExplainColumn) -> String {
    switch column {
    case .range: verdict.range.description
    case .node: node?.description ?? "-"
    case .zone: zone?.name ?? "-"
    case .verdict: verdict.verdict.rawValue
    case .certainty: verdict.certainty.rawValue
    case .free: verdict.free.description
    case .move: verdict.toMove.description
    case .blocking: verdict.blockingFrames.description
    case .first: verdict.firstBlocking?.description ?? "-"
    case .reasons: reasons
    case .suspects: suspects.isEmpty ? "-" : suspects.joined(separator: ",")
    case .remedy: verdict.remedies.isEmpty ? "-" : verdict.remedies.map(\.advice).joined(separator: "; ")
    }
  }

  private var reasons: String {
    guard !verdict.reasons.isEmpty else { return "-" }
    return verdict.reasons.sorted { ($1.value, $0.key.rawValue) < ($0.value, $1.key.rawValue) }
      .map { "\($0.key.rawValue):\($0.value)" }.joined(separator: ",")
  }
}

extension RangeVerdict {
  /// Frames that stand in the way.
  var blockingFrames: FrameCount {
    verdict == .blocked ? reasons.values.reduce(.zero, +) : .zero
  }
}
