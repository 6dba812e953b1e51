import MemoryUnits
public import PhysicalLayout

/// Why a reservation, a release or an undo ended before its end.
public enum ReserveStop: Error, Hashable, Sendable {
  /// The operator asked for it.
  case interrupted
  /// The time that was given is over.
  case timeout
  /// Somebody else changed a pool meanwhile: pages that were expected and found.
  case otherWriter(path: String, expected: HugePageCount, found: HugePageCount)
  case write(HostWriteError)
  case host(HostFileError)
  case journal(ReserveJournalError)
}

extension ReserveStop: CustomStringConvertible {
  public var description: String {
    switch self {
    case .interrupted: "interrupted"
    case .timeout: "the time is over"
    case .otherWriter(let path, let expected, let found):
      "\(path) was changed by somebody else: \(expected) pages expected, \(found) found"
    case .write(let error): "\(error)"
    case .host(let error): "\(error)"
    case .journal(let error): "\(error)"
    }
  }
}
