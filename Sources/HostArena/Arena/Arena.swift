import CHostArena
import FrameContents
import Glibc
import MemoryUnits
import Synchronization

/// Real memory behind the physical addresses of a simulated machine.
///
/// One stretch of addresses is set aside for all of `[0, limit)`, and each range of memory is mapped at its place in it: a
/// byte never moves while the arena lives, neighbouring ranges are contiguous, and holes trap. The host supplies zeroed memory
/// on first touch and may overcommit: where it has none, the process is killed.
///
/// Every method may be called from any thread; ``add(_:)`` and ``remove(_:)`` exclude each other. The arena outlives every
/// copy of its ``directMap``; whoever keeps a copy keeps the arena.
///
/// Linux: `memfd_create`, `mmap`; the counterpart of what the arena stands for is the direct map.
public final class Arena: Sendable {
  /// Where the memory comes from.
  public enum Kind: Hashable, Sendable, CaseIterable {
    /// A file in memory, whose offsets are physical addresses. It can be mapped a second time, so that a memmap can live in
    /// the arena's own frames (``ArenaStorage``).
    case memfd
    /// Private memory of the process, which the host may back with huge pages more readily. No memmap can live in it.
    case anonymous
  }

  public let kind: Kind
  /// log2 of the machine's base page in bytes.
  public let baseShift: PageShift
  /// The first address that the arena can never hold.
  public let limit: PhysicalAddress
  /// Ranges come and go in units of so many bytes: the larger of base page and host page.
  public let unit: ByteCount

  /// Where the byte at physical address 0 is or would be.
  let base: UInt64
  /// -1 for an anonymous arena.
  let file: Int32
  private let memory: Mutex<ArenaMemory>
  /// The address of the current direct map, which lives as long as the arena.
  private let current: Atomic<UInt>

  /// Host pages of this size can then stand behind whole windows.
  private static let alignment = ByteCount.mebibytes(2)

  /// Makes memory for `ranges`, which reads as zero and takes nothing of the host before it is touched.
  ///
  /// - Parameters:
  ///   - ranges: whole units, ascending, apart from each other; none for a machine that gets its memory later.
  ///   - baseShift: of the machine.
  ///   - limit: what may be added later ends below; nil for the end of the last range. Rounded up to whole units. Addresses
  ///     cost nothing, but a process has 2^47 of them.
  /// - Complexity: O(ranges), each of which takes a mapping of the process, of which it may have 65,530.
  /// - Throws: ``ArenaError``; nothing is left of the arena then.
  public init(
    _ ranges: [PhysicalRange], kind: Kind = .memfd, baseShift: PageShift, limit: PhysicalAddress? = nil
  ) throws(ArenaError) {
    let unit = max(baseShift.bytes, HostAddresses.pageSize)
    let wanted = limit ?? ranges.last?.end ?? .zero
    let (padded, overflowed) = wanted.rawValue.addingReportingOverflow(unit.rawValue)
    // One unit at least, so that there is something to set aside.
    let size = ByteCount(overflowed ? .max : max(unit.rawValue, (padded - 1) & ~(unit.rawValue - 1)))
    guard let start = HostAddresses.reserve(size, alignment: Arena.alignment, HostAddresses.inaccessible) else {
      throw .noAddressSpace(size)
    }
    let base = UInt64(UInt(bitPattern: start))
    var file: Int32 = -1
    var memory = ArenaMemory(base: base, baseShift: baseShift)
    do throws(ArenaError) {
      if kind == .memfd {
        file = host_memory_file("megalith", size.rawValue)
        guard file >= 0 else { throw .refused(.makeFile, errno: -file) }
      }
      for range in ranges {
        try Arena.check(range, unit, limit: PhysicalAddress(size.rawValue))
        if let last = memory.ranges.last, range.start < last.end { throw .alreadyPresent(range) }
        try Arena.map(range, at: base + range.start.rawValue, file)
        memory.insert(range)
      }
    } catch {
      HostAddresses.release(base, size.rawValue)
      if file >= 0 { close(file) }
      throw error
    }
    self.kind = kind
    self.baseShift = baseShift
    self.limit = PhysicalAddress(size.rawValue)
    self.unit = unit
    self.base = base
    self.file = file
    current = Atomic(memory.publish())
    self.memory = Mutex(memory)
  }

