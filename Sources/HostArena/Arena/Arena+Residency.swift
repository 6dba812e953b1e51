import CHostArena
import Glibc
import MemoryUnits

extension Arena {
  /// Makes `range` resident, so that no later touch waits for the host. Contents stay, also under concurrent writers.
  /// Linux: `madvise(MADV_POPULATE_WRITE)`; a host without it has each page written to, and kills the process where it has no
  /// memory.
  ///
  /// - Parameter range: whole units, all memory.
  /// - Complexity: O(host pages).
  /// - Throws: `.misaligned`, `.beyondLimit`, `.notPresent`, `.noMemory`, `.refused`; part of the range may be resident then.
  public func populate(_ range: PhysicalRange) throws(ArenaError) {
    let place = try requireMemory(range)
    guard madvise(place, Int(range.count.rawValue), HostAddresses.populateWrite) != 0 else { return }
    switch errno {
    case EINVAL: touch(range)
    case ENOMEM: throw .noMemory(range.count)
    case let number: throw .refused(.populate, errno: number)
    }
  }

  /// Populates page by page.
  func touch(_ range: PhysicalRange) {
    let place = HostAddresses.pointer(base + range.start.rawValue)
    host_touch(place, Int(range.count.rawValue), Int(HostAddresses.pageSize.rawValue))
  }

  /// Gives the host memory of `range` back. It reads as zero from then on, and is memory as before. The caller holds the frames.
  ///
  /// Linux: `fallocate(FALLOC_FL_PUNCH_HOLE)`, `madvise(MADV_DONTNEED)`; for a machine, free page reporting to its hypervisor.
  ///
  /// - Parameter range: whole units, all memory, in which no memmap lives.
  /// - Complexity: O(resident host pages).
  /// - Throws: `.misaligned`, `.beyondLimit`, `.notPresent`.
  public func discard(_ range: PhysicalRange) throws(ArenaError) {
    let place = try requireMemory(range)
    if file >= 0 { return punch(range) }
    let status = madvise(place, Int(range.count.rawValue), MADV_DONTNEED)
    precondition(status == 0, "the host cannot take back a part of a private mapping")
  }

  /// Bytes of host memory that stand behind the arena now, memmaps in its frames included. Of a memfd, what was swapped out
  /// counts too; of anonymous memory it does not, and pages that were read but never written may count.
  ///
  /// - Complexity: O(1) for a memfd, O(host pages) for anonymous memory.
  /// - Throws: `.refused`.
  public var residentBytes: ByteCount {
    get throws(ArenaError) {
      guard file >= 0 else { return try countResidentPages() }
      var status = stat()
      guard fstat(file, &status) == 0 else { throw .refused(.measure, errno: errno) }
      // Blocks are of 512 bytes whatever the file system says of its own.
      return ByteCount(UInt64(status.st_blocks) * 512)
    }
  }

  private func countResidentPages() throws(ArenaError) -> ByteCount {
    let page = HostAddresses.pageSize
    var marks = [UInt8](repeating: 0, count: 1 << 16)
    var pages: UInt64 = 0
    for range in ranges {
      var place = range.start
      while place < range.end {
        let count = min((range.end - place) / page, UInt64(marks.count))
        let length = page * count
        // Where memory went away since the ranges were read, addresses without pages are left.
        guard mincore(HostAddresses.pointer(base + place.rawValue), Int(length.rawValue), &marks) == 0 else {
          throw .refused(.measure, errno: errno)
        }
        for mark in marks[..<Int(count)] { pages += UInt64(mark & 1) }
        place += length
      }
    }
    return page * pages
  }

  /// Where `range` is.
  private func requireMemory(_ range: PhysicalRange) throws(ArenaError) -> UnsafeMutableRawPointer {
    try Arena.check(range, unit, limit: limit)
    guard contains(range) else { throw .notPresent(range) }
    return HostAddresses.pointer(base + range.start.rawValue)
  }
}
