/// What one run of a sweep gave.
public struct SweepRow: Hashable, Sendable {
  /// The point's number, from 1 on.
  public var point: Int
  /// Of the plan's keys, in their order.
  public var values: [String]
  public var seed: UInt64
  /// Whether every step and every expectation came true.
  public var isGood: Bool
  public var figures: [RunTrace.Figure]

  public init(_ point: SweepPoint, _ trace: RunTrace) {
    self.point = point.number
    values = point.values
    seed = trace.seed
    isGood = trace.isGood
    figures = trace.figures
  }

  init(point: Int, values: [String], seed: UInt64, isGood: Bool, figures: [RunTrace.Figure]) {
    self.point = point
    self.values = values
    self.seed = seed
    self.isGood = isGood
    self.figures = figures
  }
}

/// What a file of results is of: files of one sweep have the same.
public struct SweepIdentity: Hashable, Sendable {
  /// Of the scenario's text, what overrides it, and the sweep; against mistakes, not against forgery. What a capture holds is not in it.
  public let digest: String
  /// Points of the whole sweep.
  public let points: Int
  public let keys: [String]

  /// - Parameters:
  ///   - text: the scenario's file.
  ///   - overrides: what is set for all points.
  public init(_ plan: SweepPlan, text: String, overriding overrides: [(key: String, value: String)] = []) {
    var hash = TextHash()
    hash.add(RunTrace.schema)
    hash.add(text)
    for override in overrides {
      hash.add("set")
      hash.add(override.key)
      hash.add(override.value)
    }
    for key in plan.keys {
      hash.add("sweep")
      hash.add(key.key)
      for value in key.values { hash.add(value) }
    }
    hash.add(plan.seeds?.text ?? "")
    digest =
      "1-" + String(repeating: "0", count: hash.value.leadingZeroBitCount / 4)
      + (hash.value == 0 ? "" : String(hash.value, radix: 16))
    points = plan.count
    keys = plan.keys.map(\.key)
  }

  init(digest: String, points: Int, keys: [String]) {
    self.digest = digest
    self.points = points
    self.keys = keys
  }
}

/// FNV-1a over texts with their lengths, 64 bits.
private struct TextHash {
  private(set) var value: UInt64 = 0xcbf2_9ce4_8422_2325

  mutating func add(_ text: String) {
    for byte in Array(String(text.utf8.count).utf8) + [0x3a] + Array(text.utf8) {
      value = (value ^ UInt64(byte)) &* 0x100_0000_01b3
    }
  }
}

/// Results of a sweep, or of a part of it, as a table: the same results give the same bytes.
///
/// Columns: `sweep` (the digest), `points` (of the whole sweep), `point`, `seed`, one for each key, `good` (`yes`, `no`), and one for each
/// figure with its unit (`obtainable.1G:pages`).
public struct SweepTable: Hashable, Sendable {
  public let identity: SweepIdentity
  /// Rising by point.
  public internal(set) var rows: [SweepRow]

  /// A table without rows yet.
  public init(identity: SweepIdentity) { self.init(identity: identity, rows: []) }

  init(identity: SweepIdentity, rows: [SweepRow]) {
    self.identity = identity
    self.rows = rows
  }

  /// Takes a row in, whatever its point's place. Traps for a point that is there.
  ///
  /// - Throws: ``SweepFileError/otherFigures(point:missing:more:)`` where its figures are not those of the rows before it.
  /// - Complexity: O(rows behind it).
  public mutating func add(_ row: SweepRow) throws(SweepFileError) {
    if let first = rows.first { try row.checkColumns(of: first) }
    let place = rows.lastIndex { $0.point <= row.point }.map { $0 + 1 } ?? 0
    precondition(place == 0 || rows[place - 1].point != row.point, "point \(row.point) is there twice")
    rows.insert(row, at: place)
  }

  /// Points without a row, as closed ranges, rising.
  public var missing: [ClosedRange<Int>] {
    var missing: [ClosedRange<Int>] = []
    var next = 1
    for row in rows {
      if row.point > next { missing.append(next...(row.point - 1)) }
      next = row.point + 1
    }
    if next <= identity.points { missing.append(next...identity.points) }
    return missing
  }

