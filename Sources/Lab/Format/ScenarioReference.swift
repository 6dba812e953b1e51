extension ScenarioFile {
  /// The reference of the format in Markdown: a section for each map with known keys, made from the description that files are read by.
  static var reference: String {
    var reference = Reference()
    reference.add(ScenarioForm.form.shape)
    reference.add(StepForm.step.shape)
    return reference.sections.joined(separator: "\n") + "\n" + counters
  }

  private static var counters: String {
    var lines = [
      "### Counters", "", "What `expect` can ask for; `SIZE` is a page size.", "", "| counter | unit | what |", "|---|---|---|",
    ]
    for counter in RunCounter.all {
      let unit =
        switch counter.unit {
        case .bytes: "bytes"
        case .pages: "pages"
        case .count: "number"
        case .basisPoints: "percent"
        }
      lines.append("| `\(counter.name)\(counter.takesSize ? ".SIZE" : "")` | \(unit) | \(counter.text) |")
    }
    return lines.joined(separator: "\n") + "\n"
  }
}

/// Sections, each map with known keys once, in the order in which they are met.
private struct Reference {
  private(set) var sections: [String] = []
  private var names: Set<String> = []

  mutating func add(_ shape: Shape) {
    switch shape {
    case .object(let object):
      guard names.insert(object.name).inserted else { return }
      sections.append(section(object))
      for field in object.fields { add(field.shape) }
    case .either(let shapes):
      for shape in shapes { add(shape) }
    case .list(let element, _): add(element)
    case .table(_, let values): add(values)
    default: break
    }
  }

  private func section(_ object: ObjectShape) -> String {
    var lines = ["### `\(object.name)`", "", object.text, "", "| key | value | what |", "|---|---|---|"]
    for field in object.fields {
      let key = "`\(field.key)`" + (field.isRequired ? " (required)" : "")
      lines.append("| \(key) | \(words(field.shape)) | \(field.text) |")
    }
    for rule in object.rules {
      switch rule {
      case .exactlyOne(let keys): lines += ["", "Exactly one of " + list(keys) + "."]
      case .atMostOne(let keys): lines += ["", "At most one of " + list(keys) + "."]
      case .needs(let key, let other): lines += ["", "`\(key)` only with `\(other)`."]
      }
    }
    return lines.joined(separator: "\n") + "\n"
  }

  private func list(_ keys: [String]) -> String { keys.map { "`\($0)`" }.joined(separator: ", ") }

  private func words(_ shape: Shape) -> String {
    switch shape {
    case .truth: "`true`, `false`"
    case .yes: "`true`"
    case .words(let words): list(words)
    case .object(let object): "[\(object.name)](#\(object.name))"
    case .either(let shapes): shapes.map { words($0) }.joined(separator: ", or ")
    case .list(.named(let name), _): "a list of [\(name)s](#\(name))"
    case .table(let keys, .either(let shapes)): "a map of \(keys.plural): " + shapes.map { words($0) }.joined(separator: " or ")
    default: shape.expected
    }
  }
}
