import FrameMap
import Glibc
import MemoryUnits
import PhysicalLayout
import Synchronization

/// Storage for a frame map whose descriptors live in frames of the machine itself.
///
/// Descriptors' addresses are set aside without memory; a commit takes frames from a source and maps them a second time at
/// the place, cleared. Through these addresses alone descriptors are reached; the arena's direct map shows the same bytes, and
/// whoever writes there destroys them, so that the machine's maker keeps ``frames`` from being given out. Where nothing is
/// committed any touch traps, so that guards need nothing. Tables stay in ordinary memory of the process (``HostStorage``).
///
/// A commit takes whole granules: the larger of a base page, which is the least that can be taken of a machine, and a host
/// page, which is the least that can be mapped. In the virtual model several subsections' descriptors may share one; it comes
/// with the first of them and goes with the last, and which of its descriptors mean anything the map's bits say.
///
/// Each range of frames that a source gives takes a mapping of the process, of which it may have 65,530. Calls come from one
/// thread at a time, as the protocol has it; ``frames`` and ``setSource(_:)`` from any.
///
/// Linux: `vmemmap_populate`, `alloc_node_mem_map`.
public final class ArenaStorage: MemmapStorage {
  public let arena: Arena
  public let granule: ByteCount
  private let host = HostStorage()
  private let books: Mutex<Books>

  private struct Books {
    var source: any MemmapFrameSource
    var reservations: [Reservation] = []
    /// Frames behind descriptors, as memory without a node.
    var held = RegionSet()

    /// Calls `body` with the pieces of the reservation that holds `address`; nil where it holds tables.
    mutating func withPieces<Result>(of address: UInt64, _ body: (inout LentPieces) -> Result) -> Result? {
      guard let index = reservations.firstIndex(where: { $0.addresses.contains(address) }) else { return nil }
      return body(&reservations[index].pieces)
    }
  }

  private struct Reservation {
    let addresses: Range<UInt64>
    var pieces = LentPieces()
  }

  /// - Parameter source: of frames for descriptors; all that it gives must be memory of the arena.
  /// - Throws: `.cannotHoldMemmap` for an arena of anonymous memory.
  public init(_ arena: Arena, frames source: some MemmapFrameSource) throws(ArenaError) {
    guard arena.kind == .memfd else { throw .cannotHoldMemmap(arena.kind) }
    self.arena = arena
    granule = arena.unit
    books = Mutex(Books(source: source))
  }

  /// The frames that descriptors live in, ascending, joined where they touch. They change with each commit and decommit only.
  ///
  /// - Complexity: O(ranges).
  public var frames: [FrameRange] {
    let held = books.withLock { $0.held.memory }
    return held.map { FrameRange($0.range, arena.baseShift, rounded: .up) }
  }

  /// Takes frames from another source from now on. What earlier ones gave goes back to the source of the time when it is
  /// given back: after boot, memory that the boot allocator gave belongs to the allocator of frames.
  public func setSource(_ source: some MemmapFrameSource) { books.withLock { $0.source = source } }

  public var barrierReachesReaders: Bool { host.barrierReachesReaders }
  public func barrier() { host.barrier() }
  public func pause() { host.pause() }

  public func reserve(_ size: ByteCount, for use: StorageUse) throws(MemmapStorageError) -> UnsafeMutableRawPointer {
    guard use != .tables else { return try host.reserve(size, alignment: granule) }
    guard let start = HostAddresses.reserve(size, alignment: granule, HostAddresses.inaccessible) else {
      throw .noAddressSpace(size)
    }
    let address = UInt64(UInt(bitPattern: start))
    books.withLock { $0.reservations.append(Reservation(addresses: address..<address + size.rawValue)) }
    return start
  }

