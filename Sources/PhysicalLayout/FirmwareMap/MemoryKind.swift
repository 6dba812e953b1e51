/// What the firmware says a range of physical addresses is.
///
/// Linux: `enum e820_type`.
public enum MemoryKind: Hashable, Sendable, CustomStringConvertible {
  /// Ordinary memory.
  case usable
  case reserved
  /// ACPI tables; memory once they have been read ("ACPI data").
  case acpiReclaimable
  case acpiNVS
  /// Memory in which errors were found.
  case unusable
  /// Persistent memory, as type 7.
  case persistent
  /// Persistent memory as type 12, which firmware used before there was a standard; `memmap=nn!ss` makes it.
  case persistentLegacy
  /// Memory set aside for a purpose, such as a device's driver.
  case softReserved
  /// A type number without a meaning here; 0 and the numbers of the other cases do not occur in a map.
  case other(UInt32)

  /// The kind of an e820 type number. Memory that holds the kernel (128) is usable.
  public init(firmwareType: UInt32) {
    switch firmwareType {
    case 1, 128: self = .usable
    case 2: self = .reserved
    case 3: self = .acpiReclaimable
    case 4: self = .acpiNVS
    case 5: self = .unusable
    case 7: self = .persistent
    case 12: self = .persistentLegacy
    case 0xefff_ffff: self = .softReserved
    default: self = .other(firmwareType)
    }
  }

  /// The e820 type number. Where entries overlap, the higher number wins.
  public var firmwareType: UInt32 {
    switch self {
    case .usable: 1
    case .reserved: 2
    case .acpiReclaimable: 3
    case .acpiNVS: 4
    case .unusable: 5
    case .persistent: 7
    case .persistentLegacy: 12
    case .softReserved: 0xefff_ffff
    case .other(let type): type
    }
  }

  /// Whether this is persistent memory of either type.
  public var isPersistent: Bool { self == .persistent || self == .persistentLegacy }

  /// The words that kernels print: `usable`, `ACPI data`, `persistent (type 7)`.
  public var description: String {
    switch self {
    case .usable: "usable"
    case .reserved: "reserved"
    case .acpiReclaimable: "ACPI data"
    case .acpiNVS: "ACPI NVS"
    case .unusable: "unusable"
    case .persistent: "persistent (type 7)"
    case .persistentLegacy: "persistent (type 12)"
    case .softReserved: "soft reserved"
    case .other(let type): "type " + String(type)
    }
  }
}
