import FoundationEssentials
import MemoryUnits

extension ByteCount {
  /// For people: `23.5 GiB`, `384 MiB`, `12 KiB`.
  var forPeople: String {
    let units: [(shift: UInt64, name: String)] = [(40, "TiB"), (30, "GiB"), (20, "MiB"), (10, "KiB")]
    for unit in units where rawValue >= 1 << unit.shift {
      let tenths = (rawValue / (1 << unit.shift) * 10) + (rawValue % (1 << unit.shift)) * 10 / (1 << unit.shift)
      return tenths >= 1000 || tenths % 10 == 0 ? "\(tenths / 10) \(unit.name)" : "\(tenths / 10).\(tenths % 10) \(unit.name)"
    }
    return "\(rawValue) bytes"
  }
}

extension String {
  func leftAligned(_ width: Int) -> String { count >= width ? self : self + String(repeating: " ", count: width - count) }
  func rightAligned(_ width: Int) -> String { count >= width ? self : String(repeating: " ", count: width - count) + self }
}

/// Rows of cells under a header, in columns as wide as they must be.
struct TextTable {
  struct Column {
    let title: String
    let isNumber: Bool
  }

  let columns: [Column]
  private(set) var rows: [[String]] = []

  init(_ columns: [Column]) { self.columns = columns }

  mutating func add(_ cells: [String]) { rows.append(cells) }

  func lines(indent: String = "") -> [String] {
    let widths = columns.indices.map { column in
      rows.map { $0[column].count }.reduce(columns[column].title.count, max)
    }
    func line(_ cells: [String]) -> String {
      let aligned = cells.indices.map {
        columns[$0].isNumber ? cells[$0].rightAligned(widths[$0]) : cells[$0].leftAligned(widths[$0])
      }
      let text = indent + aligned.joined(separator: "  ")
      return String(text.reversed().drop { $0 == " " }.reversed())
    }
    return [line(columns.map(\.title))] + rows.map(line)
  }
}

/// Documents for programs.
enum JSONText {
  static func make(_ document: some Encodable) throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    return String(decoding: try encoder.encode(document), as: UTF8.self)
  }

  static func makeLine(_ document: some Encodable) throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    return String(decoding: try encoder.encode(document), as: UTF8.self)
  }
}
