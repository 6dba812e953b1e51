/// One parameter of a kernel command line.
///
/// Linux: `next_arg`.
public struct CommandLineParameter: Hashable, Sendable {
  /// As it stands on the command line, quotes included.
  public let text: [UInt8]
  /// Up to the first `=`, with `-` read as `_`, which the kernel takes for the same.
  public let name: [UInt8]
  /// After the first `=`, quotes around it taken off; nil without `=`.
  public let value: [UInt8]?

  /// Splits a command line at white space outside quotes. What follows a lone `--` belongs to the first process.
  ///
  /// - Complexity: O(length of the text).
  static func split(_ text: [UInt8]) -> [CommandLineParameter] {
    // The kernel's text ends at the first zero byte.
    let commandLine = text.prefix { $0 != 0 }
    var parameters: [CommandLineParameter] = []
    var index = commandLine.startIndex
    while index < commandLine.endIndex {
      guard !Ascii.isSpace(commandLine[index]) else {
        index += 1
        continue
      }
      let start = index
      var equals: Int?
      var isQuoted = false
      while index < commandLine.endIndex, isQuoted || !Ascii.isSpace(commandLine[index]) {
        if commandLine[index] == Ascii.quote { isQuoted.toggle() }
        if commandLine[index] == Ascii.equals, equals == nil { equals = index }
        index += 1
      }
      let parameter = CommandLineParameter(commandLine[start..<index], equals: equals)
      if parameter.text == CommandLineParameter.endOfKernelPart { break }
      parameters.append(parameter)
    }
    return parameters
  }

  private init(_ text: ArraySlice<UInt8>, equals: Int?) {
    self.text = Array(text)
    var whole = text
    // A quote at the very start opens name and value together.
    if whole.first == Ascii.quote {
      whole.removeFirst()
      if whole.last == Ascii.quote { whole.removeLast() }
    }
    guard let equals, equals >= whole.startIndex, equals < whole.endIndex else {
      name = whole.map { $0 == Ascii.minus ? Ascii.underscore : $0 }
      value = nil
      return
    }
    name = whole[whole.startIndex..<equals].map { $0 == Ascii.minus ? Ascii.underscore : $0 }
    var inner = whole[(equals + 1)...]
    if inner.first == Ascii.quote {
      inner.removeFirst()
      if inner.last == Ascii.quote { inner.removeLast() }
    }
    value = Array(inner)
  }

  private static let endOfKernelPart = bytes("--")
}
