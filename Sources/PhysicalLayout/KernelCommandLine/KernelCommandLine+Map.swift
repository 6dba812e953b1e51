import MemoryUnits

extension KernelCommandLine {
  /// Linux: `parse_memopt`.
  mutating func applyMem(_ value: [UInt8]) -> CommandLineProblem.Reason? {
    if value == MapWords.noPentium { return nil }
    var scanner = Scanner(value)
    switch scanner.size() {
    case .none, .value(0): return .noNumber
    case .tooLarge: return .tooLarge
    case .value(let limit): mapDirectives.append(.limit(PhysicalAddress(limit)))
    }
    return nil
  }

  /// Several directives may follow each other after commas; the first problem is told, the others still apply.
  ///
  /// Linux: `parse_memmap_opt`.
  mutating func applyMemmap(_ value: [UInt8]) -> CommandLineProblem.Reason? {
    var problem: CommandLineProblem.Reason?
    for part in value.split(separator: Ascii.comma, omittingEmptySubsequences: false) {
      let reason = applyMemmapPart(part)
      problem = problem ?? reason
    }
    return problem
  }

  private mutating func applyMemmapPart(_ part: ArraySlice<UInt8>) -> CommandLineProblem.Reason? {
    if part.starts(with: MapWords.exactmap) {
      mapDirectives.append(.exact)
      return nil
    }
    var scanner = Scanner(part)
    let size: UInt64
    switch scanner.size() {
    case .none: return .noNumber
    case .tooLarge: return .tooLarge
    case .value(let value): size = value
    }
    guard let sign = scanner.next else {
      mapDirectives.append(.limit(PhysicalAddress(size)))
      return nil
    }
    guard sign == Ascii.percent || MapWords.kind(of: sign) != nil else {
      // The kernel takes the number for a limit and only then finds fault with what follows.
      mapDirectives.append(.limit(PhysicalAddress(size)))
      return .trailingText
    }
    scanner.rest.removeFirst()
    let start: UInt64
    switch scanner.size() {
    case .none: return .noNumber
    case .tooLarge: return .tooLarge
    case .value(let value): start = value
    }
    guard let range = PhysicalRange(checkedStart: PhysicalAddress(start), count: ByteCount(size)) else { return .tooLarge }
    if let kind = MapWords.kind(of: sign) {
      mapDirectives.append(.add(range, kind))
      return scanner.isAtEnd ? nil : .trailingText
    }
    return applyConversion(of: range, &scanner)
  }

  /// The types after `nn%ss`: `-old`, `+new`, both, or none. Type 0 is as good as none.
  private mutating func applyConversion(of range: PhysicalRange, _ scanner: inout Scanner) -> CommandLineProblem.Reason? {
    var old: UInt32 = 0
    var new: UInt32 = 0
    if scanner.skip(Ascii.minus), let reason = scanner.firmwareType(into: &old) { return reason }
    if scanner.skip(Ascii.plus), let reason = scanner.firmwareType(into: &new) { return reason }
    guard scanner.isAtEnd else { return .trailingText }
    switch (old, new) {
    case (0, 0): mapDirectives.append(.remove(range, nil))
    case (0, _): mapDirectives.append(.add(range, MemoryKind(firmwareType: new)))
    case (_, 0): mapDirectives.append(.remove(range, MemoryKind(firmwareType: old)))
    default:
      mapDirectives.append(.convert(range, from: MemoryKind(firmwareType: old), to: MemoryKind(firmwareType: new)))
    }
    return nil
  }

  /// Linux: `early_cma`.
  mutating func applyContiguousArea(_ value: [UInt8]) -> CommandLineProblem.Reason? {
    var scanner = Scanner(value)
    var numbers: [UInt64] = []
    for separator in [nil, Ascii.at, Ascii.minus] {
      if let separator, !scanner.skip(separator) { break }
      switch scanner.size() {
      case .none: return .noNumber
      case .tooLarge: return .tooLarge
      case .value(let number): numbers.append(number)
      }
    }
    contiguousArea = ContiguousAreaRequest(
      size: ByteCount(numbers[0]), start: numbers.count > 1 ? PhysicalAddress(numbers[1]) : nil,
      end: numbers.count > 2 ? PhysicalAddress(numbers[2]) : nil)
    return scanner.isAtEnd ? nil : .trailingText
  }

  /// Linux: `cmdline_parse_kernelcore`, `cmdline_parse_movablecore`.
  static func read(
    _ value: [UInt8], into place: inout CoreAmount?, allowingMirror: Bool
  ) -> CommandLineProblem.Reason? {
    if allowingMirror, value == MapWords.mirror {
      place = .mirror
      return nil
    }
    var scanner = Scanner(value)
    switch scanner.size() {
    case .none: return .noNumber
    case .tooLarge: return .tooLarge
    case .value(let number):
      guard scanner.skip(Ascii.percent) else {
        place = .size(ByteCount(number))
        return scanner.isAtEnd ? nil : .trailingText
      }
      guard number <= 100 else { return .percentAbove100 }
      place = .percent(Percent(number))
    }
    return nil
  }

  /// Linux: `numa_setup`, `numa_emu_cmdline`.
  mutating func applyNuma(_ value: [UInt8]) -> CommandLineProblem.Reason? {
    var scanner = Scanner(value)
    if scanner.skip(MapWords.off) {
      nodeOption = .off
    } else if scanner.skip(MapWords.noFirmware) {
      nodeOption = .ignoresFirmware
    } else if scanner.skip(MapWords.fake) {
      return applyEmulation(&scanner)
    } else {
      return .unknownWord
    }
    return nil
  }

  private mutating func applyEmulation(_ scanner: inout Scanner) -> CommandLineProblem.Reason? {
    let text = scanner.rest
    let isPerNode = text.contains(MapWords.perNode)
    let isSize = !isPerNode && (text.contains(MapWords.mebi) || text.contains(MapWords.gibi))
    switch isSize ? scanner.size() : scanner.number() {
    case .none: return .noNumber
    case .tooLarge: return .tooLarge
    case .value(let number):
      if isPerNode {
        nodeOption = .emulated(.perNode(NodeCount(number)))
      } else {
        nodeOption = .emulated(isSize ? .size(ByteCount(number)) : .count(NodeCount(number)))
      }
    }
    return nil
  }
}

extension Scanner {
  fileprivate mutating func firmwareType(into type: inout UInt32) -> CommandLineProblem.Reason? {
    switch number() {
    case .none: return .noNumber
    case .tooLarge: return .tooLarge
    case .value(let value):
      guard let narrow = UInt32(exactly: value) else { return .tooLarge }
      type = narrow
      return nil
    }
  }
}

private enum MapWords {
  static let noPentium = bytes("nopentium")
  static let exactmap = bytes("exactmap")
  static let mirror = bytes("mirror")
  static let off = bytes("off")
  static let noFirmware = bytes("noacpi")
  static let fake = bytes("fake=")
  static let perNode: UInt8 = 0x55
  static let mebi: UInt8 = 0x4d
  static let gibi: UInt8 = 0x47

  static func kind(of sign: UInt8) -> MemoryKind? {
    switch sign {
    case Ascii.at: .usable
    case Ascii.hash: .acpiReclaimable
    case Ascii.dollar: .reserved
    case Ascii.exclamation: .persistentLegacy
    default: nil
    }
  }
}
