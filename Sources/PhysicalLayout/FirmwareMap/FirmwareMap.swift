import MemoryUnits

/// What the firmware says about physical addresses: sorted ranges that do not overlap, each of one kind.
///
/// Linux: `struct e820_table`, after it was made consistent.
public struct FirmwareMap: Hashable, Sendable {
  /// A range and its kind.
  public struct Entry: Hashable, Sendable, CustomStringConvertible {
    public let range: PhysicalRange
    public let kind: MemoryKind

    public init(_ range: PhysicalRange, _ kind: MemoryKind) {
      self.range = range
      self.kind = kind
    }

    /// `[0x100000, 0xbffe0000) usable`
    public var description: String { range.description + " " + kind.description }
  }

  var map = IntervalMap<MemoryKind>()

  /// A map that says nothing.
  public init() {}

  /// Makes a consistent map from entries in any order, overlapping or empty: where several overlap, the kind with the
  /// highest type number holds, and neighbours of a kind become one.
  ///
  /// Linux: `e820__update_table`. It keeps neighbours of type 12 apart, so that each becomes a device; here they join.
  ///
  /// - Complexity: O(n log n) for entries that are nearly sorted, O(n^2) moves at worst.
  public init(_ entries: some Sequence<Entry>) {
    for entry in entries {
      map.rewrite(entry.range) { _, old in
        guard let old, old.firmwareType > entry.kind.firmwareType else { return entry.kind }
        return old
      }
    }
  }

  /// The entries, lowest address first.
  public var entries: [Entry] { map.intervals.map { Entry($0.range, $0.value) } }

  /// What the firmware says about `address`; nil where it says nothing.
  public func kind(at address: PhysicalAddress) -> MemoryKind? { map.value(at: address) }

  /// Bytes of that kind.
  public func size(of kind: MemoryKind) -> ByteCount {
    map.intervals.reduce(.zero) { $1.value == kind ? $0 + $1.range.count : $0 }
  }

  /// The end of the last usable byte; nil where nothing is usable.
  ///
  /// Linux: `e820__end_of_ram_pfn`.
  public var endOfMemory: PhysicalAddress? {
    for interval in map.intervals.reversed() where interval.value == .usable { return interval.range.end }
    return nil
  }

  /// Says that `range` is `kind`, whatever was said before; nil says nothing about it.
  public mutating func set(_ kind: MemoryKind?, over range: PhysicalRange) { map.rewrite(range) { _, _ in kind } }

  /// Turns what is `kind` inside `range` into `replacement`; nil takes it out of the map.
  ///
  /// Linux: `e820__range_update`, `e820__range_remove`.
  public mutating func replace(_ kind: MemoryKind, with replacement: MemoryKind?, over range: PhysicalRange) {
    map.rewrite(range) { _, old in old == kind ? replacement : old }
  }
}

/// Why a text or a property is not a firmware map.
public enum FirmwareMapError: Error, Hashable, Sendable {
  /// There is no entry at all.
  case noEntries
  /// Every address reads as zero: the kernel hides them from readers without privilege.
  case addressesHidden
  /// A line that must hold an entry does not.
  case malformed(line: LineNumber, reason: EntryProblem)
  /// A device-tree property is no whole number of entries.
  case truncatedProperty(length: ByteCount, entry: ByteCount)
  /// An entry of a device-tree property ends above the last address.
  case addressTooLarge(start: PhysicalAddress, size: ByteCount)
}

/// What is wrong with an entry of a firmware map.
public enum EntryProblem: Hashable, Sendable {
  /// No hexadecimal address where one must be.
  case noAddress
  /// An address needs more than 64 bits.
  case addressTooLarge
  /// The sign between the two addresses is missing.
  case noSeparator
  /// The last byte lies below the first.
  case endsBeforeStart
  /// The word for the kind means nothing here.
  case unknownKind
}
