import Yams

/// Reads YAML into values with places.
struct YAMLText {
  /// What is wrong beside the values; they hold what could be read.
  private(set) var problems: [ScenarioProblem] = []
  private var mask = KeyMask()
  private var left = YAMLText.limit

  /// Values in a file, aliases followed: more is a mistake, or an attack.
  static let limit = 200_000

  /// Nil where the text is no YAML, or has nothing in it; `problems` says why.
  static func read(_ text: String) -> (value: FileValue?, problems: [ScenarioProblem]) {
    var reader = YAMLText()
    let value = reader.readDocument(text)
    return (value, reader.problems)
  }

  private mutating func readDocument(_ text: String) -> FileValue? {
    guard let node = compose(text) else { return nil }
    let value = self.value(of: node)
    guard left > 0 else {
      problems = [ScenarioProblem(.start, "the file has more than \(YAMLText.limit) values once its aliases are followed")]
      return nil
    }
    return value
  }

  /// The library stops at the first map with a key twice. Such keys are masked then, so that the rest can be read as well.
  private mutating func compose(_ text: String) -> Node? {
    var text = text
    while true {
      do {
        guard let node = try Yams.compose(yaml: text, .basic, .default, .utf8) else {
          problems.append(ScenarioProblem(.start, "there is nothing in the file"))
          return nil
        }
        return node
      } catch YamlError.duplicatedKeysInMapping(let keys, let context) {
        guard let masked = mask.apply(to: text, keys: keys) else {
          let place = TextPlace(line: context.mark.line, column: context.mark.column)
          problems.append(ScenarioProblem(.place(place), "key \(quote(mask.unmasked(keys[0]))) is there twice"))
          return nil
        }
        text = masked
      } catch {
        problems.append(YAMLText.problem(of: error, in: text))
        return nil
      }
    }
  }

  private mutating func value(of node: Node) -> FileValue {
    let source = node.mark.map { ScenarioProblem.Source.place(TextPlace(line: $0.line, column: $0.column)) } ?? .start
    left -= 1
    guard left > 0 else { return FileValue(.scalar("", .plain), source) }
    switch node {
    case .scalar(let scalar):
      let style: FileValue.Style =
        switch scalar.style {
        case .plain, .any: .plain
        case .literal: .literal
        default: .quoted
        }
      return FileValue(.scalar(mask.unmasked(scalar.string), style), source)
    case .sequence(let nodes): return FileValue(.list(nodes.map { value(of: $0) }), source)
    case .mapping(let pairs): return FileValue(.map(entries(of: pairs)), source)
    case .alias: return FileValue(.scalar("", .plain), source)
    }
  }

  private mutating func entries(of pairs: Node.Mapping) -> [FileValue.Entry] {
    var entries: [FileValue.Entry] = []
    var merged: [FileValue.Entry] = []
    for (keyNode, valueNode) in pairs {
      let key = value(of: keyNode)
      let value = self.value(of: valueNode)
      guard case .scalar(let name, let style) = key.content else {
        problems.append(ScenarioProblem(key.source, "\(key.quoted) cannot be a key"))
        continue
      }
      if name == "<<", style == .plain {
        merged += mergedEntries(value)
      } else if let first = entries.first(where: { $0.key == name }) {
        let line = first.source.textPlace.line
        problems.append(ScenarioProblem(key.source, "key \(quote(name)) is there twice, first in line \(line)"))
      } else {
        entries.append(FileValue.Entry(key: name, source: key.source, value: value))
      }
    }
    for entry in merged where !entries.contains(where: { $0.key == entry.key }) { entries.append(entry) }
    return entries
  }

  /// What `<<` brings in: a map's entries, or those of several.
  private mutating func mergedEntries(_ value: FileValue) -> [FileValue.Entry] {
    switch value.content {
    case .map(let entries): return entries
    case .list(let values): return values.flatMap { mergedEntries($0) }
    case .scalar:
      problems.append(ScenarioProblem(value.source, "\(value.quoted) cannot be merged", allowed: "a map, or a list of maps"))
      return []
    }
  }

