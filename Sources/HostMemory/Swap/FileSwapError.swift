public import AddressSpaces
public import MemoryUnits

/// Why a file cannot be a swap device. It is as it was before, or not there where it was not.
public enum FileSwapError: Error, Hashable, Sendable {
  /// What stands under that name is no regular file.
  case notRegular(path: String)
  /// Another device uses the file.
  case inUse(path: String)
  /// The file system has no room for what the file is to have more.
  case noSpace(path: String, wanted: ByteCount, available: ByteCount)
  /// More slots than a file has room for.
  case tooLarge(path: String, slots: SlotCount)
  /// The file cannot be opened, locked or sized; the system's error number.
  case unusable(path: String, code: Int32)
}

extension FileSwapError: CustomStringConvertible {
  public var description: String {
    switch self {
    case .notRegular(let path): "\(path): not a regular file"
    case .inUse(let path): "\(path): in use as a swap device"
    case .noSpace(let path, let wanted, let available): "\(path): \(wanted) more are wanted, \(available) are available"
    case .tooLarge(let path, let slots): "\(path): \(slots) slots are more than a file can have"
    case .unusable(let path, let code): "\(path): cannot be a swap device, error \(code)"
    }
  }
}
