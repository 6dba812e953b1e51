extension FileValue {
  /// Sets what lies at the end of a path, maps on the way made where they are missing. Gives what is wrong with the path or the value.
  mutating func override(_ path: String, with text: String) -> ScenarioProblem? {
    let source = ScenarioProblem.Source.override(path)
    let keys = path.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
    guard keys.allSatisfy({ !$0.isEmpty }) else {
      return ScenarioProblem(source, "\(quote(path)) is no path", allowed: "keys and indices from 0 on, with points between")
    }
    let (value, problems) = trim(text).isEmpty ? (FileValue(.scalar("", .plain), source), []) : YAMLText.read(text)
    guard let value, problems.isEmpty else {
      return ScenarioProblem(source, "\(quote(text)) is no value: \(problems.first?.text ?? "it is empty")")
    }
    return set(value.moved(to: source), at: keys[...], source, walked: "")
  }

  private mutating func set(
    _ value: FileValue, at keys: ArraySlice<String>, _ source: ScenarioProblem.Source, walked: String
  ) -> ScenarioProblem? {
    guard let key = keys.first else {
      self = value
      return nil
    }
    let way = walked.isEmpty ? key : walked + "." + key
    switch content {
    case .map(var entries):
      if let index = entries.firstIndex(where: { $0.key == key }) {
        if let problem = entries[index].value.set(value, at: keys.dropFirst(), source, walked: way) { return problem }
      } else {
        var made = FileValue(.map([]), source)
        if let problem = made.set(value, at: keys.dropFirst(), source, walked: way) { return problem }
        entries.append(Entry(key: key, source: source, value: made))
      }
      content = .map(entries)
      return nil
    case .list(var values):
      guard let index = decimal(key).flatMap({ Int(exactly: $0) }), values.indices.contains(index) else {
        let allowed = values.isEmpty ? "none: it is empty" : "0 to \(values.count - 1)"
        return ScenarioProblem(source, "\(quote(walked)) is a list without a place \(quote(key))", allowed: allowed)
      }
      if let problem = values[index].set(value, at: keys.dropFirst(), source, walked: way) { return problem }
      content = .list(values)
      return nil
    case .scalar where isNothing:
      self = FileValue(.map([]), source)
      return set(value, at: keys, source, walked: walked)
    case .scalar:
      return ScenarioProblem(source, "\(quote(walked)) is \(quoted), which has no key \(quote(key))")
    }
  }
}
