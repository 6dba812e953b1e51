/// Lines for a terminal of a given width, with colour only where it is wanted.
struct TerminalText {
  enum Colour: String {
    case strong = "1"
    case faint = "2"
    case red = "31"
    case green = "32"
    case yellow = "33"
    case blue = "34"
    case magenta = "35"
    case cyan = "36"
  }

  let width: Int
  let hasColour: Bool
  private(set) var lines: [String] = []

  init(width: Int, hasColour: Bool) {
    self.width = width
    self.hasColour = hasColour
  }

  mutating func add(_ line: String = "") { lines.append(line) }

  func paint(_ text: String, _ colour: Colour?) -> String {
    guard hasColour, let colour, !text.isEmpty else { return text }
    return "\u{1b}[\(colour.rawValue)m\(text)\u{1b}[0m"
  }

  mutating func heading(_ text: String) {
    add()
    add(paint(text, .strong))
  }

  /// Words on as many lines as they need; a word that is too long has a line of its own.
  mutating func wrap(_ text: String, indent: Int = 0, first: String = "") {
    var line = first
    var used = first.isEmpty ? 0 : indent
    for word in text.split(whereSeparator: \.isWhitespace) {
      if used > 0, used > indent, used + 1 + word.count > width {
        add(line)
        line = ""
        used = 0
      }
      if used == 0 {
        line = String(repeating: " ", count: indent)
        used = indent
      } else if used > indent {
        line += " "
        used += 1
      }
      line += word
      used += word.count
    }
    if used > 0 { add(line) }
  }

  /// Text of a scenario without what would command the terminal.
  static func plain(_ text: String) -> String {
    var result = ""
    for scalar in text.unicodeScalars {
      let isCommand = scalar.value < 0x20 || (0x7f...0x9f).contains(scalar.value)
      result.unicodeScalars.append(scalar == "\n" ? "\n" : isCommand ? "?" : scalar)
    }
    return result
  }

  static func left(_ text: String, _ width: Int) -> String { text + String(repeating: " ", count: max(width - text.count, 0)) }
  static func right(_ text: String, _ width: Int) -> String { String(repeating: " ", count: max(width - text.count, 0)) + text }
}

/// The course of a row of numbers as a line of blocks, from its least to its most.
enum Sparkline {
  static func make(_ values: [UInt64], width: Int, isASCII: Bool) -> String {
    guard width > 0, let least = values.min(), let most = values.max() else { return "" }
    let steps = Array(isASCII ? "_.-=+*%#" : "\u{2581}\u{2582}\u{2583}\u{2584}\u{2585}\u{2586}\u{2587}\u{2588}")
    let columns = min(width, values.count)
    return String(
      (0..<columns).map { column in
        let part = values[(column * values.count / columns)..<((column + 1) * values.count / columns)]
        let mean = part.reduce(0.0) { $0 + Double($1 - least) } / Double(part.count)
        return most == least ? steps[0] : steps[min(Int(mean / Double(most - least) * 8), 7)]
      })
  }
}
