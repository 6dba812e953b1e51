import PhysicalLayout

/// Why something of the host could not be read.
///
/// Every case is data's or the operator's doing, never a programmer's; the command line turns them into exit codes.
public enum HostFileError: Error, Hashable, Sendable {
  /// The file is not there: an older kernel, another system, or an empty sysroot.
  case missing(path: String)
  /// The file is there, and only a more privileged user may read it.
  case denied(path: String)
  /// Reading failed otherwise.
  case failed(path: String, code: Int32)
  /// The file holds something else than its format allows. No line where the file has none.
  case damaged(path: String, line: LineNumber?, reason: String)

  public var path: String {
    switch self {
    case .missing(let path), .denied(let path), .failed(let path, _), .damaged(let path, _, _): path
    }
  }
}

extension HostFileError: CustomStringConvertible {
  public var description: String {
    switch self {
    case .missing(let path): "\(path): not there"
    case .denied(let path): "\(path): permission denied"
    case .failed(let path, let code): "\(path): read failed, error \(code)"
    case .damaged(let path, let line?, let reason): "\(path):\(line): \(reason)"
    case .damaged(let path, nil, let reason): "\(path): \(reason)"
    }
  }
}
