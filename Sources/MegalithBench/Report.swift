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
  let samples: Samples
  let baselines: [(name: String, samples: Samples)]
  let target: Double?
}

/// The finished table.
struct Report {
  var rows: [Row] = []
  /// Lines below the table.
  var notes: [String] = []

  var json: String {
    let lines = rows.map { row in
      let baselines = row.baselines.map { #"{"name":"\#($0.name)","median":\#(decimal($0.samples.median))}"# }
      let target = row.target.map { #","target":\#(decimal($0))"# } ?? ""
      return #"{"id":"\#(row.id)","unit":"ns/op","median":\#(decimal(row.samples.median)),"best":\#(decimal(row.samples.best)),"#
        + #""baselines":[\#(baselines.joined(separator: ","))]\#(target)}"#
    }
    return #"{"schema":"megalith.bench/1","rows":["# + lines.joined(separator: ",") + "]}"
  }

  var text: String {
    var lines = [
      line("ns/op", ["median", "best", "target", ""], baselines: rows.first?.baselines.map { ($0.name, "ratio") } ?? [])
    ]
    for row in rows {
      let median = row.samples.median
      let verdict = row.target.map { median <= $0 ? "ok" : "above" } ?? ""
      lines.append(
        line(
          row.id, [decimal(median), decimal(row.samples.best), row.target.map(decimal) ?? "", verdict],
          baselines: row.baselines.map { (decimal($0.samples.median), decimal(median / $0.samples.median) + "x") }))
    }
    return (lines + notes).joined(separator: "\n")
  }

  private func line(_ id: String, _ figures: [String], baselines: [(String, String)]) -> String {
    let left = id + String(repeating: " ", count: max(1, 30 - id.count))
    return left + (figures + baselines.flatMap { [$0.0, $0.1] }).map(padded).joined()
  }

  private func padded(_ text: String) -> String { String(repeating: " ", count: max(1, 9 - text.count)) + text }
}

/// With two digits after the point.
private func decimal(_ value: Double) -> String {
  let hundredths = Int(value * 100 + 0.5)
  let rest = hundredths % 100
  return "\(hundredths / 100).\(rest < 10 ? "0" : "")\(rest)"
}
