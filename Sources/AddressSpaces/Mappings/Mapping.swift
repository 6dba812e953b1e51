import HugePools
import MemoryUnits

/// A range of addresses that means one thing: pages of one size, of one object or of none, with one protection.
///
/// Linux: `struct vm_area_struct`.
struct Mapping: Sendable {
  var range: VirtualRange
  var protection: Protection
  let leaf: TableShape.Leaf
  let isShared: Bool
  /// What is mapped; nil for anonymous memory.
  let object: SharedObject?
  /// Whose private pages are in it; nil for shared mappings.
  let family: AnonymousFamily?
  /// Of the first page: in its object, or, for anonymous memory, where the mapping was made.
  var offset: PageIndex
  var placement: HugePlacement
  var marks: Marks
  /// Private pages that were reserved when the mapping was made and have been used since. Means nothing without
  /// `.ownsReservations`.
  var consumed = ReservationMap()

  struct Marks: OptionSet, Hashable, Sendable {
    let rawValue: UInt8
    /// Each page of it that is not in `consumed` is reserved for it.
    static var ownsReservations: Marks { Marks(rawValue: 1) }
    /// A fork leaves it out. Linux: `VM_DONTCOPY`.
    static var dontFork: Marks { Marks(rawValue: 2) }
    /// A fork's is empty. Linux: `VM_WIPEONFORK`.
    static var wipeOnFork: Marks { Marks(rawValue: 4) }
    /// A page was taken from it so that who has the reservation could go on. Linux: `HPAGE_RESV_UNMAPPED`.
    static var lostPages: Marks { Marks(rawValue: 8) }
    /// Its owner asked for larger pages. Linux: `VM_HUGEPAGE`.
    static var hugeAdvised: Marks { Marks(rawValue: 16) }
    /// Its owner wants none. Linux: `VM_NOHUGEPAGE`.
    static var hugeRefused: Marks { Marks(rawValue: 32) }
  }

  var isHuge: Bool { leaf.order > Order(0) }
  var pages: PageCount { PageCount(range.count / leaf.size.bytes) }

  /// Entries that follow the protection.
  var entryMarks: PageEntry.Marks { protection.contains(.read) ? [.readable] : [] }

  /// Which page of the object, or of the family's numbering, is at `address`.
  func index(of address: VirtualAddress) -> PageIndex { offset + PageCount((address - range.start) / leaf.size.bytes) }

  func indices(of part: VirtualRange) -> UnitRange<PageIndex> {
    UnitRange(start: index(of: part.start), count: PageCount(part.count / leaf.size.bytes))
  }

  var indices: UnitRange<PageIndex> { UnitRange(start: offset, count: pages) }

  /// Where a page is whose index, of which descriptors keep 32 bits, is known; nil where it is not in the mapping.
  func address(of index: UInt32) -> VirtualAddress? {
    let distance = PageCount(UInt64(index &- UInt32(truncatingIfNeeded: offset.rawValue)))
    return distance < pages ? range.start + leaf.size.bytes * distance.rawValue : nil
  }

  func address(of index: PageIndex) -> VirtualAddress? {
    indices.contains(index) ? range.start + leaf.size.bytes * (index - offset).rawValue : nil
  }

  /// Cuts at `address`, inside the range: keeps what is below, and returns the rest.
  mutating func cut(at address: VirtualAddress) -> Mapping {
    var rest = self
    rest.offset = index(of: address)
    // Each keeps what is its own: its neighbour's addresses may be mapped anew, and join it again.
    rest.consumed.remove(UnitRange(start: offset, end: rest.offset))
    consumed.remove(UnitRange(start: rest.offset, end: offset + pages))
    rest.range = VirtualRange(start: address, end: range.end)
    range = VirtualRange(start: range.start, end: address)
    return rest
  }

  /// Whether `next`, right above, could be the same mapping.
  func continues(into next: Mapping) -> Bool {
    range.end == next.range.start && protection == next.protection && leaf == next.leaf && isShared == next.isShared
      && object === next.object && family === next.family && index(of: range.start) + pages == next.offset
      && placement == next.placement && marks == next.marks
  }

  /// Takes the mapping right above in.
  mutating func join(_ next: Mapping) {
    range = VirtualRange(start: range.start, end: next.range.end)
    if marks.contains(.ownsReservations) { for pages in next.consumed.regions { consumed.add(pages) } }
  }
}
