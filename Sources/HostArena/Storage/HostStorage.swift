import CHostArena
import FrameMap
import Glibc
import MemoryUnits
import Synchronization

/// Storage for a frame map in a Linux process: addresses of a private mapping that the kernel backs with zero pages on
/// first touch, so that terabytes of addresses cost what is used of them.
///
/// Guards need no memory where the kernel has lightweight ones (6.13); elsewhere each splits the mapping, of which a process
/// may have 65,530, so that their number is bounded.
public final class HostStorage: MemmapStorage {
  public let barrierReachesReaders: Bool
  public let granule: ByteCount

  /// How guards are made.
  public enum GuardKind: Hashable, Sendable {
    /// By marks in the page tables, without a mapping of their own.
    case marks
    /// By making pages inaccessible, at most so many.
    case mappings(atMost: Int)
  }

  public let guardKind: GuardKind
  private let mappingsLeft: Atomic<Int>
  private static let defaultMappings = 16_384

  /// What stands behind descriptors.
  public enum DescriptorPages: Hashable, Sendable {
    /// The host's smallest pages: descriptors that nobody touches cost nothing, as those of a gigantic page's tails.
    case small
    /// Huge pages where the host has them: the first touch of a descriptor costs 2 MiB, later ones fewer cache misses. For
    /// machines that use most of their frames one by one. Guards of neighbours split such pages again.
    case huge
  }

  private let descriptorPages: DescriptorPages

  /// - Parameter guardKind: nil for the best that the kernel has.
  public init(guardKind: GuardKind? = nil, descriptorPages: DescriptorPages = .small) {
    self.descriptorPages = descriptorPages
    granule = HostAddresses.pageSize
    barrierReachesReaders = host_barrier_register() == 0
    let kind = guardKind ?? (HostStorage.kernelHasMarks(granule) ? .marks : .mappings(atMost: HostStorage.defaultMappings))
    self.guardKind = kind
    if case .mappings(let limit) = kind { mappingsLeft = Atomic(limit) } else { mappingsLeft = Atomic(0) }
  }

  private static func kernelHasMarks(_ granule: ByteCount) -> Bool {
    let size = Int(granule.rawValue)
    guard let page = mmap(nil, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), page != MAP_FAILED else {
      return false
    }
    defer { munmap(page, size) }
    return madvise(page, size, HostAddresses.installGuard) == 0
  }

  public func reserve(_ size: ByteCount, for use: StorageUse) throws(MemmapStorageError) -> UnsafeMutableRawPointer {
    guard descriptorPages == .huge, case .descriptors = use else { return try reserve(size, alignment: granule) }
    guard let start = HostAddresses.reserve(size, alignment: .mebibytes(2), HostAddresses.readWrite) else {
      throw .noAddressSpace(size)
    }
    // A hint: a kernel without huge pages goes on with small ones.
    _ = madvise(start, Int(size.rawValue), MADV_HUGEPAGE)
    return start
  }

  /// Sets addresses aside that begin at a multiple of `alignment`, a power of two.
  func reserve(_ size: ByteCount, alignment: ByteCount) throws(MemmapStorageError) -> UnsafeMutableRawPointer {
    guard let start = HostAddresses.reserve(size, alignment: alignment, HostAddresses.readWrite) else {
      throw .noAddressSpace(size)
    }
    // Huge pages would make the first touch of a descriptor cost 2 MiB. A kernel without them has nothing to refuse.
    _ = madvise(start, Int(size.rawValue), MADV_NOHUGEPAGE)
    return start
  }

  /// The kernel supplies zero pages on first touch.
  public func commit(_ start: UnsafeMutableRawPointer, _ size: ByteCount, for use: StorageUse) throws(MemmapStorageError) {}

  public func decommit(_ start: UnsafeMutableRawPointer, _ size: ByteCount) {
    let status = madvise(start, Int(size.rawValue), MADV_DONTNEED)
    precondition(status == 0, "a part of a reservation could not be given back")
  }

  public func placeGuard(_ start: UnsafeMutableRawPointer, _ size: ByteCount) -> Bool {
    guard case .mappings = guardKind else { return madvise(start, Int(size.rawValue), HostAddresses.installGuard) == 0 }
    if mappingsLeft.wrappingSubtract(1, ordering: .relaxed).oldValue > 0, mprotect(start, Int(size.rawValue), PROT_NONE) == 0 {
      return true
    }
    mappingsLeft.wrappingAdd(1, ordering: .relaxed)
    return false
  }

  public func removeGuard(_ start: UnsafeMutableRawPointer, _ size: ByteCount) {
    let status: Int32
    switch guardKind {
    case .marks: status = madvise(start, Int(size.rawValue), HostAddresses.undoGuard)
    case .mappings:
      status = mprotect(start, Int(size.rawValue), PROT_READ | PROT_WRITE)
      mappingsLeft.wrappingAdd(1, ordering: .relaxed)
    }
    precondition(status == 0, "a guard could not be undone")
  }

  public func release(_ start: UnsafeMutableRawPointer, _ size: ByteCount) {
    HostAddresses.release(UInt64(UInt(bitPattern: start)), size.rawValue)
  }

  public func barrier() {
    guard barrierReachesReaders else { return atomicMemoryFence(ordering: .sequentiallyConsistent) }
    let status = host_barrier()
    precondition(status == 0, "the kernel refuses a barrier that it granted")
  }

  public func pause() { sched_yield() }
}
