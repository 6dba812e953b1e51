import MemoryUnits
import Synchronization

/// Storage out of one buffer, for machines without virtual memory and for tests: addresses that are set aside are memory at
/// once, so a map's limit has to be near its end of memory.
///
/// Reservations lie one after the other; when the last of them has been released the buffer is as new. There are no guards,
/// and no other processors: readers fence themselves.
@safe public struct BufferStorage: MemmapStorage, @unchecked Sendable {
  /// Bytes in use and reservations in use, in the first line of the buffer.
  private let state: AtomicWords
  private let start: UInt64
  private let size: UInt64

  /// Bytes of the buffer that the storage keeps for itself, alignment included.
  public static let overhead = ByteCount(128)

  /// - Parameter buffer: outlives the storage, and belongs to it alone. Traps where it is not larger than ``overhead``.
  public init(_ buffer: UnsafeMutableRawBufferPointer) {
    let length = UInt64(buffer.count)
    precondition(length > BufferStorage.overhead.rawValue, "buffer too small")
    // Not null, since the buffer is not empty.
    let address = unsafe UInt64(UInt(bitPattern: buffer.baseAddress.unsafelyUnwrapped))
    let aligned = (address + 63) & ~63
    state = unsafe AtomicWords(UnsafeMutableRawPointer(bitPattern: UInt(aligned)).unsafelyUnwrapped)
    state.store(0, 0)
    state.store(1, 0)
    start = aligned + 64
    size = (length - (start - address)) & ~63
  }

  public var granule: ByteCount { ByteCount(64) }
  public var barrierReachesReaders: Bool { false }

  public func reserve(_ size: ByteCount, for use: StorageUse) throws(MemmapStorageError) -> UnsafeMutableRawPointer {
    let used = state.load(0)
    guard size.rawValue <= self.size - used else { throw .noAddressSpace(size) }
    state.store(0, used + size.rawValue)
    state.store(1, state.load(1) + 1)
    // Inside the buffer, and so not null.
    return unsafe UnsafeMutableRawPointer(bitPattern: UInt(start + used)).unsafelyUnwrapped
  }

  public func commit(_ start: UnsafeMutableRawPointer, _ size: ByteCount, for use: StorageUse) throws(MemmapStorageError) {
    // The caller names a part of its reservation that nobody uses.
    unsafe start.initializeMemory(as: UInt8.self, repeating: 0, count: Int(size.rawValue))
  }

  public func decommit(_ start: UnsafeMutableRawPointer, _ size: ByteCount) {}

  public func placeGuard(_ start: UnsafeMutableRawPointer, _ size: ByteCount) -> Bool { false }

  public func removeGuard(_ start: UnsafeMutableRawPointer, _ size: ByteCount) {}

  public func release(_ start: UnsafeMutableRawPointer, _ size: ByteCount) {
    let left = state.load(1) - 1
    state.store(1, left)
    if left == 0 { state.store(0, 0) }
  }

  public func barrier() { atomicMemoryFence(ordering: .sequentiallyConsistent) }

  public func pause() {}
}
