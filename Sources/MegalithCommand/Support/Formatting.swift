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

/// Text that keeps within 80 columns.
enum Paragraph {
  /// Joins pieces, with as many on a line as fit.
  static func wrap(_ pieces: [String], separator: String = " ", indent: String, hanging: String? = nil) -> [String] {
    var lines: [String] = []
    var line = indent
    var isEmpty = true
    for piece in pieces {
      if !isEmpty, line.count + separator.count + piece.count > 80 {
        lines.append(line)
        line = hanging ?? indent
        isEmpty = true
      }
      line += isEmpty ? piece : separator + piece
      isEmpty = false
    }
    return isEmpty ? lines : lines + [line]
  }

  static func wrap(_ text: String, indent: String = "", hanging: String? = nil) -> [String] {
    wrap(text.split(separator: " ").map(String.init), indent: indent, hanging: hanging)
  }
}

/// A table whose rows are printed as they come; columns keep a width of their own, so that no row is kept.
struct StreamedTable {
  let columns: [(title: String, width: Int, isNumber: Bool)]

  func header() -> String { line(columns.map(\.title)) }

  func line(_ cells: [String]) -> String {
    var text = ""
    for (index, column) in columns.enumerated() {
      if index > 0 { text += "  " }
      let isLast = index == columns.count - 1
      text +=
        column.isNumber ? cells[index].rightAligned(column.width) : isLast ? cells[index] : cells[index].leftAligned(column.width)
    }
    return text
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
