import MemoryUnits

/// An address class of a node's frames.
///
/// Linux: `enum zone_type`.
public enum ZoneKind: UInt8, CaseIterable, Comparable, Hashable, Sendable, CustomStringConvertible {
  /// Frames that the narrowest devices can address.
  case dma
  /// Frames that devices with 32 address bits can address.
  case dma32
  /// Frames that the kernel maps directly.
  case normal
  /// Frames beyond the direct map of a 32-bit kernel.
  case highMemory
  /// Frames that hold only what can be moved away.
  case movable

  public static func < (left: ZoneKind, right: ZoneKind) -> Bool { left.rawValue < right.rawValue }

  /// The name as kernels print it: `DMA`, `DMA32`, `Normal`, `HighMem`, `Movable`.
  public var description: String {
    switch self {
    case .dma: "DMA"
    case .dma32: "DMA32"
    case .normal: "Normal"
    case .highMemory: "HighMem"
    case .movable: "Movable"
    }
  }
}

extension ZoneKind {
  /// The kind of that name, as kernels print it.
  public init?(named name: String) {
    for kind in ZoneKind.allCases where Array(kind.description.utf8) == Array(name.utf8) {
      self = kind
      return
    }
    return nil
  }
}

/// A zone's upper bound on an architecture.
public struct ZoneLimit: Hashable, Sendable {
  public let kind: ZoneKind
  /// The first address above the zone; nil where it reaches to the end of memory.
  public let end: PhysicalAddress?

  public init(_ kind: ZoneKind, below end: PhysicalAddress?) {
    self.kind = kind
    self.end = end
  }
}
