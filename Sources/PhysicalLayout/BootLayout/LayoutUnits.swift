import MemoryUnits

/// An amount of sections.
@frozen public struct SectionCount: Amount {
  public let rawValue: UInt64
  @inlinable public init(rawValue: UInt64) { self.rawValue = rawValue }
  public var description: String { String(rawValue) }
}

/// The index of a section of the sparse memory models.
///
/// Linux: section number, `pfn_to_section_nr`.
@frozen public struct SectionNumber: Position {
  public typealias Distance = SectionCount
  public let rawValue: UInt64
  @inlinable public init(rawValue: UInt64) { self.rawValue = rawValue }
  public var description: String { String(rawValue) }
}

/// A half-open range of sections.
public typealias SectionRange = UnitRange<SectionNumber>

/// An amount of memory blocks.
@frozen public struct MemoryBlockCount: Amount {
  public let rawValue: UInt64
  @inlinable public init(rawValue: UInt64) { self.rawValue = rawValue }
  public var description: String { String(rawValue) }
}

/// The index of a memory block, the unit of online and offline.
///
/// Linux: the number in `/sys/devices/system/memory/memoryN`.
@frozen public struct MemoryBlockNumber: Position {
  public typealias Distance = MemoryBlockCount
  public let rawValue: UInt64
  @inlinable public init(rawValue: UInt64) { self.rawValue = rawValue }
  public var description: String { String(rawValue) }
}

/// A half-open range of memory blocks.
public typealias MemoryBlockRange = UnitRange<MemoryBlockNumber>
