public import MemoryUnits

/// An entry of a page table, in 64 bits.
///
/// The engine's own format, the same on every architecture: what an entry can say does not depend on how a processor spells it.
///
/// Linux: `pte_t`, `pmd_t`, `pud_t`, with `pte_present`, `is_migration_entry` and so on.
public struct PageEntry: Hashable, Sendable {
  /// Bits 0-2 kind, 3-11 marks, 12-63 frame.
  public let rawValue: UInt64
  init(rawValue: UInt64) { self.rawValue = rawValue }

  public enum Kind: UInt64, Hashable, Sendable {
    /// Nothing. Zero, as in a table never written.
    case none
    /// Leads to a table of the level below.
    case table
    /// Maps frames.
    case leaf
    /// Maps frames that are on their way to others; who comes here waits. Linux: a migration entry.
    case moving
    /// Names slots of a swap device, as many as the entry would map frames. Linux: a swap entry.
    case swapped
  }

  public struct Marks: OptionSet, Hashable, Sendable {
    public let rawValue: UInt64
    public init(rawValue: UInt64) { self.rawValue = rawValue }

    public static var readable: Marks { Marks(rawValue: 1 << 3) }
    public static var writable: Marks { Marks(rawValue: 1 << 4) }
    /// Used since it was last looked at.
    public static var accessed: Marks { Marks(rawValue: 1 << 5) }
    public static var dirty: Marks { Marks(rawValue: 1 << 6) }
    /// Maps a part of a page that takes a run of entries.
    public static var inRun: Marks { Marks(rawValue: 1 << 7) }
    /// What a pin through this entry reaches stays what the entry reaches: the page is shared on purpose, or this entry's alone. Not
    /// set where a write would copy it. Linux: `PageAnonExclusive`, there a mark of the page.
    public static var pinnable: Marks { Marks(rawValue: 1 << 8) }
    static var all: Marks { Marks(rawValue: 0xff8) }
  }

  init(_ kind: Kind, _ frame: FrameNumber, _ marks: Marks = []) {
    precondition(frame.rawValue < 1 << 52, "frame beyond an entry's bits")
    rawValue = kind.rawValue | marks.rawValue | frame.rawValue << 12
  }

  static var none: PageEntry { PageEntry(rawValue: 0) }

  /// `none` where the bits name no kind.
  public var kind: Kind { Kind(rawValue: rawValue & 7) ?? .none }
  public var marks: Marks { Marks(rawValue: rawValue & Marks.all.rawValue) }
  public var frame: FrameNumber { FrameNumber(rawValue &>> 12) }

  var isLeaf: Bool { rawValue & 7 == Kind.leaf.rawValue }
  var isMoving: Bool { rawValue & 7 == Kind.moving.rawValue }
  var isSwapped: Bool { rawValue & 7 == Kind.swapped.rawValue }
  func has(_ marks: Marks) -> Bool { rawValue & marks.rawValue == marks.rawValue }

  func with(_ kind: Kind) -> PageEntry { PageEntry(rawValue: rawValue & ~7 | kind.rawValue) }
  func adding(_ marks: Marks) -> PageEntry { PageEntry(rawValue: rawValue | marks.rawValue) }
  func removing(_ marks: Marks) -> PageEntry { PageEntry(rawValue: rawValue & ~marks.rawValue) }
  func leading(to frame: FrameNumber) -> PageEntry { PageEntry(rawValue: rawValue & 0xfff | frame.rawValue << 12) }
}
