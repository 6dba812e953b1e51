/// Why a text is not a size.
public enum SizeTextError: Error, Hashable, Sendable {
  /// Nothing but a suffix, or nothing at all.
  case noDigits
  /// The unit is not one of `K M G T P E`, optionally followed by `iB` or `B`.
  case unknownUnit
  /// The amount needs more than 64 bits.
  case tooLarge
}

extension ByteCount {
  /// Reads a size as people write it: `4096`, `64K`, `2M`, `1G`, `16GiB`, `1gb`. Units are powers of 1024 and may be
  /// of either case.
  ///
  /// - Complexity: O(length of the text).
  public init(parsing text: some Sequence<UInt8>) throws(SizeTextError) {
    var value: UInt64 = 0
    var hasDigits = false
    var unit: [UInt8] = []
    for byte in text {
      if unit.isEmpty, let digit = decimalDigit(byte) {
        let (scaled, overflowed) = value.multipliedReportingOverflow(by: 10)
        let (sum, carried) = scaled.addingReportingOverflow(digit)
        guard !overflowed, !carried else { throw .tooLarge }
        value = sum
        hasDigits = true
      } else {
        unit.append(byte | 0x20)
        guard unit.count <= 3 else { throw .unknownUnit }
      }
    }
    guard hasDigits else { throw .noDigits }
    let shift = try unitShift(unit)
    guard value == 0 || value.leadingZeroBitCount >= shift else { throw .tooLarge }
    self.init(rawValue: value << UInt64(shift))
  }

  /// Reads a size as people write it. See ``init(parsing:)-(Sequence<UInt8>)``.
  public init(parsing text: String) throws(SizeTextError) { try self.init(parsing: text.utf8) }
}

func decimalDigit(_ byte: UInt8) -> UInt64? {
  byte >= 0x30 && byte <= 0x39 ? UInt64(byte - 0x30) : nil
}

/// The power of two that a lower-case unit stands for.
private func unitShift(_ unit: [UInt8]) throws(SizeTextError) -> Int {
  guard let first = unit.first else { return 0 }
  let b: UInt8 = 0x62
  let i: UInt8 = 0x69
  if first == b, unit.count == 1 { return 0 }
  let isSuffixed = unit.count == 1 || (unit.count == 2 && unit[1] == b) || (unit.count == 3 && unit[1] == i && unit[2] == b)
  guard isSuffixed, let power = unitLetters.firstIndex(of: first) else { throw .unknownUnit }
  return (power + 1) * 10
}

private let unitLetters: [UInt8] = [0x6b, 0x6d, 0x67, 0x74, 0x70, 0x65]

func sizeText(_ bytes: UInt64) -> String {
  guard bytes != 0 else { return "0" }
  let power = min(bytes.trailingZeroBitCount / 10, 6)
  let digits = String(bytes >> UInt64(power * 10))
  switch power {
  case 0: return digits
  case 1: return digits + "K"
  case 2: return digits + "M"
  case 3: return digits + "G"
  case 4: return digits + "T"
  case 5: return digits + "P"
  default: return digits + "E"
  }
}

func hexadecimal(_ value: UInt64) -> String { "0x" + String(value, radix: 16) }
