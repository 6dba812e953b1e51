public import MemoryUnits
public import PhysicalLayout

/// How an architecture's page tables are built: which address bits each level resolves, and what sizes its entries can map.
///
/// Linux: `PMD_SHIFT`, `PTRS_PER_PMD` and their like, `hstate`s for the sizes.
public struct TableShape: Hashable, Sendable {
  /// A size that a mapping can have.
  public struct Leaf: Hashable, Sendable {
    public let size: PageSize
    /// The level of its entries, 0 for the lowest.
    public let level: TableLevel
    /// How many entries, one after the other, map a page: more than one where the processor joins naturally aligned runs.
    public let entries: EntryCount
    /// Frames of a page, as an order.
    public let order: Order
  }

  public let baseShift: PageShift
  /// Levels, the root's included.
  public let levels: TableLevel
  /// The first address that no table resolves.
  public let end: VirtualAddress
  /// Sizes that can be mapped, the base page first.
  public let leaves: [Leaf]
  // By level; as vectors, so that a walk takes them with it.
  let shifts: SIMD8<UInt8>
  let bits: SIMD8<UInt8>

  /// - Parameter extraLevel: bits of one more level on top, for processors that have it: 9 for five levels on x86_64.
  public init(_ architecture: Architecture, extraLevel: UInt8? = nil) {
    var shifts = SIMD8<UInt8>()
    var bits = SIMD8<UInt8>()
    var shift = architecture.baseShift.rawValue
    var count = 0
    for width in architecture.tableBits + (extraLevel.map { [$0] } ?? []) {
      shifts[count] = shift
      bits[count] = width
      shift += width
      count += 1
    }
    precondition(count > 0 && count < 8 && shift < 64, "page tables of no levels, or of more than 64 bits")
    baseShift = architecture.baseShift
    self.shifts = shifts
    self.bits = bits
    levels = TableLevel(UInt8(count))
    end = VirtualAddress(1 << UInt64(shift))
    var leaves = [
      Leaf(size: PageSize(shift: architecture.baseShift), level: TableLevel(0), entries: EntryCount(1), order: Order(0))
    ]
    for size in architecture.hugeSizes {
      // The highest level whose entries are not larger; a run of them where they are smaller.
      var level = 0
      while level + 1 < count, shifts[level + 1] <= size.shift.rawValue { level += 1 }
      let run = size.shift.rawValue - shifts[level]
      precondition(run < bits[level], "a page of \(size) would not fit in one table")
      leaves.append(
        Leaf(
          size: size, level: TableLevel(UInt8(level)), entries: EntryCount(1 << UInt64(run)),
          order: size.order(baseShift: architecture.baseShift)))
    }
    self.leaves = leaves
  }

  /// How pages of `size` are mapped; nil for sizes that the tables have no entries for.
  public func leaf(_ size: PageSize) -> Leaf? {
    for leaf in leaves where leaf.size == size { return leaf }
    return nil
  }

  /// log2 of the bytes that an entry of the level spans.
  func shift(_ level: TableLevel) -> PageShift { PageShift(shifts[Int(level.rawValue)]) }

  func span(_ level: TableLevel) -> ByteCount { shift(level).bytes }

  /// Frames that a leaf of the level maps.
  func frames(_ level: TableLevel) -> FrameCount {
    FrameCount(1 << UInt64(shifts[Int(level.rawValue)] - baseShift.rawValue))
  }

  /// The same, as an order.
  func order(_ level: TableLevel) -> Order { Order(shifts[Int(level.rawValue)] - baseShift.rawValue) }

  func entries(_ level: TableLevel) -> EntryCount { EntryCount(1 << UInt64(bits[Int(level.rawValue)])) }

  /// Frames of a table of the level, as an order: tables smaller than a base page take a whole one.
  ///
  /// Linux: fragments of pages on POWER and on Z; here not, so that each table is a folio.
  func tableOrder(_ level: TableLevel) -> Order {
    let bytes = bits[Int(level.rawValue)] + 3
    return Order(bytes > baseShift.rawValue ? bytes - baseShift.rawValue : 0)
  }

  @inline(__always) func index(_ address: VirtualAddress, _ level: TableLevel) -> EntryIndex {
    let place = Int(truncatingIfNeeded: level.rawValue)
    let bits = UInt64(truncatingIfNeeded: bits[place])
    return EntryIndex(address.rawValue &>> UInt64(truncatingIfNeeded: shifts[place]) & (1 &<< bits &- 1))
  }
}

/// A level of page tables, 0 for that of base pages.
@frozen public struct TableLevel: Comparable, Hashable, Sendable, CustomStringConvertible {
  public let rawValue: UInt8
  public init(_ rawValue: UInt8) { self.rawValue = rawValue }
  public static func < (left: TableLevel, right: TableLevel) -> Bool { left.rawValue < right.rawValue }
  public var description: String { String(rawValue) }

  var below: TableLevel { TableLevel(rawValue - 1) }
  var above: TableLevel { TableLevel(rawValue + 1) }
}

/// Entries of a page table.
@frozen public struct EntryCount: Amount {
  public let rawValue: UInt64
  public init(rawValue: UInt64) { self.rawValue = rawValue }
  public var description: String { String(rawValue) }
}

/// The place of an entry in its table.
@frozen public struct EntryIndex: Position {
  public typealias Distance = EntryCount
  public let rawValue: UInt64
  public init(rawValue: UInt64) { self.rawValue = rawValue }
  public var description: String { String(rawValue) }
}
