/// What may stand at a place of a file: what forms read by, what the schema is made from, and the reference.
indirect enum Shape: Sendable {
  /// Any text that is not empty.
  case text
  /// A text that matches, or also a whole number in the bounds; what people are told of it, and of several of the kind.
  case pattern(String, numbers: ClosedRange<UInt64>?, expected: String, plural: String)
  case integer(ClosedRange<UInt64>)
  /// A number with at most two digits behind the point, in hundredths.
  case hundredths(ClosedRange<UInt64>)
  case truth
  /// `true` and nothing else.
  case yes
  case words([String])
  case list(Shape, least: Int)
  /// Keys that the file's writer chooses, each with a value of the same shape.
  case table(keys: Shape, values: Shape)
  case object(ObjectShape)
  case either([Shape])
  /// A shape that is described under this name, since it holds itself.
  case named(String)

  /// What is expected, for messages and for the reference.
  var expected: String {
    switch self {
    case .text: "a text"
    case .pattern(_, _, let expected, _): expected
    case .integer(let range):
      range.upperBound == .max
        ? "a whole number from \(range.lowerBound) on" : "a whole number from \(range.lowerBound) to \(range.upperBound)"
    case .hundredths(let range):
      "a number from \(hundredthsText(range.lowerBound)) to \(hundredthsText(range.upperBound)), with at most two digits behind the point"
    case .truth: "true, false"
    case .yes: "true"
    case .words(let words): words.joined(separator: ", ")
    case .list(let shape, _): "a list of " + shape.plural
    case .table(let keys, let values): "a map of \(keys.plural) to \(values.plural)"
    case .object(let object): "a map with " + object.fields.map(\.key).joined(separator: ", ")
    case .either(let shapes): shapes.map(\.expected).joined(separator: ", or ")
    case .named(let name): "a " + name
    }
  }

  /// What several of the kind are called.
  var plural: String {
    switch self {
    case .text: "texts"
    case .pattern(_, _, _, let plural): plural
    case .integer(let range): "whole numbers from \(range.lowerBound) on"
    case .hundredths: "numbers"
    case .truth, .yes, .words: "words"
    case .list: "lists"
    case .table: "maps"
    case .object(let object): object.name + "s"
    case .either(let shapes): shapes.first?.plural ?? ""
    case .named(let name): name + "s"
    }
  }

  /// Words that stand for themselves here, for suggestions.
  var words: [String] {
    switch self {
    case .words(let words): words
    case .either(let shapes): shapes.flatMap(\.words)
    default: []
    }
  }
}

/// What a map of known keys may hold.
struct ObjectShape: Sendable {
  struct Field: Sendable {
    var key: String
    var shape: Shape
    var isRequired: Bool
    /// What it is for, as the reference says it.
    var text: String
  }

  /// What holds between keys.
  enum Rule: Hashable, Sendable {
    case exactlyOne([String])
    case atMostOne([String])
    /// The first key says something of the second, and is nothing without it.
    case needs(String, String)
  }

  var name: String
  var text: String
  var fields: [Field]
  var rules: [Rule] = []
}

/// `1.25` of 125, `100` of 10,000.
func hundredthsText(_ value: UInt64) -> String {
  let part = value % 100
  return "\(value / 100)" + (part == 0 ? "" : part < 10 ? ".0\(part)" : ".\(part)")
}
