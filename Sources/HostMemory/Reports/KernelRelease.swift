import PhysicalLayout

/// The kernel's release, as far as behaviour depends on it: `6.12.95+deb12-amd64` is 6.12.
public struct KernelRelease: Sendable, Hashable, Comparable, CustomStringConvertible {
  public let major: UInt32
  public let minor: UInt32
  /// The release as the kernel prints it.
  public let text: String

  /// Reads `/proc/version`: `Linux version 6.12.95 (builder@host) ...`.
  public init(parsing content: [UInt8], path: String) throws(HostFileError) {
    let fields = content.prefix { $0 != 0x0a }.fields
    guard let position = fields.firstIndex(where: { $0 == "version" }), fields.count > position + 1 else {
      throw .damaged(path: path, line: LineNumber(1), reason: "no kernel version")
    }
    let numbers = fields[position + 1].split(omittingEmptySubsequences: false, whereSeparator: { !($0 >= 0x30 && $0 <= 0x39) })
    guard numbers.count >= 2, let major = numbers[0].decimal.flatMap(UInt32.init(exactly:)),
      let minor = numbers[1].decimal.flatMap(UInt32.init(exactly:))
    else { throw .damaged(path: path, line: LineNumber(1), reason: "not a kernel release: \(fields[position + 1].text)") }
    self.major = major
    self.minor = minor
    text = fields[position + 1].text
  }

  public static func < (left: KernelRelease, right: KernelRelease) -> Bool {
    (left.major, left.minor) < (right.major, right.minor)
  }

  public func isAtLeast(_ major: UInt32, _ minor: UInt32) -> Bool { (self.major, self.minor) >= (major, minor) }

  public var description: String { text }
}