  /// - Throws: what the source throws; `.noAddressSpace` where the process is out of mappings, and then the frames are back
  ///   at the source.
  /// - Complexity: O(ranges that the source gives), each a call of the host, and what the source needs. Memory is touched
  ///   later.
  public func commit(_ start: UnsafeMutableRawPointer, _ size: ByteCount, for use: StorageUse) throws(MemmapStorageError) {
    guard case .descriptors(let described) = use else { return try host.commit(start, size, for: use) }
    precondition(isForDescriptors(start), "descriptors are committed outside of a reservation for them")
    let address = UInt64(UInt(bitPattern: start))
    let source = books.withLock { $0.source }
    let given = try source.takeFrames(size, granule: granule, describing: described)
    let ranges = checked(given, size)
    var end = address
    do {
      for range in ranges {
        // What the frames held before must not be taken for descriptors.
        arena.punch(range)
        try Arena.map(range, at: end, arena.file)
        end += range.count.rawValue
      }
    } catch {
      unmap(address, end - address)
      for range in ranges { source.giveBack(range) }
      throw .noAddressSpace(size)
    }
    books.withLock { books in
      _ = books.withPieces(of: address) { $0.insert(ranges, at: address) }
      for range in ranges { books.held.add(range) }
    }
  }

  public func decommit(_ start: UnsafeMutableRawPointer, _ size: ByteCount) {
    let address = UInt64(UInt(bitPattern: start))
    let ranges = books.withLock { $0.withPieces(of: address) { $0.remove(address..<address + size.rawValue) } }
    guard let ranges else { return host.decommit(start, size) }
    precondition(ranges.reduce(.zero) { $0 + $1.count } == size, "a part of a reservation was not committed")
    unmap(address, size.rawValue)
    giveBack(ranges)
  }

  /// What is not committed traps anyway.
  public func placeGuard(_ start: UnsafeMutableRawPointer, _ size: ByteCount) -> Bool {
    isForDescriptors(start) || host.placeGuard(start, size)
  }

  public func removeGuard(_ start: UnsafeMutableRawPointer, _ size: ByteCount) {
    if !isForDescriptors(start) { host.removeGuard(start, size) }
  }

  public func release(_ start: UnsafeMutableRawPointer, _ size: ByteCount) {
    let addresses = UInt64(UInt(bitPattern: start))..<UInt64(UInt(bitPattern: start)) + size.rawValue
    let ranges = books.withLock { books in
      let ranges = books.withPieces(of: addresses.lowerBound) { $0.remove(addresses) }
      books.reservations.removeAll { $0.addresses == addresses }
      return ranges
    }
    HostAddresses.release(addresses.lowerBound, size.rawValue)
    giveBack(ranges ?? [])
  }

  private func isForDescriptors(_ start: UnsafeMutableRawPointer) -> Bool {
    books.withLock { $0.withPieces(of: UInt64(UInt(bitPattern: start))) { _ in } } != nil
  }

  /// The source's ranges, joined, lowest first; traps where they are not what was asked for.
  private func checked(_ given: [PhysicalRange], _ size: ByteCount) -> [PhysicalRange] {
    var taken = RegionSet()
    for range in given {
      let isWhole = range.start.isAligned(to: granule) && range.end.isAligned(to: granule)
      precondition(isWhole, "a source gave a part of a granule")
      precondition(arena.contains(range), "a source gave frames that are not of the arena")
      let isHeld = books.withLock { $0.held.hasMemory(in: range) }
      precondition(!isHeld && !taken.hasMemory(in: range), "a source gave frames twice")
      taken.add(range)
    }
    precondition(taken.memorySize == size, "a source gave more or less than it was asked for")
    return taken.memory.map { $0.range }
  }

  /// Takes frames from behind a part of a reservation.
  private func unmap(_ address: UInt64, _ length: UInt64) {
    guard length > 0, HostAddresses.clear(address, length) != 0 else { return }
    // Out of mappings, the kernel cannot cut one in two. Marks in the page tables (since 6.15) close the part as well; a
    // mapping that goes there later replaces them.
    let status = madvise(HostAddresses.pointer(address), Int(length), HostAddresses.installGuard)
    precondition(status == 0, "the process is out of mappings, and a memmap cannot be cut")
  }

  private func giveBack(_ ranges: [PhysicalRange]) {
    let source = books.withLock { books in
      for range in ranges { books.held.remove(range) }
      return books.source
    }
    for range in ranges {
      arena.punch(range)
      source.giveBack(range)
    }
  }
}
