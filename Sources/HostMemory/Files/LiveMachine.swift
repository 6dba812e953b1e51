#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

import MemoryUnits

/// The machine's base page.
enum LivePage {
  static var shift: PageShift { PageShift(UInt8(sysconf(Int32(_SC_PAGESIZE)).trailingZeroBitCount)) }
}

/// This process.
enum LiveProcess {
  static var id: UInt32 { UInt32(bitPattern: getpid()) }
}
