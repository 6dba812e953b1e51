import FrameAllocator
import FrameMap
import MemoryUnits
import Mobility
import PhysicalLayout

extension ZoneSet {
  /// Whether a folio lies where it may be pinned for long: neither in a zone that is to stay movable, nor in a contiguous area.
  ///
  /// Linux: `folio_is_longterm_pinnable`.
  borrowing func allowsLongTermPins(_ head: FrameNumber) -> Bool {
    guard let index = zone(of: head) else { return false }
    return descriptions[Int(index.rawValue)].kind != .movable
      && self[index].mobility(ofPageblockOf: head) != .contiguous
  }
}

extension VirtualMemory {
  /// Moves a page out of memory that is to stay movable, before it is pinned for long.
  ///
  /// Linux: `migrate_longterm_unpinnable_folios`.
  func leaveMovableMemory(
    _ entry: PageEntry, holding held: HeldSpace, on cpu: CPUIndex
  ) throws(PinError) {
    guard !zones.allowsLongTermPins(entry.frame) else { return }
    let folio = folio(of: entry)
    let node = zones.zone(of: entry.frame).map { zones.descriptions[Int($0.rawValue)].node } ?? NodeID(0)
    do throws(MigrationError) {
      let target: Folio
      do throws(FolioError) {
        // What cannot move never lands where everything must.
        target = try zones.allocateAnyOrder(folio.order, FrameRequest(.unmovable, node: node), on: cpu)
      } catch {
        guard case .exhausted(let wanted, let largest) = error else {
          throw .noRoom(wanted: folio.order.frames, largestFree: .zero)
        }
        throw .noRoom(wanted: wanted, largestFree: largest)
      }
      try zones.migrate(folio, to: target, with: migration(on: cpu, holding: [held]))
    } catch {
      throw .nowhereToMigrate(entry.frame, error)
    }
  }
}
