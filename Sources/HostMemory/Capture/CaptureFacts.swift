import MemoryUnits
import PhysicalLayout

/// What a capture says of the machine that no file of `/proc` does.
enum CaptureFacts {
  static let path = "megalith-capture"
  static let header: StaticString = "megalith.capture/1"
}

extension HostReports {
  /// The base page: this process's on a live host, what a capture says otherwise, else 4 KiB.
  static func baseShift(of root: Sysroot) throws(HostFileError) -> PageShift {
    if root.isLive { return LivePage.shift }
    guard root.exists(CaptureFacts.path) else { return PageShift(12) }
    for (number, line) in TextLines(try root.read(CaptureFacts.path, limit: 1 << 20)) {
      let fields = line.fields
      if number == LineNumber(1), !(fields.first.map { $0 == CaptureFacts.header } ?? false) {
        throw .damaged(path: CaptureFacts.path, line: LineNumber(1), reason: "not a capture of a known version")
      }
      if fields.count == 2, fields[0] == "basePage" {
        guard let bytes = fields[1].decimal, bytes.nonzeroBitCount == 1, (12...16).contains(bytes.trailingZeroBitCount)
        else { throw .damaged(path: CaptureFacts.path, line: number, reason: "not a base page size") }
        return PageShift(UInt8(bytes.trailingZeroBitCount))
      }
    }
    throw .damaged(path: CaptureFacts.path, line: LineNumber(1), reason: "names no base page size")
  }
}
