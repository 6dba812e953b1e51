import MemoryUnits

/// `/proc/meminfo` or `/proc/vmstat`: a number per name, in the order of the file.
public struct KeyedNumbers: Sendable {
  private var numbers: [String: UInt64] = [:]

  /// Reads `Name:   123 kB` lines as well as `name 123` ones. Kilobytes become bytes.
  public init(parsing content: [UInt8], path: String) throws(HostFileError) {
    for (number, line) in TextLines(content) {
      let fields = line.fields
      guard let first = fields.first else { continue }
      let name = first.last == 0x3a ? first.dropLast() : first
      guard fields.count >= 2, let value = fields[1].decimal else {
        throw .damaged(path: path, line: number, reason: "no number after \(name.text)")
      }
      let isKilobytes = fields.count >= 3 && fields[2] == "kB"
      let (bytes, overflowed) = value.multipliedReportingOverflow(by: isKilobytes ? 1024 : 1)
      guard !overflowed else { throw .damaged(path: path, line: number, reason: "\(name.text) is out of range") }
      numbers[name.text] = bytes
    }
  }

  public subscript(_ name: String) -> UInt64? { numbers[name] }

  /// An amount of memory, for names that the file gives in kilobytes.
  public func bytes(_ name: String) -> ByteCount? { numbers[name].map(ByteCount.init(_:)) }
}