  deinit {
    memory.withLock { $0.freeTables() }
    HostAddresses.release(base, limit.rawValue)
    if file >= 0 { close(file) }
  }

  /// Memory, ascending; ranges that touch are one.
  public var ranges: [PhysicalRange] { memory.withLock { $0.ranges } }

  /// Whether all of `range` is memory.
  public func contains(_ range: PhysicalRange) -> Bool { memory.withLock { $0.contains(range) } }

  /// Where the bytes of all frames are now.
  ///
  /// A copy stays as it is while memory comes and goes: it does not find what was added later, and through it what was removed
  /// later traps when it is touched. It may be used as long as the arena lives.
  ///
  /// - Complexity: O(1), without a lock.
  public var directMap: DirectMap {
    // Published tables are never written again, and are freed with the arena.
    UnsafePointer<DirectMap>(bitPattern: current.load(ordering: .acquiring)).unsafelyUnwrapped.pointee
  }

  // MARK: - Changes

  /// Makes `range` memory, which reads as zero. Linux: `arch_add_memory`.
  ///
  /// - Returns: the direct map with the range in it. Maps are kept until the arena goes, 24 bytes a window; memory that is as it
  ///   was once before has the map that it had then.
  /// - Complexity: O(ranges).
  /// - Throws: `.misaligned`, `.beyondLimit`, `.alreadyPresent`, `.noAddressSpace`, `.refused`.
  @discardableResult public func add(_ range: PhysicalRange) throws(ArenaError) -> DirectMap {
    try Arena.check(range, unit, limit: limit)
    try memory.withLock { memory throws(ArenaError) in
      guard !memory.overlaps(range) else { throw .alreadyPresent(range) }
      try Arena.map(range, at: base + range.start.rawValue, file)
      memory.insert(range)
      current.store(memory.publish(), ordering: .releasing)
    }
    return directMap
  }

  /// Takes `range`, a part of one range of memory or of several that touch, out of the arena; its contents are lost, and its
  /// host memory is given back. That nobody uses the frames, and that no memmap lives in them, is the caller's to know.
  /// Linux: `arch_remove_memory`.
  ///
  /// - Returns: the direct map without the range.
  /// - Complexity: O(ranges).
  /// - Throws: `.misaligned`, `.beyondLimit`, `.notPresent`; `.noAddressSpace` where the process has no mapping left to cut a
  ///   range in two.
  @discardableResult public func remove(_ range: PhysicalRange) throws(ArenaError) -> DirectMap {
    try Arena.check(range, unit, limit: limit)
    try memory.withLock { memory throws(ArenaError) in
      guard memory.contains(range) else { throw .notPresent(range) }
      // First what may fail; the contents go only after it.
      switch HostAddresses.clear(base + range.start.rawValue, range.count.rawValue) {
      case 0: break
      case ENOMEM: throw .noAddressSpace(range.count)
      case let number: throw .refused(.map, errno: number)
      }
      punch(range)
      memory.remove(range)
      current.store(memory.publish(), ordering: .releasing)
    }
    return directMap
  }

  static func check(_ range: PhysicalRange, _ unit: ByteCount, limit: PhysicalAddress) throws(ArenaError) {
    guard !range.isEmpty, range.start.isAligned(to: unit), range.end.isAligned(to: unit) else {
      throw .misaligned(range, unit: unit)
    }
    guard range.end <= limit else { throw .beyondLimit(range, limit: limit) }
  }

  /// Maps memory of the arena in place of a part of a reservation.
  static func map(_ range: PhysicalRange, at address: UInt64, _ file: Int32) throws(ArenaError) {
    let flags = file >= 0 ? MAP_SHARED | MAP_FIXED : MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED
    let offset = file >= 0 ? off_t(range.start.rawValue) : 0
    let length = Int(range.count.rawValue)
    guard mmap(HostAddresses.pointer(address), length, HostAddresses.readWrite, flags, file, offset) == MAP_FAILED else { return }
    throw errno == ENOMEM ? .noAddressSpace(range.count) : .refused(.map, errno: errno)
  }

  /// Gives host memory of a file back; it reads as zero from then on, wherever it is mapped.
  func punch(_ range: PhysicalRange) {
    guard file >= 0 else { return }
    let error = host_punch(file, range.start.rawValue, range.count.rawValue)
    precondition(error == 0, "the host cannot clear a part of a file in memory")
  }
}
