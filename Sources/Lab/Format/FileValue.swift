/// A value of a file with its place: what YAML and overrides become before a form reads it.
struct FileValue: Hashable, Sendable {
  enum Style: Hashable, Sendable {
    case plain, quoted
    /// A block whose lines stand as they are, from the line below the mark on.
    case literal
  }

  enum Content: Hashable, Sendable {
    case scalar(String, Style)
    case list([FileValue])
    case map([Entry])
  }

  struct Entry: Hashable, Sendable {
    var key: String
    var source: ScenarioProblem.Source
    var value: FileValue
  }

  var content: Content
  var source: ScenarioProblem.Source

  init(_ content: Content, _ source: ScenarioProblem.Source) {
    self.content = content
    self.source = source
  }

  /// The text of a scalar; nil for lists, maps, and for nothing.
  var text: String? {
    guard case .scalar(let text, _) = content, !isNothing else { return nil }
    return text
  }

  /// The text of a scalar without quotes, which can be a number or a truth value.
  var plainText: String? {
    guard case .scalar(let text, .plain) = content, !isNothing else { return nil }
    return text
  }

  /// Whether nothing is written where a value should be.
  var isNothing: Bool {
    guard case .scalar(let text, .plain) = content else { return false }
    return ["", "~", "null", "Null", "NULL"].contains(text)
  }

  var list: [FileValue]? {
    guard case .list(let values) = content else { return nil }
    return values
  }

  var entries: [Entry]? {
    guard case .map(let entries) = content else { return nil }
    return entries
  }

  /// The value as a message quotes it.
  var quoted: String {
    switch content {
    case .scalar(let text, _): isNothing ? "nothing" : quote(text)
    case .list: "a list"
    case .map: "a map"
    }
  }

  /// The same value as if it had come from somewhere else, all of it.
  func moved(to source: ScenarioProblem.Source) -> FileValue {
    switch content {
    case .scalar: FileValue(content, source)
    case .list(let values): FileValue(.list(values.map { $0.moved(to: source) }), source)
    case .map(let entries):
      FileValue(.map(entries.map { Entry(key: $0.key, source: source, value: $0.value.moved(to: source)) }), source)
    }
  }
}

extension ScenarioProblem.Source {
  /// Where steps and clients say that they are written; those of overrides are nowhere in the file.
  var textPlace: TextPlace {
    guard case .place(let place) = self else { return TextPlace(line: 1, column: 1) }
    return place
  }
}

/// A text in quotes for a message: one line, and not too long.
func quote(_ text: String) -> String {
  var shown = ""
  for scalar in text.unicodeScalars.prefix(60) {
    shown += scalar.value < 0x20 || scalar.value == 0x7f ? "?" : String(Character(scalar))
  }
  return "'" + shown + (text.unicodeScalars.count > 60 ? "..." : "") + "'"
}
