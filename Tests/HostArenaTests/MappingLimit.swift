import Glibc

/// Uses up the mappings that a process may have, for tests in processes of their own. Whoever holds it allocates little.
///
/// Mappings are made by giving every second page another protection; a page that gets its neighbours' protection back frees
/// two.
struct MappingLimit {
  private let start: UnsafeMutableRawPointer
  private let length = 400_000 * 4096
  private var pages = 0
  /// Two pages, to free a single mapping with.
  private let odd: UnsafeMutableRawPointer

  init?() {
    let flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE
    guard let start = mmap(nil, length, PROT_NONE, flags, -1, 0), start != MAP_FAILED,
      let odd = mmap(nil, 4 * 4096, PROT_NONE, flags, -1, 0), odd != MAP_FAILED,
      mprotect(odd + 4096, 4096, PROT_READ) == 0, mprotect(odd + 2 * 4096, 4096, PROT_WRITE) == 0
    else { return nil }
    self.start = start
    self.odd = odd
    while mprotect(start + (2 * pages + 1) * 4096, 4096, PROT_READ) == 0 {
      pages += 1
      if (2 * pages + 2) * 4096 >= length { return nil }
    }
  }

  /// Makes room for so many mappings.
  mutating func free(_ count: Int) {
    for _ in 0..<count / 2 {
      pages -= 1
      mprotect(start + (2 * pages + 1) * 4096, 4096, PROT_NONE)
    }
    if count % 2 == 1 { mprotect(odd + 2 * 4096, 4096, PROT_READ) }
  }

  /// Gives all mappings back.
  func release() {
    munmap(start, length)
    munmap(odd, 4 * 4096)
  }

  /// Mappings of the process now.
  static func count() -> Int {
    guard let file = fopen("/proc/self/maps", "r") else { return 0 }
    defer { fclose(file) }
    var lines = 0
    var character = fgetc(file)
    while character != EOF {
      if character == 10 { lines += 1 }
      character = fgetc(file)
    }
    return lines
  }

  /// Open files of the process now.
  static func files() -> Int {
    var open = 0
    for file in 0..<256 as Range<Int32> where fcntl(file, F_GETFD) >= 0 { open += 1 }
    return open
  }
}
