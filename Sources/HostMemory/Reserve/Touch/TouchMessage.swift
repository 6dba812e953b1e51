import MemoryUnits

/// How a parent tells its toucher the limits, and the toucher its parent what it did.
public enum TouchMessage {
  /// `NODES MARGIN MILLISECONDS`, `-` for what is not given.
  public static func arguments(_ limits: TouchLimits) -> [String] {
    let time = limits.time.map { String($0.components.seconds * 1000 + $0.components.attoseconds / 1_000_000_000_000_000) }
    return [
      limits.nodes.map(\.description).joined(separator: ","), limits.margin.map { String($0.rawValue) } ?? "-", time ?? "-",
    ]
  }

  /// Nil where the arguments are none of the above.
  public static func limits(_ arguments: [String]) -> TouchLimits? {
    guard arguments.count == 3 else { return nil }
    let nodes = arguments[0].split(separator: ",").map { UInt32($0).map(NodeID.init(_:)) }
    let margin = UInt64(arguments[1]).map(ByteCount.init(_:))
    let time = UInt64(arguments[2]).map { Duration.milliseconds($0) }
    guard !nodes.isEmpty, !nodes.contains(nil), margin != nil || arguments[1] == "-", time != nil || arguments[2] == "-" else {
      return nil
    }
    return TouchLimits(nodes: nodes.compactMap(\.self), margin: margin, time: time)
  }

  /// `touched BYTES END`
  public static func text(_ report: TouchReport) -> String { "touched \(report.touched.rawValue) \(report.end.rawValue)\n" }

  static func report(_ text: String) -> TouchReport? {
    let words = text.split(whereSeparator: \.isWhitespace)
    guard words.count == 3, words[0] == "touched", let bytes = UInt64(words[1]),
      let end = TouchReport.End(rawValue: String(words[2]))
    else { return nil }
    return TouchReport(touched: ByteCount(bytes), end: end)
  }
}
