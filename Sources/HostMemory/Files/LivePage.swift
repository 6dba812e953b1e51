#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// The machine's base page.
enum LivePage {
  static var size: Int { sysconf(Int32(_SC_PAGESIZE)) }
}