  /// `3, 11-14`; empty where nothing is missing.
  public var missingText: String {
    missing.map { $0.count == 1 ? "\($0.lowerBound)" : "\($0.lowerBound)-\($0.upperBound)" }.joined(separator: ", ")
  }

  public var csv: String {
    guard let first = rows.first else { return "" }
    return SweepTable.header(identity, first) + rows.map { SweepTable.record(identity, $0) }.joined()
  }

  static func header(_ identity: SweepIdentity, _ row: SweepRow) -> String {
    CSV.record(
      ["sweep", "points", "point", "seed"] + identity.keys + ["good"] + row.figures.map { "\($0.name):\($0.unit.rawValue)" })
  }

  static func record(_ identity: SweepIdentity, _ row: SweepRow) -> String {
    CSV.record(
      [identity.digest, String(identity.points), String(row.point), String(row.seed)] + row.values + [row.isGood ? "yes" : "no"]
        + row.figures.map { String($0.value) })
  }
}

/// A file of results as it was read.
struct SweepFileContent {
  var identity: SweepIdentity
  var rows: [SweepRow]
  var lines: [Int]
  /// Bytes that are complete records.
  var length: Int

  /// Nil for a file without a complete header.
  init?(_ bytes: [UInt8]) throws(SweepDataProblem) {
    let records = try CSV.parse(bytes)
    guard let header = records.first else { return nil }
    let names = header.fields
    guard names.count >= 5, Array(names[..<4]) == ["sweep", "points", "point", "seed"],
      let good = names[4...].firstIndex(of: "good")
    else { throw SweepDataProblem(line: 1, "this is no result of a sweep: its columns begin with sweep, points, point, seed") }
    var columns: [(name: String, unit: RunTrace.Unit)] = []
    for name in names[(good + 1)...] {
      guard let colon = name.lastIndex(of: ":"), let unit = RunTrace.Unit(rawValue: String(name[colon...].dropFirst())) else {
        throw SweepDataProblem(line: 1, "column \(quote(name)) names no unit")
      }
      columns.append((String(name[..<colon]), unit))
    }
    var identity: SweepIdentity?
    var rows: [SweepRow] = []
    for record in records.dropFirst() {
      let fields = record.fields
      guard fields.count == names.count else {
        throw SweepDataProblem(line: record.line, "\(fields.count) fields where the header has \(names.count)")
      }
      guard let points = decimal(fields[1]).flatMap({ Int(exactly: $0) }), points <= SweepPlan.mostPoints,
        let point = decimal(fields[2]).flatMap({ Int(exactly: $0) }), point >= 1, point <= points, let seed = decimal(fields[3]),
        ["yes", "no"].contains(fields[good])
      else { throw SweepDataProblem(line: record.line, "points, point, seed or good cannot be read") }
      let own = SweepIdentity(digest: fields[0], points: points, keys: Array(names[4..<good]))
      guard identity == nil || identity == own else {
        throw SweepDataProblem(line: record.line, "the row is of another sweep than the first")
      }
      identity = own
      var figures: [RunTrace.Figure] = []
      for (column, field) in zip(columns, fields[(good + 1)...]) {
        guard let value = decimal(field) else {
          throw SweepDataProblem(line: record.line, "\(quote(field)) is no value of \(column.name)")
        }
        figures.append(RunTrace.Figure(name: column.name, unit: column.unit, value: value))
      }
      rows.append(
        SweepRow(point: point, values: Array(fields[4..<good]), seed: seed, isGood: fields[good] == "yes", figures: figures))
    }
    self.identity = identity ?? SweepIdentity(digest: "", points: 0, keys: Array(names[4..<good]))
    self.rows = rows
    lines = records.dropFirst().map(\.line)
    // A header alone says nothing of what it is of, and is written anew.
    length = rows.isEmpty ? 0 : records.last?.end ?? 0
  }
}
