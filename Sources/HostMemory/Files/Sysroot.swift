import FoundationEssentials
import PhysicalLayout
import SystemPackage

/// The folder below which a host's `/proc` and `/sys` are read: `/` for the machine this runs on, or a capture.
///
/// Paths are given without the leading slash (`proc/meminfo`) and appear so in every error.
public struct Sysroot: Sendable {
  public let folder: FilePath
  /// What stands before each path.
  private let prefix: String

  public init(_ folder: String) {
    self.folder = FilePath(folder)
    let text = self.folder.string
    prefix = text.isEmpty || text.hasSuffix("/") ? text : text + "/"
  }

  /// The whole of a file that a user named, by the path as it was given.
  public static func readFile(_ path: String) throws(HostFileError) -> [UInt8] { try Sysroot(".").read(path) }

  /// The running machine.
  public static let live = Sysroot("/")

  public var isLive: Bool { folder == FilePath("/") }

  /// Opens a file for reading.
  public func open(_ path: String) throws(HostFileError) -> HostFile {
    do {
      // A path of parts is taken apart and put together again for each file, and a survey opens hundreds.
      let whole = path.hasPrefix("/") ? path : prefix + path
      return HostFile(descriptor: try whole.withCString { try FileDescriptor.open($0, .readOnly) }, path: path)
    } catch {
      throw HostFileError(error, path: path)
    }
  }

  /// The whole of a small file.
  ///
  /// - Throws: `.damaged` where the file exceeds `limit`, so that no input can exhaust memory.
  public func read(_ path: String, limit: Int = 64 << 20) throws(HostFileError) -> [UInt8] {
    let file = try open(path)
    var content: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 64 << 10)
    while true {
      let count = try file.read(into: &chunk)
      if count == 0 { return content }
      content.append(contentsOf: chunk[..<count])
      if content.count > limit { throw .damaged(path: path, line: nil, reason: "larger than \(limit >> 20) MiB") }
    }
  }

  /// The first line of a one-line file, without its end.
  public func readLine(_ path: String) throws(HostFileError) -> String {
    let content = try readText(path)
    return String(decoding: content.prefix { $0 != 0x0a }, as: UTF8.self)
  }

  /// The number that a one-line file holds.
  public func readNumber(_ path: String) throws(HostFileError) -> UInt64 {
    let content = try readText(path)
    guard let number = content.prefix(while: { $0 != 0x0a }).decimal else {
      throw .damaged(path: path, line: LineNumber(1), reason: "not a number")
    }
    return number
  }

  /// A text file that the kernel, or a capture, ends with a line end: one without was cut off.
  public func readText(_ path: String) throws(HostFileError) -> [UInt8] {
    let content = try read(path)
    if let last = content.last, last != 0x0a {
      let lines = content.reduce(UInt64(1)) { $1 == 0x0a ? $0 + 1 : $0 }
      throw .damaged(path: path, line: LineNumber(lines), reason: "the last line has no end: cut off")
    }
    return content
  }

  /// The names in a folder, sorted; none where there is no such folder.
  public func list(_ path: String) throws(HostFileError) -> [String] {
    do {
      return try FileManager.default.contentsOfDirectory(atPath: folder.appending(path).string).sorted()
    } catch let error as CocoaError where error.code == .fileReadNoPermission {
      throw .denied(path: path)
    } catch {
      return []
    }
  }

  /// Whether there is such a file or folder; one that may not be looked for counts as there.
  public func exists(_ path: String) -> Bool {
    do {
      _ = try open(path)
      return true
    } catch {
      if case .missing = error { return false }
      return true
    }
  }
}

/// An open file; closes with its last reference.
public final class HostFile {
  private let descriptor: FileDescriptor
  public let path: String

  init(descriptor: FileDescriptor, path: String) {
    self.descriptor = descriptor
    self.path = path
  }

  deinit { try? descriptor.close() }

  /// Fills the front of `buffer`, and returns how many bytes came; 0 at the end of the file.
  public func read(into buffer: inout [UInt8]) throws(HostFileError) -> Int {
    do {
      return try buffer.withUnsafeMutableBytes { try descriptor.read(into: $0) }
    } catch {
      throw HostFileError(error, path: path)
    }
  }

  /// Moves to an absolute place, in bytes.
  public func seek(to offset: UInt64) throws(HostFileError) {
    do {
      try descriptor.seek(offset: Int64(clamping: offset), from: .start)
    } catch {
      throw HostFileError(error, path: path)
    }
  }
}

extension HostFileError {
  init(_ error: any Error, path: String) {
    switch error as? Errno {
    case .noSuchFileOrDirectory?, .notDirectory?: self = .missing(path: path)
    case .permissionDenied?, .notPermitted?: self = .denied(path: path)
    case let code?: self = .failed(path: path, code: code.rawValue)
    case nil: self = .failed(path: path, code: 0)
    }
  }
}
