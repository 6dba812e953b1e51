import MemoryUnits

/// How expectations are written: `obtainable.1G >= 8`.
enum ExpectationForm {
  static let expected =
    "a counter, a comparison and a value, such as obtainable.1G >= 8, free > 4G, or huge-success >= 95.5%"

  static let form = Form<Expectation>(
    .pattern(
      "^[ \\t]*[a-z-]+(\\.[0-9A-Za-z]+)?[ \\t]*(<=|>=|==|<|>)[ \\t]*[0-9][0-9A-Za-z.]*[ \\t]*%?[ \\t]*$", numbers: nil,
      expected: expected, plural: "expectations")
  ) { value, reading in
    guard let text = value.text, let parts = split(text) else {
      reading.report(value.source, "\(value.quoted) is no expectation", allowed: expected)
      return nil
    }
    guard let (counter, size) = counter(parts.name, value, &reading) else { return nil }
    if let size {
      reading.later { facts in
        facts.problem(with: size, of: counter).map { ScenarioProblem(value.source, $0.text, allowed: $0.allowed) }
      }
    }
    guard let number = counter.unit.value(of: parts.value) else {
      reading.report(value.source, "\(quote(parts.value)) is no value of \(counter.name)", allowed: counter.unit.expected)
      return nil
    }
    return Expectation(counter.name(size), parts.comparison, number)
  }

  private static func counter(_ name: String, _ value: FileValue, _ reading: inout Reading) -> (RunCounter, PageSize?)? {
    if let known = RunCounter.named(name) { return known }
    let stem = String(name.prefix { $0 != "." })
    guard let counter = RunCounter.all.first(where: { $0.name == stem }) else {
      let meant = suggestion(for: stem, among: RunCounter.names)
      let names = RunCounter.all.map { $0.takesSize ? $0.name + ".SIZE" : $0.name }
      reading.report(value.source, "unknown counter \(quote(name))", allowed: names.joined(separator: ", "), suggestion: meant)
      return nil
    }
    if counter.takesSize {
      reading.report(value.source, "counter \(quote(name)) needs a page size, as in \(counter.name).2M")
    } else {
      reading.report(value.source, "counter \(quote(stem)) takes no page size")
    }
    return nil
  }

  private static func split(_ text: String) -> (name: String, comparison: Expectation.Comparison, value: String)? {
    guard let start = text.firstIndex(where: { "<>=".contains($0) }) else { return nil }
    let sign = String(text[start...].prefix { "<>=".contains($0) })
    guard let comparison = Expectation.Comparison(rawValue: sign) else { return nil }
    let name = trim(String(text[..<start]))
    let value = trim(String(text[start...].dropFirst(sign.count)))
    return name.isEmpty || value.isEmpty ? nil : (name, comparison, value)
  }
}

extension Reading.Facts {
  /// Why a counter does not count the size; nil where it does, or where it is not known.
  fileprivate func problem(with size: PageSize, of counter: RunCounter) -> (text: String, allowed: String)? {
    let counted: [PageSize]
    switch sampled {
    case .these(let sizes): counted = sizes
    case .all:
      guard let architecture else { return nil }
      counted = architecture.hugeSizes
    case .unknown: return nil
    }
    if !counted.contains(size) {
      let sizes = counted.map(\.description).joined(separator: ", ")
      return ("pages of \(size) are not counted", sizes + "; or name the size in sampling.sizes")
    }
    guard counter.name == RunCounter.poolName, let architecture, !architecture.hugeSizes.contains(size) else { return nil }
    let sizes = architecture.hugeSizes.map(\.description).joined(separator: ", ")
    return ("\(architecture.name) has no huge pages of \(size)", sizes)
  }
}

extension RunTrace.Unit {
  /// What a value of the unit looks like.
  fileprivate var expected: String {
    switch self {
    case .bytes: "a size such as 512M or 4G, or 0"
    case .pages, .count: "a whole number"
    case .basisPoints: "a share such as 34% or 33.25%"
    }
  }

  fileprivate func value(of text: String) -> UInt64? {
    switch self {
    case .bytes: return (try? ByteCount(parsing: text))?.rawValue
    case .pages, .count: return decimal(text)
    case .basisPoints: return text.last == "%" ? readHundredths(trim(String(text.dropLast()))) : nil
    }
  }
}