  private static func problem(of error: any Error, in text: String) -> ScenarioProblem {
    switch error as? YamlError {
    case .scanner(let context, let problem, let mark, _), .parser(let context, let problem, let mark, _),
      .composer(let context, let problem, let mark, _):
      var message = "not YAML: " + problem
      if let context {
        message += ", \(context.text) that begins in line \(context.mark.line), column \(context.mark.column)"
      }
      return ScenarioProblem(.place(TextPlace(line: mark.line, column: mark.column)), message)
    case .reader(let problem, let offset, _, _):
      let before = text.utf8.prefix(offset ?? 0)
      let line = before.count { $0 == 0x0a } + 1
      let column = (before.lastIndex(of: 0x0a).map { before[$0...].count - 1 } ?? before.count) + 1
      return ScenarioProblem(.place(TextPlace(line: line, column: column)), "not YAML: " + problem)
    default: return ScenarioProblem(.start, "not YAML: \(error)")
    }
  }
}

extension ScenarioProblem.Source {
  static let start = ScenarioProblem.Source.place(TextPlace(line: 1, column: 1))
}

/// Gives each occurrence of a key a name of its own, as long as the key, so that places in the text stay.
private struct KeyMask {
  private var originals: [String: String] = [:]
  private var longest = 0
  private var next: UInt32 = KeyMask.range.lowerBound

  /// Letters for private use, of which a name is made.
  private static let range: Range<UInt32> = 0xf_0000..<0xf_f000

  /// Nil where the keys cannot be masked: where they are not found, or the text has such letters itself.
  mutating func apply(to text: String, keys: [String]) -> String? {
    let scalars = Array(text.unicodeScalars)
    if originals.isEmpty, scalars.contains(where: { KeyMask.range.contains($0.value) }) { return nil }
    var result = String.UnicodeScalarView()
    var index = 0
    var hasMasked = false
    let patterns = keys.map { Array($0.unicodeScalars) }.filter { !$0.isEmpty }
    while index < scalars.count {
      guard let key = patterns.first(where: { isKey($0, at: index, of: scalars) }), let name = newName(key.count) else {
        result.append(scalars[index])
        index += 1
        continue
      }
      originals[name] = string(key)
      longest = max(longest, key.count)
      result.append(contentsOf: name.unicodeScalars)
      index += key.count
      hasMasked = true
    }
    return hasMasked ? String(result) : nil
  }

  /// Whether `key` stands there, as a word that a colon follows.
  private func isKey(_ key: [Unicode.Scalar], at index: Int, of scalars: [Unicode.Scalar]) -> Bool {
    guard index + key.count < scalars.count, scalars[index] == key[0], scalars[index..<(index + key.count)].elementsEqual(key)
    else { return false }
    if index > 0, !" \t\n\r{[,-?'\"".unicodeScalars.contains(scalars[index - 1]) { return false }
    var end = index + key.count
    while end < scalars.count, " \t'\"".unicodeScalars.contains(scalars[end]) { end += 1 }
    return end < scalars.count && scalars[end] == ":"
  }

  private mutating func newName(_ length: Int) -> String? {
    guard let letter = Unicode.Scalar(next), next < KeyMask.range.upperBound else { return nil }
    next += 1
    return String(repeating: Character(letter), count: length)
  }

  private func string(_ scalars: [Unicode.Scalar]) -> String {
    var view = String.UnicodeScalarView()
    view.append(contentsOf: scalars)
    return String(view)
  }

  /// The text with all keys as they were.
  func unmasked(_ text: String) -> String {
    guard !originals.isEmpty, text.unicodeScalars.contains(where: { KeyMask.range.contains($0.value) }) else { return text }
    var result = String.UnicodeScalarView()
    var rest = Array(text.unicodeScalars)[...]
    while let first = rest.first {
      let run = rest.prefix { $0 == first }
      if KeyMask.range.contains(first.value), let original = originals[string(Array(run))] {
        result.append(contentsOf: original.unicodeScalars)
      } else {
        result.append(contentsOf: run)
      }
      rest = rest.dropFirst(run.count)
    }
    return String(result)
  }
}
