import MemoryUnits

/// A position in a piece of text, moving forward only. Nothing it meets can make it trap.
struct Scanner {
  var rest: ArraySlice<UInt8>

  init(_ text: ArraySlice<UInt8>) { rest = text }
  init(_ text: [UInt8]) { rest = text[...] }

  var isAtEnd: Bool { rest.isEmpty }
  var next: UInt8? { rest.first }

  mutating func skipSpaces() {
    while let byte = rest.first, byte == Ascii.space || byte == Ascii.tab { rest.removeFirst() }
  }

  mutating func skip(_ byte: UInt8) -> Bool {
    guard rest.first == byte else { return false }
    rest.removeFirst()
    return true
  }

  mutating func skip(_ literal: [UInt8]) -> Bool {
    guard rest.starts(with: literal) else { return false }
    rest.removeFirst(literal.count)
    return true
  }

  /// Digits of `radix`, or nil where there are none; throws nothing but reports more than 64 bits as `.tooLarge`.
  mutating func digits(radix: UInt64) -> NumberReading {
    var value: UInt64 = 0
    var hasDigits = false
    var isTooLarge = false
    while let byte = rest.first, let digit = Ascii.digit(byte), digit < radix {
      let (scaled, overflowed) = value.multipliedReportingOverflow(by: radix)
      let (sum, carried) = scaled.addingReportingOverflow(digit)
      isTooLarge = isTooLarge || overflowed || carried
      value = sum
      hasDigits = true
      rest.removeFirst()
    }
    guard hasDigits else { return .none }
    return isTooLarge ? .tooLarge : .value(value)
  }

  /// A number as kernels read them: decimal, `0x` hexadecimal, or octal after a leading 0.
  ///
  /// Linux: `simple_strtoull` with base 0.
  mutating func number() -> NumberReading {
    guard rest.first == Ascii.zero else { return digits(radix: 10) }
    let second = rest.dropFirst().first
    let third = rest.dropFirst(2).first
    if let second, second | 0x20 == Ascii.x, let third, Ascii.digit(third) != nil {
      rest.removeFirst(2)
      return digits(radix: 16)
    }
    return digits(radix: 8)
  }

  /// A number with an optional unit `K M G T P E` of either case, each step being 1024.
  ///
  /// Linux: `memparse`. What does not fit into 64 bits is refused here; a kernel drops the high bits.
  mutating func size() -> NumberReading {
    let reading = number()
    guard case .none = reading else { return scaled(reading) }
    return .none
  }

  private mutating func scaled(_ reading: NumberReading) -> NumberReading {
    guard let unit = rest.first, let power = Ascii.unitPower(unit) else { return reading }
    rest.removeFirst()
    guard case .value(let value) = reading else { return reading }
    let shift = 10 * power
    guard value == 0 || value.leadingZeroBitCount >= shift else { return .tooLarge }
    return .value(value << UInt64(shift))
  }
}

enum NumberReading {
  case none
  case tooLarge
  case value(UInt64)
}

enum Ascii {
  static let tab: UInt8 = 0x09
  static let newline: UInt8 = 0x0a
  static let carriageReturn: UInt8 = 0x0d
  static let space: UInt8 = 0x20
  static let exclamation: UInt8 = 0x21
  static let quote: UInt8 = 0x22
  static let hash: UInt8 = 0x23
  static let dollar: UInt8 = 0x24
  static let percent: UInt8 = 0x25
  static let plus: UInt8 = 0x2b
  static let comma: UInt8 = 0x2c
  static let minus: UInt8 = 0x2d
  static let zero: UInt8 = 0x30
  static let colon: UInt8 = 0x3a
  static let equals: UInt8 = 0x3d
  static let at: UInt8 = 0x40
  static let underscore: UInt8 = 0x5f
  static let x: UInt8 = 0x78

  /// The value of a digit of any radix up to 16.
  static func digit(_ byte: UInt8) -> UInt64? {
    switch byte {
    case 0x30...0x39: UInt64(byte - 0x30)
    case 0x41...0x46: UInt64(byte - 0x41 + 10)
    case 0x61...0x66: UInt64(byte - 0x61 + 10)
    default: nil
    }
  }

  /// How many steps of 1024 a unit letter stands for.
  static func unitPower(_ byte: UInt8) -> Int? {
    switch byte | 0x20 {
    case 0x6b: 1
    case 0x6d: 2
    case 0x67: 3
    case 0x74: 4
    case 0x70: 5
    case 0x65: 6
    default: nil
    }
  }

  /// White space as the kernel's character table has it, the no-break space of Latin-1 included.
  static func isSpace(_ byte: UInt8) -> Bool { byte == space || (byte >= tab && byte <= carriageReturn) || byte == 0xa0 }
}

/// The bytes of a literal.
func bytes(_ literal: String) -> [UInt8] { Array(literal.utf8) }

extension ArraySlice<UInt8> {
  /// What follows the first `marker`, or nil.
  func after(_ marker: [UInt8]) -> ArraySlice<UInt8>? {
    guard let first = marker.first, count >= marker.count else { return nil }
    var index = startIndex
    let last = endIndex - marker.count
    while index <= last {
      if self[index] == first, self[index...].starts(with: marker) { return self[(index + marker.count)...] }
      index += 1
    }
    return nil
  }

  var trimmed: ArraySlice<UInt8> {
    var slice = self
    while let byte = slice.first, Ascii.isSpace(byte) { slice.removeFirst() }
    while let byte = slice.last, Ascii.isSpace(byte) { slice.removeLast() }
    return slice
  }
}

/// Calls `body` with each line (without its end) and its number.
func forEachLine<Failure: Error>(
  of text: [UInt8], _ body: (ArraySlice<UInt8>, LineNumber) throws(Failure) -> Void
) throws(Failure) {
  var start = text.startIndex
  var number: UInt64 = 0
  while start < text.endIndex {
    let end = text[start...].firstIndex(of: Ascii.newline) ?? text.endIndex
    number += 1
    var line = text[start..<end]
    if line.last == Ascii.carriageReturn { line.removeLast() }
    try body(line, LineNumber(number))
    start = end + 1
  }
}
