import MemoryUnits
import PhysicalLayout

extension CommandLineProblem.Reason {
  /// What is wrong with a parameter, for people.
  var text: String {
    switch self {
    case .noValue: "it needs a value"
    case .noNumber: "a number is missing"
    case .tooLarge: "a number needs more than 64 bits"
    case .trailingText: "something follows that means nothing"
    case .unknownWord: "none of the words that the key knows"
    case .notAPageSize: "the size is no power of two"
    case .withoutSize: "no valid hugepagesz= stands directly before it"
    case .repeated: "the key counts once, and this is not the first time"
    case .percentAbove100: "more than 100 %"
    }
  }
}

extension FirmwareMapError {
  /// The line that is wrong, from 1 on.
  var line: Int? {
    guard case .malformed(let line, _) = self else { return nil }
    return Int(clamping: line.rawValue)
  }

  /// What is wrong, for people.
  var text: String {
    switch self {
    case .noEntries: "it has no entry"
    case .addressesHidden: "its addresses are hidden: they were read without privilege"
    case .malformed(_, .noAddress): "no address where one must be"
    case .malformed(_, .addressTooLarge): "an address needs more than 64 bits"
    case .malformed(_, .noSeparator): "the sign between two addresses is missing"
    case .malformed(_, .endsBeforeStart): "a range ends before its start"
    case .malformed(_, .unknownKind): "the word for the kind means nothing"
    case .truncatedProperty, .addressTooLarge: "an address is out of range"
    }
  }
}
