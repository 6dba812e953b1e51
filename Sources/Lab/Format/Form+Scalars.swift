import MemoryUnits
import PhysicalLayout

extension Form where Value == String {
  /// Any text; white space around it does not count.
  static let text = Form(.text) { text in
    let trimmed = trim(text)
    return trimmed.isEmpty ? nil : trimmed
  }

  /// A name that others refer to.
  static let name = Form(
    .pattern(
      "^[A-Za-z][A-Za-z0-9_-]{0,63}$", numbers: nil, expected: "a name: a letter, then letters, digits, - and _", plural: "names")
  ) { text in
    guard let first = text.utf8.first, isLetter(first), text.utf8.count <= 64 else { return nil }
    return text.utf8.allSatisfy { isLetter($0) || ($0 >= 0x30 && $0 <= 0x39) || $0 == 0x2d || $0 == 0x5f } ? text : nil
  }

  /// One of these words.
  static func words(_ words: [String]) -> Form { Form(.words(words)) { words.contains($0) ? $0 : nil } }
}

extension Form where Value: CaseIterable & RawRepresentable & Sendable, Value.RawValue == String {
  /// One of the cases, by name.
  static var choice: Form { Form(.words(Value.allCases.map(\.rawValue))) { Value(rawValue: $0) } }
}

extension Form where Value: Sendable {
  /// This word and no other.
  static func word(_ word: String, _ value: Value) -> Form { Form(.words([word])) { $0 == word ? value : nil } }

  /// One of these words.
  static func words(_ words: [(String, Value)]) -> Form {
    Form(.words(words.map(\.0))) { text in words.first { $0.0 == text }?.1 }
  }
}

extension Form where Value == Bool {
  static let truth = Form(.truth) { value, reading in
    switch value.plainText {
    case "true": return true
    case "false": return false
    default:
      reading.refuse(value, .truth)
      return nil
    }
  }

  static let yes = Form(.yes) { value, reading in
    if value.plainText == "true" { return true }
    reading.refuse(value, .yes)
    return nil
  }
}

extension Form where Value == UInt64 {
  static func integer(_ range: ClosedRange<UInt64>) -> Form {
    let shape = Shape.integer(range)
    return Form(shape) { value, reading in
      guard let number = value.plainText.flatMap({ decimal($0) }), range.contains(number) else {
        reading.refuse(value, shape)
        return nil
      }
      return number
    }
  }
}

extension Form where Value == NodeID {
  /// A node that the machine boots with.
  static let node = Form<UInt64>.integer(0...1023).map { NodeID(UInt32($0)) }.checked { node, value, reading in
    reading.later { facts in
      guard let nodes = facts.nodes, node.rawValue >= nodes else { return nil }
      let allowed = nodes == 1 ? "0" : "0 to \(nodes - 1)"
      return ScenarioProblem(value.source, "the machine has no node \(node)", allowed: allowed)
    }
    return true
  }
}

extension Form where Value == ByteCount {
  private static let units = "([KMGTPEkmgtpe]([iI]?[bB])?|[bB])?"

  /// An amount of bytes above zero.
  static let size = Form(
    .pattern("^0*[1-9][0-9]*\(units)$", numbers: 1...UInt64.max, expected: "a size such as 64K, 2M or 1G", plural: "sizes")
  ) { text in
    let size = try? ByteCount(parsing: text)
    return size == .zero ? nil : size
  }
}

/// What a page size is for, which decides which there are.
enum PageUse: Sendable {
  /// Any that base pages make up.
  case any
  /// One that the architecture has huge pages of.
  case huge
}

extension Form where Value == PageSize {
  static func page(_ use: PageUse) -> Form {
    let read = Form<ByteCount>.size.read
    return Form(Form<ByteCount>.size.shape) { value, reading in
      guard let bytes = read(value, &reading) else { return nil }
      guard let page = PageSize(exactly: bytes) else {
        reading.report(value.source, "\(value.quoted) is no page size: it is no power of two")
        return nil
      }
      reading.later { facts in
        guard let architecture = facts.architecture else { return nil }
        if page.shift.rawValue < architecture.baseShift.rawValue {
          let base = architecture.baseShift.bytes
          return ScenarioProblem(value.source, "\(page) is no page size of \(architecture.name), whose base page is \(base)")
        }
        guard use == .huge, !architecture.hugeSizes.contains(page) else { return nil }
        let sizes = architecture.hugeSizes.map(\.description).joined(separator: ", ")
        return ScenarioProblem(value.source, "\(architecture.name) has no huge pages of \(page)", allowed: sizes)
      }
      return page
    }
  }
}

extension Form where Value == Seconds {
  /// A time above zero.
  static let time = Form(
    .pattern(
      "^(?=.*[1-9])([0-9]+|([0-9]+[dhms])+)$", numbers: 1...Seconds.longest.rawValue,
      expected: "a time such as 90s, 15m, 36h or 7d",
      plural: "times")
  ) { text in
    guard let seconds = Seconds(parsing: text), seconds > .zero, seconds <= Seconds.longest else { return nil }
    return seconds
  }
}

extension Seconds {
  /// A thousand years: nothing in a scenario lasts longer.
  static let longest = Seconds(86_400 * 365_250)
}

extension Form where Value == Percent {
  /// A part of something.
  static let share = percent("^0*(100|[1-9]?[0-9]) ?%$", 0...100, "a share from 0% to 100%")

  /// A measure beside the usual one, which it may exceed.
  static let load = percent("^0*[1-9][0-9]{0,3} ?%$", 1...9999, "a share from 1% to 9999%")

  private static func percent(_ pattern: String, _ range: ClosedRange<UInt64>, _ expected: String) -> Form {
    Form(.pattern(pattern, numbers: nil, expected: expected, plural: "shares")) { text in
      guard text.last == "%", let number = UInt64(trim(String(text.dropLast()))), range.contains(number) else { return nil }
      return Percent(number)
    }
  }
}

private func isLetter(_ byte: UInt8) -> Bool { (byte | 0x20) >= 0x61 && (byte | 0x20) <= 0x7a }

/// The text without white space around it.
func trim(_ text: String) -> String {
  let isSpace: (Character) -> Bool = { $0.isWhitespace }
  guard let first = text.firstIndex(where: { !isSpace($0) }), let last = text.lastIndex(where: { !isSpace($0) }) else {
    return ""
  }
  return String(text[first...last])
}
