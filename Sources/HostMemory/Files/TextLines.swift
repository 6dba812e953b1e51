import PhysicalLayout

/// The lines of a text with their numbers, counted from 1.
///
/// Files of `/proc` are bytes; nothing here assumes that they are well-formed text.
struct TextLines: Sequence, IteratorProtocol {
  private var rest: ArraySlice<UInt8>
  private var number: UInt64 = 0

  init(_ content: [UInt8]) { rest = content[...] }

  mutating func next() -> (number: LineNumber, line: ArraySlice<UInt8>)? {
    guard !rest.isEmpty else { return nil }
    number += 1
    guard let end = rest.firstIndex(of: 0x0a) else {
      defer { rest = [] }
      return (LineNumber(number), rest)
    }
    defer { rest = rest[(end + 1)...] }
    return (LineNumber(number), rest[..<end])
  }
}

extension ArraySlice<UInt8> {
  /// The parts between blanks.
  var fields: [ArraySlice<UInt8>] { split(whereSeparator: { $0 == 0x20 || $0 == 0x09 || $0 == 0x0d }) }

  /// The number that the bytes spell in base ten; nil where they do not, or it needs more than 64 bits.
  var decimal: UInt64? { number(base: 10) }

  var hexadecimal: UInt64? { number(base: 16) }

  private func number(base: UInt64) -> UInt64? {
    guard !isEmpty else { return nil }
    var value: UInt64 = 0
    for byte in self {
      guard let digit = byte.digit, digit < base else { return nil }
      let (scaled, overflowed) = value.multipliedReportingOverflow(by: base)
      let (sum, carried) = scaled.addingReportingOverflow(digit)
      guard !overflowed, !carried else { return nil }
      value = sum
    }
    return value
  }

  /// Without blanks at both ends.
  var trimmed: ArraySlice<UInt8> {
    var slice = self
    while let first = slice.first, first == 0x20 || first == 0x09 { slice = slice.dropFirst() }
    while let last = slice.last, last == 0x20 || last == 0x09 || last == 0x0d { slice = slice.dropLast() }
    return slice
  }

  var text: String { String(decoding: self, as: UTF8.self) }

  func starts(with prefix: StaticString) -> Bool {
    guard count >= prefix.utf8CodeUnitCount else { return false }
    return prefix.withUTF8Buffer { elementsEqual($0, until: prefix.utf8CodeUnitCount) }
  }

  private func elementsEqual(_ other: UnsafeBufferPointer<UInt8>, until length: Int) -> Bool {
    prefix(length).elementsEqual(other)
  }

  static func == (slice: ArraySlice<UInt8>, text: StaticString) -> Bool {
    slice.count == text.utf8CodeUnitCount && slice.starts(with: text)
  }
}

extension UInt8 {
  /// The value of a hexadecimal digit.
  fileprivate var digit: UInt64? {
    switch self {
    case 0x30...0x39: UInt64(self - 0x30)
    case 0x41...0x46: UInt64(self - 0x41 + 10)
    case 0x61...0x66: UInt64(self - 0x61 + 10)
    default: nil
    }
  }
}
