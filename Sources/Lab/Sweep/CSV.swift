/// Tables as text (RFC 4180).
enum CSV {
  /// One record, with the line's end.
  static func record(_ fields: [String]) -> String { fields.map { field($0) }.joined(separator: ",") + "\r\n" }

  private static func field(_ text: String) -> String {
    let needsQuotes = text.unicodeScalars.contains { ",\"\r\n".unicodeScalars.contains($0) } || text != trim(text)
    return needsQuotes ? "\"" + text.replacing("\"", with: "\"\"") + "\"" : text
  }

  /// A record that ends with a line's end.
  struct Record {
    var fields: [String]
    /// From 1 on.
    var line: Int
    /// Bytes of the text up to and with its end.
    var end: Int
  }

  /// Complete records; lines may end with a line feed alone. What follows the last line's end is no record: a writer was stopped in it.
  ///
  /// - Complexity: O(length of the text).
  static func parse(_ bytes: [UInt8]) throws(SweepDataProblem) -> [Record] {
    var records: [Record] = []
    var fields: [String] = []
    var field: [UInt8] = []
    var line = 1
    var first = 1
    var isQuoted = false
    var wasQuoted = false
    var index = 0
    while index < bytes.count {
      let byte = bytes[index]
      index += 1
      if isQuoted {
        if byte == UInt8(ascii: "\"") {
          if index < bytes.count, bytes[index] == byte {
            field.append(byte)
            index += 1
          } else {
            isQuoted = false
          }
        } else {
          if byte == 0x0a { line += 1 }
          field.append(byte)
        }
        continue
      }
      switch byte {
      case UInt8(ascii: "\"") where field.isEmpty && !wasQuoted:
        isQuoted = true
        wasQuoted = true
      case UInt8(ascii: ","):
        fields.append(String(decoding: field, as: UTF8.self))
        field = []
        wasQuoted = false
      case 0x0d where index < bytes.count && bytes[index] == 0x0a: break
      case 0x0a:
        fields.append(String(decoding: field, as: UTF8.self))
        records.append(Record(fields: fields, line: first, end: index))
        (fields, field, wasQuoted) = ([], [], false)
        line += 1
        first = line
      default:
        guard !wasQuoted, byte != UInt8(ascii: "\"") else {
          throw SweepDataProblem(line: line, "a quote stands within a field")
        }
        field.append(byte)
      }
    }
    return records
  }
}

/// What is wrong with a file of results.
public struct SweepDataProblem: Error, Hashable, Sendable, CustomStringConvertible {
  /// As it was given; empty where there is one file only.
  public var file = ""
  public var line: Int?
  public var text: String

  init(line: Int? = nil, _ text: String, file: String = "") {
    self.line = line
    self.text = text
    self.file = file
  }

  /// `part-3.csv:12: ...`
  public var description: String {
    let place = file + (line.map { file.isEmpty ? "line \($0)" : ":\($0)" } ?? "")
    return place.isEmpty ? text : place + ": " + text
  }
}
