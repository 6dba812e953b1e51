/// Something that is wrong in a scenario file, and what is allowed there.
public struct ScenarioProblem: Error, Hashable, Sendable, CustomStringConvertible {
  /// Where a value came from.
  public enum Source: Hashable, Sendable {
    /// The file.
    case place(TextPlace)
    /// An override, by its key.
    case override(String)
  }

  public var source: Source
  /// What is wrong: `unknown key 'mobilty'`.
  public var text: String
  /// What could stand there instead; nil where the text says it.
  public var allowed: String?
  /// The allowed word that was probably meant.
  public var suggestion: String?

  public init(_ source: Source, _ text: String, allowed: String? = nil, suggestion: String? = nil) {
    self.source = source
    self.text = text
    self.allowed = allowed
    self.suggestion = suggestion
  }

  /// `12:7: unknown key 'mobilty'; allowed here: mobility, sizes (did you mean 'mobility'?)`
  public var description: String { description(in: "") }

  /// The same behind the file's name: `day.yaml:12:7: ...`. An override names its key instead of the file.
  public func description(in file: String) -> String {
    var line: String
    switch source {
    case .place(let place): line = (file.isEmpty ? "" : file + ":") + "\(place.line):\(place.column): " + text
    case .override(let key): line = "override \(key): " + text
    }
    if let allowed { line += "; allowed here: " + allowed }
    if let suggestion { line += " (did you mean '\(suggestion)'?)" }
    return line
  }
}

/// All that is wrong in a file, in the file's order; what overrides brought comes last.
public struct ScenarioProblems: Error, Hashable, Sendable, CustomStringConvertible {
  /// The file's name as it was given.
  public var file: String
  /// Never empty.
  public var problems: [ScenarioProblem]

  /// A line for each.
  public var description: String { problems.map { $0.description(in: file) }.joined(separator: "\n") }
}

/// The word of `words` that somebody probably meant who wrote `word`: at most a third of its letters differ. Nil for none.
///
/// - Complexity: O(letters of the word * letters of all words).
func suggestion(for word: String, among words: [String]) -> String? {
  let letters = Array(word.lowercased().prefix(64))
  var best: (word: String, distance: Int)?
  for candidate in words {
    let distance = editDistance(letters, Array(candidate.lowercased()))
    if distance <= max(1, candidate.count / 3), distance < candidate.count, distance < best?.distance ?? .max {
      best = (candidate, distance)
    }
  }
  return best?.word
}

/// Letters to insert, to take away, to change, or neighbours to swap, until one word is the other.
private func editDistance(_ left: [Character], _ right: [Character]) -> Int {
  guard !left.isEmpty, !right.isEmpty else { return max(left.count, right.count) }
  var beforeLast: [Int] = []
  var last = Array(0...right.count)
  for row in 1...left.count {
    var current = [row]
    for column in 1...right.count {
      let isSame = left[row - 1] == right[column - 1]
      var cost = min(current[column - 1] + 1, last[column] + 1, last[column - 1] + (isSame ? 0 : 1))
      if row > 1, column > 1, left[row - 1] == right[column - 2], left[row - 2] == right[column - 1] {
        cost = min(cost, beforeLast[column - 2] + 1)
      }
      current.append(cost)
    }
    (beforeLast, last) = (last, current)
  }
  return last[right.count]
}
