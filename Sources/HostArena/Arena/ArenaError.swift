import MemoryUnits

/// Why an arena could not be made or changed. Nothing has changed then.
public enum ArenaError: Error, Hashable, Sendable {
  /// The range is empty, or does not consist of whole units: the larger of base page and host page.
  case misaligned(PhysicalRange, unit: ByteCount)
  /// The range ends above the arena's limit.
  case beyondLimit(PhysicalRange, limit: PhysicalAddress)
  /// Part of the range is memory already, or ranges are not ascending.
  case alreadyPresent(PhysicalRange)
  /// Part of the range is no memory of the arena.
  case notPresent(PhysicalRange)
  /// The process has no room for so many bytes of addresses, or no mapping left for them (it may have 65,530), or, where the
  /// host promises no more memory than it has, no promise.
  case noAddressSpace(ByteCount)
  /// The host has no memory for so many bytes.
  case noMemory(ByteCount)
  /// The memory can be mapped once only, so that no memmap can live in it.
  case cannotHoldMemmap(Arena.Kind)
  /// The host refused a call, for a reason of its own.
  case refused(HostCall, errno: Int32)
}

/// A call of the host that an arena depends on.
public enum HostCall: Hashable, Sendable {
  /// Making the file. Linux: `memfd_create`, `ftruncate`.
  case makeFile
  /// Linux: `mmap`.
  case map
  /// Linux: `madvise(MADV_POPULATE_WRITE)`.
  case populate
  /// Linux: `fstat`, `mincore`.
  case measure
}
