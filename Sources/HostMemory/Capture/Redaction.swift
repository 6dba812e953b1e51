import MemoryUnits
import PhysicalLayout

/// What of a host's files goes into a capture.
enum Redaction {
  /// Settings of `/proc/sys/vm` that a verdict needs.
  static let settings = ["movable_gigantic_pages"]

  /// `Linux version 6.12.95+deb12-amd64`, without the builder's name and host.
  static func version(_ content: [UInt8]) -> [UInt8] {
    let fields = content.prefix { $0 != 0x0a }.fields
    return Array(fields.prefix(3).joined(separator: [0x20])) + [0x0a]
  }

  /// Only the parameters that concern memory.
  static func commandLine(_ content: [UInt8]) -> [UInt8] {
    KernelCommandLine(parsing: Array(content.prefix { $0 != 0x0a })).memoryKeysOnly + [0x0a]
  }

  /// System memory and reserved ranges as they are, the kernel's own range rounded to 2 MiB, all else without names.
  static func resources(_ content: [UInt8]) -> [UInt8] {
    var lines: [String] = []
    var kernel: (start: UInt64, last: UInt64)?
    func flushKernel() {
      guard let range = kernel else { return }
      let granule: UInt64 = 2 << 20
      let last = (range.last | (granule - 1))
      lines.append("  \(address(range.start & ~(granule - 1)))-\(address(last)) : Kernel")
      kernel = nil
    }
    for (_, line) in TextLines(content) {
      guard let colon = line.firstIndex(of: 0x3a) else { continue }
      let name = line[(colon + 1)...].trimmed
      let ends = line[..<colon].trimmed.split(separator: 0x2d)
      guard ends.count == 2, let start = ends[0].hexadecimal, let last = ends[1].hexadecimal else { continue }
      if line.first == 0x20 {
        if name.starts(with: "System RAM") { lines.append("  \(address(start))-\(address(last)) : System RAM") }
        guard name.starts(with: "Kernel") else { continue }
        kernel = (min(kernel?.start ?? start, start), max(kernel?.last ?? last, last))
        continue
      }
      flushKernel()
      let isKnown = name.starts(with: "System RAM") || name.starts(with: "Reserved") || name.starts(with: "reserved")
      let shown = !isKnown ? "device" : name.starts(with: "System RAM") ? "System RAM" : "Reserved"
      lines.append("\(address(start))-\(address(last)) : \(shown)")
    }
    flushKernel()
    return Array((lines.joined(separator: "\n") + "\n").utf8)
  }

  private static func address(_ value: UInt64) -> String {
    let digits = String(value, radix: 16)
    return String(repeating: "0", count: max(0, 8 - digits.count)) + digits
  }

  /// Processes that can be suspects: all with pinned or locked memory, and those with the most page tables.
  static func processes(_ all: [ProcessMemory]) -> [ProcessMemory] {
    let mapping = Set(all.sorted { $1.pageTables < $0.pageTables }.prefix(10).map(\.id))
    return all.filter { $0.pinned > .zero || $0.locked > .zero || mapping.contains($0.id) }
  }

  static func status(_ process: ProcessMemory) -> String {
    func kilobytes(_ amount: ByteCount) -> UInt64 { amount / .kibibytes(1) }
    return """
      Name:\t\(process.name)
      VmLck:\t\(kilobytes(process.locked)) kB
      VmPin:\t\(kilobytes(process.pinned)) kB
      VmPTE:\t\(kilobytes(process.pageTables)) kB

      """
  }
}
