import Foundation
import HostMemory
import SystemPackage
import TestSupport

/// A host that is a folder: writes are recorded and land in its files, time passes when it is told to.
class FolderControl: HostControl {
  struct Write: Equatable {
    let path: String
    let text: String
  }

  /// What a write meets instead of its file.
  enum Fault {
    case error(Errno)
    /// The kernel takes so many bytes.
    case short(Int)
  }

  let folder: TemporaryFolder
  var root: Sysroot { Sysroot(folder.path) }
  private(set) var writes: [Write] = []
  /// By path; the first fault of a path is used up by its next write.
  var faults: [String: [Fault]] = [:]
  var now = Duration.zero
  var isInterrupted = false

  init(_ folder: TemporaryFolder) { self.folder = folder }

  func write(_ bytes: [UInt8], to path: String, limit: Duration?) throws(Errno) -> Int {
    let text = String(decoding: bytes, as: UTF8.self)
    if let fault = faults[path]?.first {
      faults[path]?.removeFirst()
      switch fault {
      case .error(let error): throw error
      case .short(let count): return count
      }
    }
    try checkWritable(path)
    writes.append(Write(path: path, text: text))
    do { try folder.write(path, bytes) } catch { throw .ioError }
    return bytes.count
  }

  func checkWritable(_ path: String) throws(Errno) {
    if case .error(let error)? = faults[path]?.first { throw error }
    guard FileManager.default.fileExists(atPath: "\(folder.path)/\(path)") else { throw .noSuchFileOrDirectory }
  }

  func sleep(_ duration: Duration) { now += duration }

  func touch(_ limits: TouchLimits) throws(TouchError) -> TouchReport { throw .notStarted(code: 0) }
}
