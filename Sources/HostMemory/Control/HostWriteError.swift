/// Why a setting of the host could not be written.
///
/// Every case is the operator's or the kernel's doing. Only ``short(path:written:of:)`` may have changed something; read the file
/// again to learn what.
public enum HostWriteError: Error, Hashable, Sendable {
  /// The kernel has no such setting.
  case missing(path: String)
  /// Only a more privileged user may write it.
  case denied(path: String)
  /// The file lies on a file system that is mounted for reading only, as in most containers.
  case readOnly(path: String)
  /// A signal or a time limit ended the write.
  case interrupted(path: String)
  /// The kernel took only the front of what was written, in bytes.
  case short(path: String, written: Int, of: Int)
  /// The kernel refused; its error number.
  case failed(path: String, code: Int32)

  public var path: String {
    switch self {
    case .missing(let path), .denied(let path), .readOnly(let path), .interrupted(let path), .short(let path, _, _),
      .failed(let path, _):
      path
    }
  }
}

extension HostWriteError: CustomStringConvertible {
  public var description: String {
    switch self {
    case .missing(let path): "\(path): not there"
    case .denied(let path): "\(path): permission denied"
    case .readOnly(let path): "\(path): read-only file system"
    case .interrupted(let path): "\(path): the write was interrupted"
    case .short(let path, let written, let count): "\(path): only \(written) of \(count) bytes were taken"
    case .failed(let path, let code): "\(path): write refused, error \(code)"
    }
  }
}
