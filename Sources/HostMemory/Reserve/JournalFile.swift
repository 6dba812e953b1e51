#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// A journal in a file, `/run/megalith/reserve.journal` by default: memory, which a reboot clears as it clears what the journal
/// is about. A lock on the file tells whether its writer lives.
public final class JournalFile: ReserveJournal {
  public static let standardPath = "/run/megalith/reserve.journal"

  public let path: String
  private var descriptor: Int32 = -1

  public init(path: String = standardPath) { self.path = path }

  deinit { if descriptor >= 0 { close(descriptor) } }

  public func begin() throws(ReserveJournalError) {
    let folder = String(path[..<(path.lastIndex(of: "/") ?? path.startIndex)])
    if !folder.isEmpty, mkdir(folder, 0o700) != 0, errno != EEXIST { throw failure() }
    descriptor = open(path, O_RDWR | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0o600)
    if descriptor < 0 {
      guard errno == EEXIST else { throw failure() }
      try openExisting()
      close(descriptor)
      descriptor = -1
      throw .unfinished(path: path)
    }
    guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else { throw .running(path: path) }
  }

  public func append(_ line: String) throws(ReserveJournalError) {
    let bytes = Array((line + "\n").utf8)
    let written = write(bytes)
    guard written == bytes.count else { throw written < 0 ? failure() : .failed(path: path, code: ENOSPC) }
    guard fsync(descriptor) == 0 || errno == EINVAL else { throw failure() }
  }

  public func takeOver() throws(ReserveJournalError) -> [String] {
    try openExisting()
    var content: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 64 << 10)
    while true {
      let count = chunk.withUnsafeMutableBytes { read(descriptor, $0.baseAddress, $0.count) }
      guard count >= 0 else { throw failure() }
      if count == 0 { break }
      content.append(contentsOf: chunk[..<count])
    }
    let whole = content.lastIndex(of: 0x0a).map { content[...$0] } ?? []
    return whole.split(separator: 0x0a).map { String(decoding: $0, as: UTF8.self) }
  }

  public func finish() throws(ReserveJournalError) {
    // The file goes before its lock does, so that nobody takes it for one that was left behind.
    guard unlink(path) == 0 else { throw failure() }
    close(descriptor)
    descriptor = -1
  }

  private func openExisting() throws(ReserveJournalError) {
    descriptor = open(path, O_RDWR | O_APPEND | O_CLOEXEC)
    guard descriptor >= 0 else {
      guard errno == ENOENT else { throw failure() }
      throw .none(path: path)
    }
    guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else { throw .running(path: path) }
  }

  /// The offset means nothing to a file that is open for appending.
  private func write(_ bytes: [UInt8]) -> Int {
    bytes.withUnsafeBytes { pwrite(descriptor, $0.baseAddress, $0.count, 0) }
  }

  private func failure() -> ReserveJournalError {
    errno == EACCES || errno == EPERM || errno == EROFS ? .denied(path: path) : .failed(path: path, code: errno)
  }
}
