import Foundation

/// What a sweep's figures are at each combination of its values, over the seeds. Its JSON is the schema `megalith.sweep/1`
/// (Docs/Sweeps.md).
public struct SweepSummary: Hashable, Sendable, Codable {
  public static let schema = "megalith.sweep/1"

  public var schema = SweepSummary.schema
  /// The digest that the files have.
  public var sweep: String
  /// Points of the whole sweep.
  public var points: Int
  /// Points without a result, first and last of each stretch.
  public var missing: [Stretch]
  public var keys: [String]
  /// In the order of their first points.
  public var groups: [Group]

  public struct Stretch: Hashable, Sendable, Codable {
    public var first: Int
    public var last: Int
  }

  /// All runs with the same values.
  public struct Group: Hashable, Sendable, Codable {
    /// Of the keys, in their order.
    public var values: [String]
    public var runs: Int
    /// Runs in which every step and every expectation came true.
    public var good: Int
    public var figures: [Figure]
  }

  public struct Figure: Hashable, Sendable, Codable {
    public var name: String
    public var unit: RunTrace.Unit
    public var mean: Double
    public var least: UInt64
    public var most: UInt64
    /// Half the width of the 95 % interval of the mean, by Student's distribution; nil of a single run.
    public var margin: Double?
  }

  /// - Complexity: O(rows * figures).
  public init(_ table: SweepTable) {
    sweep = table.identity.digest
    points = table.identity.points
    missing = table.missing.map { Stretch(first: $0.lowerBound, last: $0.upperBound) }
    keys = table.identity.keys
    var order: [[String]] = []
    var rows: [[String]: [SweepRow]] = [:]
    for row in table.rows {
      if rows[row.values] == nil { order.append(row.values) }
      rows[row.values, default: []].append(row)
    }
    groups = order.map { values in
      let rows = rows[values] ?? []
      let figures = (rows.first?.figures ?? []).enumerated().map { index, figure in
        Figure(figure.name, figure.unit, rows.map { $0.figures[index].value })
      }
      return Group(values: values, runs: rows.count, good: rows.count { $0.isGood }, figures: figures)
    }
  }
}

extension SweepSummary.Figure {
  /// Of at least one value.
  init(_ name: String, _ unit: RunTrace.Unit, _ values: [UInt64]) {
    self.name = name
    self.unit = unit
    least = values.min() ?? 0
    most = values.max() ?? 0
    let base = least
    let count = Double(values.count)
    // Beside the least, so that large numbers with small differences keep them.
    let beside = values.map { Double($0 - base) }
    let average = beside.reduce(0, +) / count
    mean = Double(base) + average
    guard values.count > 1 else { return }
    let squares = beside.reduce(0) { $0 + ($1 - average) * ($1 - average) }
    margin = SweepSummary.student(values.count - 1) * (squares / (count - 1) / count).squareRoot()
  }
}

extension SweepSummary {
  /// The 97.5 % point of Student's distribution; between the table's degrees of freedom that of the lower one, which is too wide rather
  /// than too narrow.
  static func student(_ freedom: Int) -> Double {
    let one = [
      12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110,
      2.101,
      2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
    ]
    if freedom <= one.count { return one[freedom - 1] }
    let more: [(freedom: Int, value: Double)] = [(1000, 1.962), (200, 1.972), (100, 1.984), (60, 2.000), (40, 2.021)]
    return more.first { $0.freedom <= freedom }?.value ?? 2.042
  }
}
