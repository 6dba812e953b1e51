import MemoryUnits
import PhysicalLayout

/// Why a block of memory is left alone.
struct MemoryBlockRefusal: Error {
  let reason: String
}

/// A block of memory that is online, and in which zone, so that it can come back as it was.
struct RecordedBlock {
  let number: MemoryBlockNumber
  let zone: String

  init(number: MemoryBlockNumber, zone: String) {
    self.number = number
    self.zone = zone
  }

  /// Refuses blocks that are not online, lie in several zones, or in one that no word brings them back to: `online_kernel`
  /// chooses among the kernel's zones by address, so that only the highest of them is sure.
  init(_ number: MemoryBlockNumber, of root: Sysroot) throws(MemoryBlockRefusal) {
    let state = try? root.readLine(Self.statePath(of: number))
    guard state == "online" else {
      throw MemoryBlockRefusal(reason: "block \(number) was left alone: its state is \(state ?? "unknown")")
    }
    let zone = (try? root.readLine(Self.zonesPath(of: number))) ?? "unknown"
    guard Self.onlineWord(of: zone) != nil else {
      throw MemoryBlockRefusal(reason: "block \(number) was left alone: its valid_zones says \(zone), not Normal or Movable")
    }
    self.init(number: number, zone: zone)
  }

  static func statePath(of number: MemoryBlockNumber) -> String { "sys/devices/system/memory/memory\(number.rawValue)/state" }
  static func zonesPath(of number: MemoryBlockNumber) -> String {
    "sys/devices/system/memory/memory\(number.rawValue)/valid_zones"
  }

  private static func onlineWord(of zone: String) -> String? {
    switch zone {
    case "Normal": "online_kernel"
    case "Movable": "online_movable"
    default: nil
    }
  }

  var statePath: String { Self.statePath(of: number) }
  var onlineWord: String { Self.onlineWord(of: zone) ?? "online" }

  func isOffline(of root: Sysroot) -> Bool { (try? root.readLine(statePath)) == "offline" }

  /// Brings the block online in its zone again.
  ///
  /// - Returns: what went wrong; nil where the block is as it was.
  func bringBack(through host: any HostControl) -> String? {
    let allowed = (try? host.root.readLine(Self.zonesPath(of: number)))?.split(separator: " ").map(String.init) ?? []
    guard allowed.contains(zone) else {
      return
        "block \(number) is offline and may not come back to zone \(zone): its valid_zones says \(allowed.joined(separator: " "))"
    }
    do throws(HostWriteError) {
      try host.set(statePath, to: onlineWord, insists: true)
    } catch {
      return "block \(number) is offline and did not come back: \(error)"
    }
    let found = (try? host.root.readLine(Self.zonesPath(of: number))) ?? "unknown"
    guard !isOffline(of: host.root), found == zone else {
      return "block \(number) came back to zone \(found), and was in \(zone)"
    }
    return nil
  }
}
