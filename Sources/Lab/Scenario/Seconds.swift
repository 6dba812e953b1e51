public import MemoryUnits

/// A stretch of a scenario's own time, in seconds: no clock is ever read.
@frozen public struct Seconds: Amount, Codable {
  public let rawValue: UInt64
  @inlinable public init(rawValue: UInt64) { self.rawValue = rawValue }

  /// `90s`, `15m`, `36h`, `7d`: the largest unit that divides it.
  public var description: String {
    guard rawValue != 0 else { return "0s" }
    for (unit, size) in Self.units where rawValue % size == 0 { return "\(rawValue / size)\(unit)" }
    return "\(rawValue)s"
  }

  static let units: [(name: String, size: UInt64)] = [("d", 86_400), ("h", 3600), ("m", 60), ("s", 1)]

  /// Reads what ``description`` prints, also several parts (`1d12h`); a number without a unit is of seconds.
  public init?(parsing text: String) {
    var total: UInt64 = 0
    var digits = ""
    var hasPart = false
    for character in text {
      if character.isASCII, character.isNumber {
        digits.append(character)
        continue
      }
      guard let size = Self.units.first(where: { $0.name == String(character) })?.size, let value = UInt64(digits) else {
        return nil
      }
      let (product, overflows) = value.multipliedReportingOverflow(by: size)
      let (sum, overflowsToo) = total.addingReportingOverflow(product)
      guard !overflows, !overflowsToo else { return nil }
      total = sum
      digits = ""
      hasPart = true
    }
    if !digits.isEmpty {
      guard !hasPart, let value = UInt64(digits) else { return nil }
      total = value
      hasPart = true
    }
    guard hasPart else { return nil }
    self.init(rawValue: total)
  }
}
