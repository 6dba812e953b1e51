public import AddressSpaces
public import FrameAllocator
public import FrameMap
public import Hotplug
public import MemoryUnits

/// What a machine's books disagree about.
public enum MachineFault: Error, Hashable, Sendable {
  case map(FrameMapInconsistency)
  case zone(ZoneIndex, FolioZoneFault)
  /// Address spaces, huge pools.
  case memory(MemoryFault)
  /// Memory that came or went.
  case hotplug(HotplugFault)
  /// The zone has other frames than its memory less what the boot kept, and what came and went.
  case managed(ZoneIndex, said: FrameCount, counted: FrameCount)
}

extension Machine {
  /// Recounts everything from scratch. Only while nobody uses the machine.
  ///
  /// - Returns: the frames of all folios, boot-time huge pages that nobody freed among them.
  /// - Complexity: O(sections + nodes of the zones' trees + folios).
  @discardableResult public borrowing func checkInvariants() throws(MachineFault) -> FrameCount {
    do { try map.checkInvariants() } catch { throw .map(error) }
    var held = FrameCount.zero
    for index in zones.indices {
      do { held += try zones[index].checkInvariants() } catch { throw .zone(index, error) }
      let given = zones.descriptions[Int(index.rawValue)].memory
        .reduce(FrameCount.zero) { sum, range in boot.free(in: range).reduce(sum) { $0 + $1.count } }
      let counted = FrameCount(UInt64(Int64(given.rawValue) + hotplug.managedChange(of: index)))
      let said = zones[index].managed
      guard said == counted else { throw .managed(index, said: said, counted: counted) }
    }
    do { try hotplug.checkInvariants(map: map, zones: zones) } catch { throw .hotplug(error) }
    do { try memory.checkInvariants() } catch { throw .memory(error) }
    return held
  }
}
