import Foundation

extension SweepSummary {
  /// A table for each figure, a row for each combination of values, for a terminal; figures that never differ in one line at the end.
  public var text: String {
    var blocks: [String] = []
    let names = groups.first?.figures.map(\.name) ?? []
    var same: [String] = []
    for index in names.indices {
      let figures = groups.map { $0.figures[index] }
      if let first = figures.first, figures.allSatisfy({ $0.least == first.least && $0.most == first.least }) {
        same.append("\(first.name) \(SweepSummary.shown(Double(first.least), first.unit))")
      } else {
        blocks.append(table(figures))
      }
    }
    var text = blocks.joined(separator: "\n")
    if !same.isEmpty { text += (text.isEmpty ? "" : "\n") + "The same in all runs: " + same.joined(separator: ", ") + ".\n" }
    return text
  }

  private func table(_ figures: [Figure]) -> String {
    var rows = [keys + ["runs", "good", "mean", "95 %", "least", "most"]]
    for (group, figure) in zip(groups, figures) {
      let margin = figure.margin.map { "± " + SweepSummary.shown($0, figure.unit) } ?? "-"
      rows.append(
        group.values + [
          "\(group.runs)", "\(group.good)", SweepSummary.shown(figure.mean, figure.unit), margin,
          SweepSummary.shown(Double(figure.least), figure.unit), SweepSummary.shown(Double(figure.most), figure.unit),
        ])
    }
    let widths = rows[0].indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
    let lines = rows.map { row in
      let cells = row.enumerated().map { column, cell in
        let space = String(repeating: " ", count: widths[column] - cell.count)
        return column < keys.count ? cell + space : space + cell
      }
      return "  " + cells.joined(separator: "  ")
    }
    return (["\(figures[0].name)\(SweepSummary.words(figures[0].unit))"] + lines).joined(separator: "\n") + "\n"
  }

  private static func words(_ unit: RunTrace.Unit) -> String { unit == .pages ? " (pages)" : "" }

  /// A number in its unit with at most two digits behind the point.
  private static func shown(_ value: Double, _ unit: RunTrace.Unit) -> String {
    switch unit {
    case .basisPoints: return rounded(value / 100) + " %"
    case .pages, .count: return rounded(value)
    case .bytes:
      var value = value
      for suffix in ["", "K", "M", "G"] {
        if value < 1024 { return rounded(value) + suffix }
        value /= 1024
      }
      return rounded(value) + "T"
    }
  }

  private static func rounded(_ value: Double) -> String {
    let text = String(format: "%.2f", value)
    return text.hasSuffix(".00") ? String(text.dropLast(3)) : text
  }
}
