public import FrameMap
import HostArena
public import MemoryUnits
import Synchronization

/// Storage of the host that keeps books, holds the map to the protocol's rules, and fails when told to.
public final class FailingStorage: MemmapStorage {
  public struct Books: Equatable {
    public var committed: [UInt: UInt] = [:]
    /// Where reservations for descriptors end, by start.
    public var descriptors: [UInt: UInt] = [:]
    public var reserved: [UInt: UInt] = [:]
    public var guarded: Set<UInt> = []
    /// Calls that may fail: reservations and commits.
    public var calls = 0
    public var failsAt: Int?
    public var violations: [String] = []
  }

  private let host = HostStorage()
  private let books = Mutex(Books())

  public init() {}

  public var state: Books { books.withLock { $0 } }
  public var granule: ByteCount { host.granule }
  public var barrierReachesReaders: Bool { host.barrierReachesReaders }

  /// The call so many calls from now fails, counted from 0.
  public func fail(at call: Int?) {
    books.withLock { books in books.failsAt = call.map { books.calls + $0 } }
  }

  private func countCall() -> Bool {
    books.withLock {
      $0.calls += 1
      return $0.failsAt == $0.calls - 1
    }
  }

  public func reserve(_ size: ByteCount, for use: StorageUse) throws(MemmapStorageError) -> UnsafeMutableRawPointer {
    if countCall() { throw .noAddressSpace(size) }
    let start = try host.reserve(size, for: use)
    books.withLock {
      $0.reserved[UInt(bitPattern: start)] = UInt(size.rawValue)
      if case .descriptors = use { $0.descriptors[UInt(bitPattern: start)] = UInt(bitPattern: start) + UInt(size.rawValue) }
    }
    return start
  }

  public func commit(_ start: UnsafeMutableRawPointer, _ size: ByteCount, for use: StorageUse) throws(MemmapStorageError) {
    if countCall() { throw .noMemory(size) }
    forEachGranule(start, size) { place, books in
      let isDescriptors = books.descriptors.contains { $0.key <= place && place < $0.value }
      if isDescriptors != (use != .tables) { books.violations.append("another use than the reservation's: \(place)") }
      if books.committed.updateValue(1, forKey: place) != nil { books.violations.append("committed twice: \(place)") }
      if books.guarded.contains(place) { books.violations.append("committed a guard: \(place)") }
    }
  }

  public func decommit(_ start: UnsafeMutableRawPointer, _ size: ByteCount) {
    forEachGranule(start, size) { place, books in
      if books.committed.removeValue(forKey: place) == nil { books.violations.append("not committed: \(place)") }
    }
    host.decommit(start, size)
  }

  public func placeGuard(_ start: UnsafeMutableRawPointer, _ size: ByteCount) -> Bool {
    forEachGranule(start, size) { place, books in
      if books.committed[place] != nil { books.violations.append("guarded a committed place") }
      books.guarded.insert(place)
    }
    return host.placeGuard(start, size)
  }

  public func removeGuard(_ start: UnsafeMutableRawPointer, _ size: ByteCount) {
    forEachGranule(start, size) { place, books in
      if books.guarded.remove(place) == nil { books.violations.append("no guard there") }
    }
    host.removeGuard(start, size)
  }

  public func release(_ start: UnsafeMutableRawPointer, _ size: ByteCount) {
    books.withLock {
      let low = UInt(bitPattern: start)
      $0.descriptors[low] = nil
      if $0.reserved.removeValue(forKey: low) != UInt(size.rawValue) { $0.violations.append("not reserved") }
      let high = low + UInt(size.rawValue)
      $0.committed = $0.committed.filter { !(low..<high).contains($0.key) }
      $0.guarded = $0.guarded.filter { !(low..<high).contains($0) }
    }
    host.release(start, size)
  }

  public func barrier() { host.barrier() }
  public func pause() { host.pause() }

  private func forEachGranule(_ start: UnsafeMutableRawPointer, _ size: ByteCount, _ body: (UInt, inout Books) -> Void) {
    let low = UInt(bitPattern: start)
    let unit = UInt(granule.rawValue)
    books.withLock {
      if low % unit != 0 || UInt(size.rawValue) % unit != 0 || size == .zero { $0.violations.append("not whole granules") }
      for place in stride(from: low, to: low + UInt(size.rawValue), by: Int(unit)) { body(place, &$0) }
    }
  }
}
