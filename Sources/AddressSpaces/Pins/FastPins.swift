import FrameAllocator
import FrameMap
import MemoryUnits
import Synchronization

/// Pins what is mapped already, without a lock.
///
/// Not generic, so that it is compiled once.
///
/// Linux: `gup_fast`.
struct FastPins: Sendable {
  let walk: TableWalk

  /// Pins from `address` on as far as entries allow it as they are.
  ///
  /// - Parameter undo: gives back pins of a folio that an entry does not lead to any more; the last reference may be among them.
  /// - Returns: how many frames; those are recorded.
  func pin<Sink: PinSink>(
    _ address: VirtualAddress, _ count: FrameCount, _ options: PinOptions, in space: AddressSpace, zones: borrowing ZoneSet,
    into sink: inout Sink, on cpu: CPUIndex, undo: (FrameNumber, UInt32) -> Void
  ) -> FrameCount {
    let needed: PageEntry.Marks = options.contains(.write) ? [.readable, .pinnable, .writable] : [.readable, .pinnable]
    // Tables that are taken away meanwhile stay until the section ends.
    return walk.frames.read(on: cpu) {
      var done = FrameCount.zero
      while done < count {
        let at = address + ByteCount(done, walk.shape.baseShift)
        guard at < walk.shape.end else { break }
        let (place, entry) = walk.find(space.root, at, downTo: TableLevel(0))
        guard entry.isLeaf, entry.has(needed) else { break }
        let offset = FrameCount(at - place.address, walk.shape.baseShift, rounded: .down)
        let pages = min(walk.shape.frames(place.level) - offset, count - done)
        guard pin(place, entry, entry.frame + offset, pages, options, zones: zones, undo: undo) else { break }
        sink.record(FrameRange(start: entry.frame + offset, count: pages), walk.frames)
        done += pages
      }
      return done
    }
  }

  /// Pins frames of one entry: looks the folio up, pins it, and looks again.
  private func pin(
    _ place: EntryPlace, _ entry: PageEntry, _ frame: FrameNumber, _ pages: FrameCount, _ options: PinOptions,
    zones: borrowing ZoneSet, undo: (FrameNumber, UInt32) -> Void
  ) -> Bool {
    guard let folio = try? zones.folio(containing: frame), let head = unsafe walk.frames.descriptor(folio.head) else {
      return false
    }
    let count = UInt32(truncatingIfNeeded: pages.rawValue)
    guard unsafe head.pointee.tryPin(count) == .done else { return false }
    // What was freed, moved, copied or protected before the pin shows in the entry; what comes after sees the pin.
    let isSame = walk.loadInOrder(place) == entry && (try? zones.folio(containing: frame)) == folio
    if isSame, !options.contains(.longTerm) || zones.allowsLongTermPins(folio.head) { return true }
    undo(folio.head, count)
    return false
  }
}
