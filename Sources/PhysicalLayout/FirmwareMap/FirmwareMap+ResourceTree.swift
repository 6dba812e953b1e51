import MemoryUnits

extension FirmwareMap {
  /// Reads the machine's resource tree, the text of `/proc/iomem`. Entries inside others say how a range is used and
  /// are passed over, and so are devices.
  ///
  /// Linux: `/proc/iomem`.
  ///
  /// - Complexity: O(length of the text).
  public init(resourceTree text: [UInt8]) throws(FirmwareMapError) {
    var entries: [Entry] = []
    var hasAddress = false
    var hasLine = false
    try forEachLine(of: text) { (line, number) throws(FirmwareMapError) in
      guard !line.trimmed.isEmpty else { return }
      let isNested = line.first == Ascii.space || line.first == Ascii.tab
      var scanner = Scanner(line.trimmed)
      let bounds: PhysicalRange
      switch scanner.inclusiveRange() {
      case .success(let range): bounds = range
      case .failure(let problem): throw .malformed(line: number, reason: problem)
      }
      hasLine = true
      // A tree without addresses shows `00000000-00000000` on each line.
      hasAddress = hasAddress || bounds.start > .zero || bounds.end > PhysicalAddress(1)
      scanner.skipSpaces()
      guard scanner.skip(Ascii.colon) else { throw .malformed(line: number, reason: .noSeparator) }
      scanner.skipSpaces()
      guard !isNested, let kind = MemoryKind(resourceName: scanner.rest.trimmed) else { return }
      entries.append(Entry(bounds, kind))
    }
    guard hasLine else { throw .noEntries }
    guard hasAddress else { throw .addressesHidden }
    guard !entries.isEmpty else { throw .noEntries }
    self.init(entries)
  }
}

extension MemoryKind {
  fileprivate init?(resourceName name: ArraySlice<UInt8>) {
    for (text, kind) in MemoryKind.resourceNames where name.elementsEqual(text) {
      self = kind
      return
    }
    return nil
  }

  private static let resourceNames: [([UInt8], MemoryKind)] = [
    (bytes("System RAM"), .usable), (bytes("Reserved"), .reserved), (bytes("reserved"), .reserved),
    (bytes("ACPI Tables"), .acpiReclaimable), (bytes("ACPI Non-volatile Storage"), .acpiNVS),
    (bytes("Unusable memory"), .unusable), (bytes("Persistent Memory"), .persistent),
    (bytes("Persistent Memory (legacy)"), .persistentLegacy), (bytes("Soft Reserved"), .softReserved),
  ]
}

enum RangeReading {
  case success(PhysicalRange)
  case failure(EntryProblem)
}

extension Scanner {
  /// A bare or `0x` hexadecimal address.
  mutating func address() -> NumberReading {
    if next == Ascii.zero, let second = rest.dropFirst().first, second | 0x20 == Ascii.x { rest.removeFirst(2) }
    return digits(radix: 16)
  }

  /// `first-last`, both inside the range, spaces around the dash allowed.
  mutating func inclusiveRange() -> RangeReading { range(isInclusive: true) }

  /// `start - end`, the end outside the range.
  mutating func exclusiveRange() -> RangeReading { range(isInclusive: false) }

  private mutating func range(isInclusive: Bool) -> RangeReading {
    let first: UInt64
    switch address() {
    case .none: return .failure(.noAddress)
    case .tooLarge: return .failure(.addressTooLarge)
    case .value(let value): first = value
    }
    skipSpaces()
    guard skip(Ascii.minus) else { return .failure(.noSeparator) }
    skipSpaces()
    let last: UInt64
    switch address() {
    case .none: return .failure(.noAddress)
    case .tooLarge: return .failure(.addressTooLarge)
    case .value(let value): last = value
    }
    guard first <= last else { return .failure(.endsBeforeStart) }
    // The very last byte of the address space cannot be inside a half-open range and is left out.
    let end = isInclusive && last < UInt64.max ? last + 1 : last
    return .success(PhysicalRange(start: PhysicalAddress(first), end: PhysicalAddress(end)))
  }
}
