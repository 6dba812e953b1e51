/// Numbers in the text form that Prometheus and others read.
///
/// Only gauges: of these OpenMetrics 1.0 and the older Prometheus text are the same but for the last line, which the older form
/// takes for a comment.
public struct MetricText: Sendable {
  /// What a number is of, for example `("size", "1G")`.
  public typealias Label = (name: StaticString, value: String)

  private var text = ""

  public init() {}

  /// A family of numbers: what it tells, then a line for each.
  ///
  /// - Parameters:
  ///   - name: letters, digits and underscores; ends with the unit where there is one.
  ///   - help: one line.
  public mutating func gauge(
    _ name: StaticString, help: StaticString, unit: StaticString? = nil, _ samples: [(labels: [Label], value: String)]
  ) {
    guard !samples.isEmpty else { return }
    text += "# HELP \(name) \(help)\n# TYPE \(name) gauge\n"
    if let unit { text += "# UNIT \(name) \(unit)\n" }
    for sample in samples {
      text += "\(name)"
      if !sample.labels.isEmpty {
        text += "{" + sample.labels.map { "\($0.name)=\"\(Self.escaped($0.value))\"" }.joined(separator: ",") + "}"
      }
      text += " \(sample.value)\n"
    }
  }

  /// The whole, with its end.
  public var document: String { text + "# EOF\n" }

  static func escaped(_ value: String) -> String {
    var escaped = ""
    for scalar in value.unicodeScalars {
      switch scalar {
      case "\\": escaped += "\\\\"
      case "\"": escaped += "\\\""
      case "\n": escaped += "\\n"
      default: escaped.unicodeScalars.append(scalar)
      }
    }
    return escaped
  }
}
