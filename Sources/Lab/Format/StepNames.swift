/// Goes through all steps, readable or not: names that they give, spaces that must be there before they are used, and what is added.
struct StepNames {
  private var spaces: Set<String> = []
  private var snapshots: Set<String> = []

  static func check(_ file: FileValue, _ reading: inout Reading) {
    var names = StepNames()
    reading.facts.adds = names.walk(file[["steps"]], &reading)
  }

  /// How often the steps add memory; more than 2^40 count as so many.
  private mutating func walk(_ steps: FileValue?, _ reading: inout Reading) -> UInt64 {
    var adds: UInt64 = 0
    for step in steps?.list ?? [] {
      if let space = step[["space"]] { use(space, &reading) }
      if let label = step[["snapshot"]], let text = label.text, !snapshots.insert(trim(text)).inserted {
        reading.report(label.source, "snapshot \(quote(trim(text))) is there twice")
      }
      if step[["add"]] != nil { adds += 1 }
      let times = step[["repeat", "times"]]?.text.flatMap { decimal($0) } ?? 1
      adds += min(walk(step[["repeat", "steps"]], &reading), 1 << 20) * min(times, 1 << 20)
    }
    return min(adds, 1 << 40)
  }

  private mutating func use(_ space: FileValue, _ reading: inout Reading) {
    guard let value = space[["name"]], let name = value.text else { return }
    if space[["map"]] != nil {
      spaces.insert(name)
    } else if !spaces.contains(name) {
      let allowed = spaces.isEmpty ? "none so far" : spaces.sorted().joined(separator: ", ")
      reading.report(
        value.source, "space \(quote(name)) has mapped nothing before", allowed: allowed,
        suggestion: suggestion(for: name, among: spaces.sorted()))
    }
    guard let fork = space[["fork"]], let child = fork.text else { return }
    if !spaces.insert(child).inserted { reading.report(fork.source, "space \(quote(child)) is there already") }
  }
}

extension FileValue {
  /// What lies at the end of a way of keys; nil where it ends before.
  fileprivate subscript(keys: [String]) -> FileValue? {
    var value = self
    for key in keys {
      guard let entry = value.entries?.first(where: { $0.key == key }) else { return nil }
      value = entry.value
    }
    return value
  }
}
