public import MemoryUnits
public import Mobility

/// What somebody who pins will do with the frames.
public struct PinOptions: OptionSet, Hashable, Sendable {
  public let rawValue: UInt8
  public init(rawValue: UInt8) { self.rawValue = rawValue }

  /// Write to them. Linux: `FOLL_WRITE`.
  public static var write: PinOptions { PinOptions(rawValue: 1) }
  /// Keep them for long: they are moved first where they lie in memory that is to stay movable. Linux: `FOLL_LONGTERM`.
  public static var longTerm: PinOptions { PinOptions(rawValue: 2) }

  var access: Access { contains(.write) ? .write : .read }
}

/// Why frames were not pinned or unpinned; all counts are as before.
public enum PinError: Error, Hashable, Sendable {
  /// The address could not be faulted in.
  case fault(FaultError)
  /// The range is empty, or does not begin and end between base pages.
  case misaligned(VirtualRange)
  /// The page is to be kept for long, and cannot leave memory that is to stay movable.
  case nowhereToMigrate(FrameNumber, MigrationError)
  /// The folio has as many pins as can be counted.
  case tooManyPins(FrameNumber, pins: UInt32)
  /// The folio of the frame has fewer pins than are to be given back.
  case notPinned(FrameNumber, wanted: UInt32, pins: UInt32)
}
