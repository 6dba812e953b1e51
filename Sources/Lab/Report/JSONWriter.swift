/// Writes JSON without white space into a buffer; the caller says the keys, in their order.
struct JSONWriter {
  /// Whether text must not end a script element, nor begin a comment in it.
  let isInPage: Bool
  private var buffer: [UInt8] = []
  private var needsComma = false

  init(isInPage: Bool) { self.isInPage = isInPage }

  mutating func open(_ bracket: Unicode.Scalar) {
    separate()
    buffer.append(UInt8(ascii: bracket))
    needsComma = false
  }

  mutating func close(_ bracket: Unicode.Scalar) {
    buffer.append(UInt8(ascii: bracket))
    needsComma = true
  }

  mutating func key(_ name: String) {
    text(name)
    buffer.append(UInt8(ascii: ":"))
    needsComma = false
  }

  mutating func number(_ value: some FixedWidthInteger & UnsignedInteger) {
    separate()
    if value < 10 {
      buffer.append(UInt8(ascii: "0") + UInt8(value))
    } else {
      buffer.append(contentsOf: String(value).utf8)
    }
    needsComma = true
  }

  mutating func numbers(_ values: [some FixedWidthInteger & UnsignedInteger]) {
    open("[")
    for value in values { number(value) }
    close("]")
  }

  mutating func text(_ text: String) {
    separate()
    buffer.append(UInt8(ascii: "\""))
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": buffer.append(contentsOf: #"\""#.utf8)
      case "\\": buffer.append(contentsOf: #"\\"#.utf8)
      case "\n": buffer.append(contentsOf: #"\n"#.utf8)
      case "\r": buffer.append(contentsOf: #"\r"#.utf8)
      case "\t": buffer.append(contentsOf: #"\t"#.utf8)
      case "\u{8}": buffer.append(contentsOf: #"\b"#.utf8)
      case "\u{c}": buffer.append(contentsOf: #"\f"#.utf8)
      case "\0"..<" ": escape(scalar)
      case "<", ">", "&", "\u{2028}", "\u{2029}":
        if isInPage { escape(scalar) } else { buffer.append(contentsOf: String(scalar).utf8) }
      default: buffer.append(contentsOf: String(scalar).utf8)
      }
    }
    buffer.append(UInt8(ascii: "\""))
    needsComma = true
  }

  /// Hands out what was written since the last time.
  mutating func take() -> String {
    let text = String(decoding: buffer, as: UTF8.self)
    buffer.removeAll(keepingCapacity: true)
    return text
  }

  private mutating func separate() { if needsComma { buffer.append(UInt8(ascii: ",")) } }

  private mutating func escape(_ scalar: Unicode.Scalar) {
    let digits = String(scalar.value, radix: 16)
    buffer.append(contentsOf: (#"\u"# + String(repeating: "0", count: 4 - digits.count) + digits).utf8)
  }
}
