import MemoryUnits

/// Why there is no storage for descriptors or tables.
public enum MemmapStorageError: Error, Hashable, Sendable {
  /// No room to reserve that many bytes of addresses.
  case noAddressSpace(ByteCount)
  /// No memory to stand behind that many bytes.
  case noMemory(ByteCount)
}

/// What storage is for. Where a machine has memory of its own, descriptors live in its frames, and tables may live elsewhere.
public enum StorageUse: Hashable, Sendable {
  /// Descriptors. Of a reservation: all that it may ever hold; of a part that is committed: those that come to life by it,
  /// which lets the provider take memory near the frames.
  case descriptors(of: FrameRange)
  /// Tables with which descriptors are found.
  case tables
}

/// Where descriptors and tables live. The machine's maker supplies it; the core has no memory of its own.
///
/// Addresses are reserved once; parts of a reservation are committed before their first use and decommitted after their
/// last, for the use that the reservation was made for. All places and sizes are multiples of `granule`. Calls come from one thread at a time, save `barrier` and `pause`.
public protocol MemmapStorage: Sendable {
  /// The unit in which storage is committed, a power of two of at least 64 bytes.
  var granule: ByteCount { get }

  /// Whether `barrier()` orders other processors' loads and stores. Where not, each reader fences itself.
  var barrierReachesReaders: Bool { get }

  /// Sets addresses aside, aligned to the granule. Nothing stands behind them yet.
  func reserve(_ size: ByteCount, for use: StorageUse) throws(MemmapStorageError) -> UnsafeMutableRawPointer

  /// Puts memory that reads as zero behind a part of a reservation that has none. It may be supplied on first touch. All or
  /// nothing.
  func commit(_ start: UnsafeMutableRawPointer, _ size: ByteCount, for use: StorageUse) throws(MemmapStorageError)

  /// Takes the memory back. The content is lost; committed again, the place reads as zero.
  func decommit(_ start: UnsafeMutableRawPointer, _ size: ByteCount)

  /// Makes an uncommitted part of a reservation trap when it is touched; false where no guards are left.
  func placeGuard(_ start: UnsafeMutableRawPointer, _ size: ByteCount) -> Bool

  /// Undoes a guard that was placed.
  func removeGuard(_ start: UnsafeMutableRawPointer, _ size: ByteCount)

  /// Gives a whole reservation back, with all that was committed and guarded in it.
  func release(_ start: UnsafeMutableRawPointer, _ size: ByteCount)

  /// Returns after every processor has passed a full memory barrier, where `barrierReachesReaders`; else it is a barrier
  /// of the caller alone. Linux: `membarrier`, `smp_call_function`.
  func barrier()

  /// Lets others run while the caller waits for them.
  func pause()
}
