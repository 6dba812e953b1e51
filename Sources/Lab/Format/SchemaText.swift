/// A JSON value that keeps its keys in order.
indirect enum SchemaValue: Sendable {
  case text(String)
  case number(String)
  case truth(Bool)
  case list([SchemaValue])
  case object([(key: String, value: SchemaValue)])

  static func words(_ words: [String]) -> SchemaValue { .list(words.map { .text($0) }) }
  static func number(_ value: UInt64) -> SchemaValue { .number(String(value)) }

  /// Two spaces an indentation; lists of plain values, and maps of one of them, on one line.
  func text(indent: String = "") -> String {
    let inner = indent + "  "
    switch self {
    case .text(let text): return SchemaValue.quoted(text)
    case .number(let text): return text
    case .truth(let value): return value ? "true" : "false"
    case .list(let values) where values.allSatisfy(\.isShort):
      return "[" + values.map { $0.text(indent: inner) }.joined(separator: ", ") + "]"
    case .list(let values):
      return "[\n" + values.map { inner + $0.text(indent: inner) }.joined(separator: ",\n") + "\n" + indent + "]"
    case .object(let entries):
      let lines = entries.map { SchemaValue.quoted($0.key) + ": " + $0.value.text(indent: isShort ? indent : inner) }
      return isShort
        ? "{" + lines.joined(separator: ", ") + "}"
        : "{\n" + lines.map { inner + $0 }.joined(separator: ",\n") + "\n" + indent + "}"
    }
  }

  private var isShort: Bool {
    switch self {
    case .text, .number, .truth: true
    case .list: false
    case .object(let entries): entries.isEmpty || entries.count == 1 && entries[0].value.isPlain
    }
  }

  private var isPlain: Bool {
    guard case .list(let values) = self else { return isShort }
    return values.allSatisfy(\.isShort)
  }

  private static func quoted(_ text: String) -> String {
    var result = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": result += "\\\""
      case "\\": result += "\\\\"
      case "\n": result += "\\n"
      case "\t": result += "\\t"
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result + "\""
  }
}
