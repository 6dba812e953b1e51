import Glibc
import MemoryUnits

/// Addresses of the process: setting them aside, and putting inaccessible nothing where memory was.
enum HostAddresses {
  static let pageSize = ByteCount(UInt64(sysconf(Int32(_SC_PAGESIZE))))

  /// Numbers of `madvise` that older C libraries do not name.
  static let installGuard: Int32 = 102
  static let undoGuard: Int32 = 103
  static let populateWrite: Int32 = 23

  static let inaccessible = PROT_NONE
  static let readWrite = PROT_READ | PROT_WRITE

  /// Sets addresses aside. Nil where the process has not that many, or is out of mappings.
  ///
  /// - Parameter alignment: a power of two of whole pages.
  static func reserve(_ size: ByteCount, alignment: ByteCount, _ protection: Int32) -> UnsafeMutableRawPointer? {
    let (padded, overflowed) = size.rawValue.addingReportingOverflow(alignment.rawValue - pageSize.rawValue)
    let flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE
    guard !overflowed, let length = Int(exactly: padded), let start = mmap(nil, length, protection, flags, -1, 0),
      start != MAP_FAILED
    else { return nil }
    let address = UInt64(UInt(bitPattern: start))
    let aligned = (address + alignment.rawValue - 1) & ~(alignment.rawValue - 1)
    release(address, aligned - address)
    release(aligned + size.rawValue, address + padded - aligned - size.rawValue)
    return pointer(aligned)
  }

  /// Gives addresses and what stands behind them back.
  static func release(_ address: UInt64, _ length: UInt64) {
    guard length > 0, munmap(pointer(address), Int(length)) != 0 else { return }
    // The kernel had made one mapping of these addresses and their neighbours, and the process is out of mappings to cut it.
    // Then the addresses stay in use, and no memory.
    let status = errno == ENOMEM ? madvise(pointer(address), Int(length), MADV_DONTNEED) : -1
    precondition(status == 0, "a reservation could not be given back")
  }

  /// Makes a part of a reservation what it was at first: addresses without memory. Returns an error number, or 0.
  static func clear(_ address: UInt64, _ length: UInt64) -> Int32 {
    let flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED
    return mmap(pointer(address), Int(length), inaccessible, flags, -1, 0) == MAP_FAILED ? errno : 0
  }

  /// Addresses come from reservations, and are never null.
  static func pointer(_ address: UInt64) -> UnsafeMutableRawPointer {
    UnsafeMutableRawPointer(bitPattern: UInt(address)).unsafelyUnwrapped
  }
}
