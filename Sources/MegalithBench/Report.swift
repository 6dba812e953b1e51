/// The times of one workload on one allocator, one a round, in nanoseconds an operation.
struct Samples {
  private var values: [Double] = []

  mutating func add(_ value: Double) { values.append(value) }

  var best: Double { values.min() ?? 0 }
  var median: Double {
    let sorted = values.sorted()
    guard !sorted.isEmpty else { return 0 }
    let middle = sorted.count / 2
    return sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
  }
}

/// One line of the table.
struct Row {
  let id: String
  var unit = "ns/op"
  let samples: Samples
  let baselines: [(name: String, samples: Samples)]
  let target: Double?
  /// What was counted besides: a field of its own in JSON.
  var counted: (name: String, count: UInt64)?
}

/// The finished table.
struct Report {
  var rows: [Row] = []
  /// Why rows are missing; not part of the JSON document.
  var remarks: [String] = []

  var json: String {
    let lines = rows.map { row in
      let baselines = row.baselines.map { #"{"name":"\#($0.name)","median":\#(decimal($0.samples.median))}"# }
      let target = row.target.map { #","target":\#(decimal($0))"# } ?? ""
      let counted = row.counted.map { #","\#($0.name)":\#($0.count)"# } ?? ""
      return
        #"{"id":"\#(row.id)","unit":"\#(row.unit)","median":\#(decimal(row.samples.median)),"best":\#(decimal(row.samples.best)),"#
        + #""baselines":[\#(baselines.joined(separator: ","))]\#(target)\#(counted)}"#
    }
    return #"{"schema":"megalith.bench/1","rows":["# + lines.joined(separator: ",") + "]}"
  }

  /// Rows that share unit and baselines stand under one heading.
  var text: String {
    var lines: [String] = []
    var heading = ""
    for row in rows {
      let wanted = line(row.unit, ["median", "best", "target", ""], baselines: row.baselines.map { ($0.name, "ratio") })
      if wanted != heading {
        if !lines.isEmpty { lines.append("") }
        heading = wanted
        lines.append(heading)
      }
      let median = row.samples.median
      let verdict = row.target.map { median <= $0 ? "ok" : "above" } ?? ""
      let figures = line(
        row.id, [short(median), short(row.samples.best), row.target.map(short) ?? "", verdict],
        baselines: row.baselines.map { (short($0.samples.median), ratio(median / $0.samples.median) + "x") })
      lines.append(figures + (row.counted.map { "  \($0.name) \($0.count)" } ?? ""))
    }
    return (lines + remarks).joined(separator: "\n")
  }

  private func line(_ id: String, _ figures: [String], baselines: [(String, String)]) -> String {
    let left = id + String(repeating: " ", count: max(1, 40 - id.count))
    return left + (figures + baselines.flatMap { [$0.0, $0.1] }).map(padded).joined()
  }

  private func padded(_ text: String) -> String { String(repeating: " ", count: max(1, 10 - text.count)) + text }

  private func ratio(_ value: Double) -> String { value < 0.01 ? "0.00" : String(decimal(value).prefix(value < 1 ? 4 : 9)) }

  /// Digits after the point only where they tell something.
  private func short(_ value: Double) -> String { value < 10_000 ? decimal(value) : "\(Int(value + 0.5))" }
}

/// With two digits after the point, and more where the value is small.
func decimal(_ value: Double) -> String {
  let digits = value < 1 ? 4 : 2
  let scale = digits == 4 ? 10_000 : 100
  let scaled = Int(value * Double(scale) + 0.5)
  let rest = String(scaled % scale)
  return "\(scaled / scale)." + String(repeating: "0", count: digits - rest.count) + rest
}
