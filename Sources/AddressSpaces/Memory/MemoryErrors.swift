public import HugePools
public import MemoryUnits

/// What somebody does at an address.
public enum Access: Hashable, Sendable {
  case read, write

  var needed: Protection { self == .read ? .read : .write }
}

/// Why an access could not be served. The space is as before.
public enum FaultError: Error, Hashable, Sendable {
  /// Nothing is mapped there. Linux: `SIGSEGV`.
  case noMapping(VirtualAddress)
  /// The mapping does not allow it. Linux: `SIGSEGV`.
  case protection(VirtualAddress, Access)
  /// The page lies beyond its object's end. Linux: `SIGBUS`.
  case beyondObject(VirtualAddress, size: PageCount)
  /// The pool has no page for it. Linux: `SIGBUS`.
  case noHugePage(PageSize, HugePoolError)
  /// The page was taken away, because who had reserved it needed it. Linux: `SIGBUS`, after a parent's private write.
  case lostPage(VirtualAddress)
  /// The page is swapped out, and the device did not give it back; it is still there. Linux: `SIGBUS`.
  case unreadable(VirtualAddress, SwapDeviceError)
  /// No frame for a page, or for a table.
  case outOfMemory(wanted: FrameCount, largestFree: FrameCount)
}

/// Why mappings were not made or changed; everything is as before.
public enum MappingError: Error, Hashable, Sendable {
  /// The range, or the place in the object, is no multiple of the page size, or empty.
  case misaligned(VirtualRange, PageSize)
  /// The range is not inside the addresses that tables resolve.
  case outOfBounds(VirtualRange)
  /// No gap is large enough.
  case noAddresses(wanted: ByteCount)
  /// Something is mapped there.
  case occupied(VirtualRange)
  /// Nothing is mapped at an address of the range.
  case noMapping(VirtualAddress)
  /// Tables have no entries of that size.
  case noSuchSize(PageSize)
  /// More pages than one mapping can number.
  case tooLarge(PageCount)
  /// The pages could not be reserved.
  case notReserved(HugePoolError)
  /// The operation is not one for mappings of the kind.
  case unsuitable(VirtualRange)
  /// The object was deleted.
  case deleted
  /// No frame for a table, or for a page that had to be copied.
  case outOfMemory(wanted: FrameCount, largestFree: FrameCount)
  /// No huge page for one that had to be copied.
  case noHugePage(PageSize, HugePoolError)
  /// A page is swapped out, and the device did not give it back; it is still there.
  case unreadable(VirtualAddress, SwapDeviceError)
}

extension MappingError {
  init(_ error: FaultError, in range: VirtualRange) {
    switch error {
    case .outOfMemory(let wanted, let largest): self = .outOfMemory(wanted: wanted, largestFree: largest)
    case .noHugePage(let size, let why): self = .noHugePage(size, why)
    case .unreadable(let address, let error): self = .unreadable(address, error)
    case .noMapping(let address): self = .noMapping(address)
    case .protection, .beyondObject, .lostPage: self = .unsuitable(range)
    }
  }
}
