public import FrameMap
import HostArena
public import MemoryUnits

/// Storage of a machine that fails when told to, for descriptors and the tables that lead to them.
public final class BreakingStorage: MemmapStorage {
  public let inner = FailingStorage()
  private let host = HostStorage()

  public init() {}

  public var granule: ByteCount { inner.granule }
  public var barrierReachesReaders: Bool { inner.barrierReachesReaders }
  public func reserve(_ size: ByteCount, for use: StorageUse) throws(MemmapStorageError) -> UnsafeMutableRawPointer {
    try inner.reserve(size, for: use)
  }
  public func commit(_ start: UnsafeMutableRawPointer, _ size: ByteCount, for use: StorageUse) throws(MemmapStorageError) {
    // Books for every granule of what zones and page tables may ever need would take longer than the tests.
    if use == .tables, size > .mebibytes(32) { return try host.commit(start, size, for: use) }
    try inner.commit(start, size, for: use)
  }
  public func decommit(_ start: UnsafeMutableRawPointer, _ size: ByteCount) { inner.decommit(start, size) }
  public func placeGuard(_ start: UnsafeMutableRawPointer, _ size: ByteCount) -> Bool { inner.placeGuard(start, size) }
  public func removeGuard(_ start: UnsafeMutableRawPointer, _ size: ByteCount) { inner.removeGuard(start, size) }
  public func release(_ start: UnsafeMutableRawPointer, _ size: ByteCount) { inner.release(start, size) }
  public func barrier() { inner.barrier() }
  public func pause() { inner.pause() }
}
