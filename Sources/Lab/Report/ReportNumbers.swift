/// How numbers of a run are written for people; the page's script has the same rules (`PageScript.base`).
enum ReportNumbers {
  /// `23.5 GiB`, `384 MiB`, `12 bytes`: at most one decimal, cut off.
  static func bytes(_ value: UInt64) -> String {
    let units: [(shift: UInt64, name: String)] = [(50, "PiB"), (40, "TiB"), (30, "GiB"), (20, "MiB"), (10, "KiB")]
    for unit in units where value >> unit.shift != 0 {
      let whole = value >> unit.shift
      let tenths = ((value & ((1 << unit.shift) - 1)) * 10) >> unit.shift
      return whole >= 100 || tenths == 0 ? "\(whole) \(unit.name)" : "\(whole).\(tenths) \(unit.name)"
    }
    return value == 1 ? "1 byte" : "\(value) bytes"
  }

  /// `12,345`
  static func count(_ value: UInt64) -> String {
    let digits = Array(String(value))
    var text = ""
    for (index, digit) in digits.enumerated() {
      if index > 0, (digits.count - index) % 3 == 0 { text.append(",") }
      text.append(digit)
    }
    return text
  }

  /// Hundredths of a percent: `12.5 %`, `0.07 %`.
  static func percent(_ basisPoints: UInt64) -> String {
    let rest = basisPoints % 100
    let whole = count(basisPoints / 100)
    if rest == 0 { return "\(whole) %" }
    return rest % 10 == 0 ? "\(whole).\(rest / 10) %" : "\(whole).\(rest < 10 ? "0" : "")\(rest) %"
  }

  /// `1d 2h`, `15m`, `0s`: the two largest units that say something; what is smaller is cut off.
  static func seconds(_ value: UInt64) -> String {
    var rest = value
    var parts: [String] = []
    for unit in Seconds.units where parts.count < 2 {
      let amount = rest / unit.size
      rest %= unit.size
      if amount > 0 { parts.append("\(amount)\(unit.name)") } else if !parts.isEmpty { break }
    }
    return parts.isEmpty ? "0s" : parts.joined(separator: " ")
  }

  static func value(_ value: UInt64, _ unit: RunTrace.Unit) -> String {
    switch unit {
    case .bytes: bytes(value)
    case .pages: value == 1 ? "1 page" : "\(count(value)) pages"
    case .count: count(value)
    case .basisPoints: percent(value)
    }
  }

  static func address(_ value: UInt64) -> String { "0x" + String(value, radix: 16) }
}

extension RunTrace.Unit {
  /// A value in the unit, where its counter's name says what it counts: `15.6 GiB`, `33.74 %`, `5375`.
  public func text(_ value: UInt64) -> String {
    switch self {
    case .bytes: ReportNumbers.bytes(value)
    case .pages, .count: "\(value)"
    case .basisPoints: ReportNumbers.percent(value)
    }
  }

  /// A heading over numbers of this unit.
  var heading: String {
    switch self {
    case .bytes: "Bytes"
    case .pages: "Pages"
    case .count: "Counts"
    case .basisPoints: "Shares"
    }
  }
}

extension RunTrace.Event.Outcome {
  /// As a reader says it.
  var word: String {
    switch self {
    case .done: "done"
    case .inPart: "in part"
    case .failed: "failed"
    }
  }
}

extension RunTrace {
  /// One sentence on how the steps ended.
  var verdict: String {
    let failed = events.count { $0.outcome == .failed }
    let inPart = events.count { $0.outcome == .inPart }
    let steps = events.count == 1 ? "1 step" : "\(events.count) steps"
    if events.isEmpty { return "No steps." }
    let part = inPart == 0 ? "" : ", \(inPart) in part"
    return failed == 0 ? "All of \(steps) came true\(part)." : "\(failed) of \(steps) failed\(part)."
  }
}
