import FrameContents
import FrameMap
public import MemoryUnits
import Synchronization

/// Where an entry is: its table, its place there, its level, and the first address that it resolves.
struct EntryPlace: Hashable, Sendable {
  let table: FrameNumber
  let index: EntryIndex
  let level: TableLevel
  let address: VirtualAddress
}

/// Reads and writes page tables: knows where their words are.
///
/// A class, so that calls pass a reference: as a value it is several hundred bytes, which calls copied more than once for each pin.
///
/// Tables lie in frames of the machine. Entries are written by who holds the lock of the space, save the end of a move, which replaces an
/// entry that everybody else waits for; they are read by anyone inside a read section of the frame table, for which tables are freed
/// only after earlier sections have ended.
final class TableWalk: Sendable {
  let shape: TableShape
  let frames: FrameTable
  /// Where the words of tables are.
  let words: DirectMap
  /// Lets others run.
  let pause: @Sendable () -> Void

  init(shape: TableShape, frames: FrameTable, words: DirectMap, pause: @escaping @Sendable () -> Void) {
    self.shape = shape
    self.frames = frames
    self.words = words
    self.pause = pause
  }

  /// The words of a table.
  func base(_ table: FrameNumber) -> UnsafeMutablePointer<Atomic<UInt64>> {
    guard let run = try? unsafe words.run(at: table, upTo: table + FrameCount(1)) else {
      preconditionFailure("a page table without memory")
    }
    // A frame holds whole words; those of a table are only ever used as such.
    return unsafe run.base.assumingMemoryBound(to: Atomic<UInt64>.self)
  }

  private func word(_ place: EntryPlace) -> UnsafeMutablePointer<Atomic<UInt64>> {
    // The index comes from the shape, and tables are as large as their level's shape.
    unsafe base(place.table) + Int(truncatingIfNeeded: place.index.rawValue)
  }

  func load(_ place: EntryPlace) -> PageEntry {
    unsafe PageEntry(rawValue: word(place).pointee.load(ordering: .acquiring))
  }

  /// Reads an entry after what the caller wrote elsewhere: see ``pin(_:_:_:in:zones:into:on:)``, and a fork, which is its partner.
  func loadInOrder(_ place: EntryPlace) -> PageEntry {
    unsafe PageEntry(rawValue: word(place).pointee.load(ordering: .sequentiallyConsistent))
  }

  /// Replaces an entry by one of the same use: full by full, or empty by empty. See ``set(_:_:)``.
  func replace(_ place: EntryPlace, _ entry: PageEntry) {
    unsafe word(place).pointee.store(entry.rawValue, ordering: .releasing)
  }

  /// Writes an entry, and counts how many of the table are in use.
  ///
  /// - Returns: what was there, and how many are in use now.
  @discardableResult func set(_ place: EntryPlace, _ entry: PageEntry) -> (old: PageEntry, used: EntryCount) {
    let old = unsafe PageEntry(rawValue: word(place).pointee.exchange(entry.rawValue, ordering: .acquiringAndReleasing))
    var used = self.used(place.table)
    if old == .none, entry != .none { used += EntryCount(1) }
    if old != .none, entry == .none { used -= EntryCount(1) }
    setUsed(place.table, used)
    return (old, used)
  }

  // The count of a table's entries in use lies in its descriptor. Guarded by the lock of the space.

  func used(_ table: FrameNumber) -> EntryCount {
    guard let descriptor = unsafe frames.descriptor(table) else { return .zero }
    return unsafe EntryCount(UInt64(descriptor.pointee.privateIndex.load(ordering: .relaxed)))
  }

  func setUsed(_ table: FrameNumber, _ count: EntryCount) {
    guard let descriptor = unsafe frames.descriptor(table) else { preconditionFailure("a page table without descriptor") }
    unsafe descriptor.pointee.privateIndex.store(UInt32(count.rawValue), ordering: .relaxed)
  }

  /// Goes down from the root as far as tables lead, at most to `lowest`.
  ///
  /// - Complexity: O(levels).
  func find(_ root: FrameNumber, _ address: VirtualAddress, downTo lowest: TableLevel) -> (EntryPlace, PageEntry) {
    var level = shape.levels.below
    var table = root
    while true {
      let place = self.place(table, address, level)
      let entry = load(place)
      guard level > lowest, entry.kind == .table else { return (place, entry) }
      table = entry.frame
      level = level.below
    }
  }

  func place(_ table: FrameNumber, _ address: VirtualAddress, _ level: TableLevel) -> EntryPlace {
    EntryPlace(
      table: table, index: shape.index(address, level), level: level,
      address: address.aligned(to: shape.span(level), .down))
  }

  /// Calls `body` with each entry in use below the root that maps something in `range`, lowest address first. `body` may
  /// change or clear entries.
  ///
  /// - Parameter unit: bytes of a page, of which the first entry is told where it takes several.
  /// - Complexity: O(entries in use + tables).
  func forEachLeaf<Failure>(
    _ root: FrameNumber, in range: VirtualRange, unit: ByteCount, _ body: (EntryPlace, PageEntry) throws(Failure) -> Void
  ) throws(Failure) {
    var address = range.start
    while address < range.end {
      let (place, entry) = find(root, address, downTo: TableLevel(0))
      if entry.kind == .none {
        guard let next = end(of: place) else { return }
        address = next
      } else {
        try body(place, entry)
        guard range.end - place.address > max(unit, shape.span(place.level)) else { return }
        address = place.address + max(unit, shape.span(place.level))
      }
    }
  }

  /// The first address behind an entry; nil where that is beyond the last.
  private func end(of place: EntryPlace) -> VirtualAddress? {
    let end = place.address + shape.span(place.level)
    return end < shape.end ? end : nil
  }
}

/// Addresses of a space.
public typealias VirtualRange = UnitRange<VirtualAddress>
