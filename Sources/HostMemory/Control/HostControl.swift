public import SystemPackage

/// Everything through which a host is changed, so that a model of a kernel can stand in for one.
///
/// Reading goes through ``root``; nothing but these calls writes, waits, or starts a process. Implementations are used by one
/// thread at a time.
public protocol HostControl: AnyObject {
  /// Where the host's files are read.
  var root: Sysroot { get }

  /// Writes once to a file that exists, by a path without the leading slash.
  ///
  /// - Parameter limit: ends a write that the kernel does not finish in time with `.interrupted`; nil waits.
  /// - Returns: how many bytes were taken.
  func write(_ bytes: [UInt8], to path: String, limit: Duration?) throws(Errno) -> Int

  /// Opens a file for writing and closes it, which tells whether it could be written and changes nothing.
  func checkWritable(_ path: String) throws(Errno)

  /// Time that only goes forward, from any start.
  var now: Duration { get }

  func sleep(_ duration: Duration)

  /// Has a child process hold memory within limits, and release it with its end. Returns when the child is gone.
  func touch(_ limits: TouchLimits) throws(TouchError) -> TouchReport

  /// Whether the operator wants the work to stop.
  var isInterrupted: Bool { get }
}

extension HostControl {
  /// A setting takes effect or not at all, so that an interrupted write may simply be done again.
  private static var attempts: Int { 3 }

  /// Writes a setting: a text and a line end, in one write.
  ///
  /// - Parameter insists: goes on although the operator asked for the end, to put things back.
  /// - Throws: ``HostWriteError``. A write that a signal ended is done again, unless the operator asked for the end or `limit` is
  ///   over.
  public func set(
    _ path: String, to value: String, limit: Duration? = nil, insists: Bool = false
  ) throws(HostWriteError) {
    let bytes = Array((value + "\n").utf8)
    let start = now
    var left = Self.attempts
    while true {
      left -= 1
      let written: Int
      do throws(Errno) {
        written = try write(bytes, to: path, limit: limit)
      } catch {
        let isOver = limit.map { now - start >= $0 } ?? false
        guard error == .interrupted, left > 0, insists || !isInterrupted, !isOver else { throw HostWriteError(error, path: path) }
        continue
      }
      guard written == bytes.count else { throw .short(path: path, written: written, of: bytes.count) }
      return
    }
  }
}

extension HostControl {
  /// Throws what a write would meet, as far as that shows without writing.
  func requireWritable(_ path: String) throws(HostWriteError) {
    do throws(Errno) { try checkWritable(path) } catch { throw HostWriteError(error, path: path) }
  }
}

extension HostWriteError {
  init(_ error: Errno, path: String) {
    switch error {
    case .noSuchFileOrDirectory, .notDirectory: self = .missing(path: path)
    case .permissionDenied, .notPermitted: self = .denied(path: path)
    case .readOnlyFileSystem: self = .readOnly(path: path)
    case .interrupted: self = .interrupted(path: path)
    default: self = .failed(path: path, code: error.rawValue)
    }
  }
}
