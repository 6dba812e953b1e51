#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

import FoundationEssentials
import SystemPackage

/// Why a file of settings or numbers was not written. What stood there before still stands there.
public enum FileWriteError: Error, Hashable, Sendable {
  /// The folder is not there.
  case missing(path: String)
  case denied(path: String)
  /// The file lies on a file system that is mounted for reading only.
  case readOnly(path: String)
  /// A file of that name is there, and somebody else wrote it.
  case foreign(path: String)
  /// Writing failed otherwise; the system's error number.
  case failed(path: String, code: Int32)

  public var path: String {
    switch self {
    case .missing(let path), .denied(let path), .readOnly(let path), .foreign(let path), .failed(let path, _): path
    }
  }

  init(_ error: Errno, path: String) {
    switch error {
    case .noSuchFileOrDirectory, .notDirectory: self = .missing(path: path)
    case .permissionDenied, .notPermitted: self = .denied(path: path)
    case .readOnlyFileSystem: self = .readOnly(path: path)
    default: self = .failed(path: path, code: error.rawValue)
    }
  }
}

/// A file's new content, complete on disk beside the file, that takes its place in one step.
///
/// A reader sees the old content or the new one, never a part. Consumed by ``commit()``; one that is dropped takes its
/// draft away.
public struct FileReplacement: ~Copyable {
  private let draft: String
  private let target: String
  /// As errors name it.
  private let name: String
  private var isPending = true

  /// Writes the draft. The folder must be there.
  ///
  /// - Parameters:
  ///   - target: the file's path.
  ///   - name: how errors call it; nil for `target`.
  ///   - draftName: the last part of the draft's path; no file of that name may be there. Names that begin with a dot are passed
  ///     over by those who read whole folders.
  public init(of target: String, with text: String, name: String? = nil, draftName: String) throws(FileWriteError) {
    self.name = name ?? target
    let folder = FilePath(target).removingLastComponent()
    let draft = folder.appending(draftName).string
    do {
      try Self.write(text, to: draft)
    } catch {
      throw FileWriteError(error as? Errno ?? .ioError, path: name ?? target)
    }
    self.draft = draft
    self.target = target
  }

  /// A name for the draft of a file that no other process uses.
  public static func draftName(for target: String) -> String {
    ".\(FilePath(target).lastComponent?.string ?? "file").\(LiveProcess.id)"
  }

  private static func write(_ text: String, to draft: String) throws {
    let descriptor = try FileDescriptor.open(
      FilePath(draft), .writeOnly, options: [.create, .exclusiveCreate],
      permissions: [.ownerReadWrite, .groupRead, .otherRead])
    do {
      try descriptor.closeAfter {
        _ = try descriptor.writeAll(text.utf8)
        // Without it a crash could leave an empty file under the final name.
        if fsync(descriptor.rawValue) != 0 { throw Errno(rawValue: errno) }
      }
    } catch {
      unlink(draft)
      throw error
    }
  }

  /// Puts the draft in the file's place.
  public consuming func commit() throws(FileWriteError) {
    guard rename(draft, target) == 0 else { throw FileWriteError(Errno(rawValue: errno), path: name) }
    isPending = false
  }

  deinit {
    if isPending { unlink(draft) }
  }
}
