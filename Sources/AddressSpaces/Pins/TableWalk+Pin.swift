import FrameAllocator
import FrameMap
import MemoryUnits
import Synchronization

/// How far pinning without a lock came.
struct FastPins {
  /// From the start of what was asked for on; recorded.
  var frames = FrameCount.zero
  /// Pins of a folio that an entry does not lead to any more: they are the caller's to give back, and the last reference may be among them.
  var strayed: (head: FrameNumber, pins: UInt32)?
}

// Not in the generic type, so that it is compiled once and knows its types; and without closures, which would ask for the generic type's
// metadata each time.
extension TableWalk {
  /// Pins what is mapped already, without a lock: from `address` on as far as entries allow it as they are.
  ///
  /// - Complexity: O(pages), each with its levels and two looks at the head's descriptor. Linux: `gup_fast`.
  func pin(
    _ address: VirtualAddress, _ count: FrameCount, _ options: PinOptions, in root: FrameNumber, zones: borrowing ZoneSet,
    into sink: inout PinSink, on cpu: CPUIndex
  ) -> FastPins {
    let needed: PageEntry.Marks = options.contains(.write) ? [.readable, .pinnable, .writable] : [.readable, .pinnable]
    var pins = FastPins()
    // Tables that are taken away meanwhile stay until the section ends.
    frames.read(on: cpu) {
      while pins.frames < count {
        let at = address + ByteCount(pins.frames, shape.baseShift)
        guard at < shape.end else { return }
        let (place, entry) = find(root, at, downTo: TableLevel(0))
        guard entry.isLeaf, entry.has(needed) else { return }
        let offset = FrameCount(at - place.address, shape.baseShift, rounded: .down)
        let part = FrameRange(start: entry.frame + offset, count: min(shape.frames(place.level) - offset, count - pins.frames))
        guard pin(part, place, entry, options, zones: zones, &pins, on: cpu) else { return }
        unsafe sink.record(part, frames)
        pins.frames += part.count
      }
    }
    return pins
  }

  /// Pins frames of one entry: looks the folio up, pins it, and looks again.
  @inline(__always) private func pin(
    _ part: FrameRange, _ place: EntryPlace, _ entry: PageEntry, _ options: PinOptions, zones: borrowing ZoneSet,
    _ pins: inout FastPins, on cpu: CPUIndex
  ) -> Bool {
    // An entry by itself nearly always maps a whole folio. If so, no search is needed.
    var folio = FolioPlace(head: entry.frame, order: shape.order(place.level))
    guard var head = unsafe frames.descriptor(folio.head) else { return false }
    if unsafe !zones.isFolio(folio, head) {
      guard let found = try? zones.folio(containing: part.start), let descriptor = unsafe frames.descriptor(found.head) else {
        return false
      }
      folio = found
      unsafe head = descriptor
    }
    if folio.order > Order(0), unsafe head.pointee.shape.kind != .hugePool {
      // Such a folio may be taken apart while it is pinned, and counts its pins where they are.
      guard !options.contains(.longTerm) || zones.allowsLongTermPins(folio.head) else { return false }
      return zones.pin(part, of: folio, on: cpu, pause: pause) { loadInOrder(place) == entry } == .done
    }
    let count = UInt32(truncatingIfNeeded: part.count.rawValue)
    guard unsafe head.pointee.tryPin(count) == .done else { return false }
    // What was freed, moved, copied or protected before the pin shows in the entry or at the head; what comes after sees the pin.
    let isSame = unsafe loadInOrder(place) == entry && zones.isFolio(folio, head)
    if isSame, !options.contains(.longTerm) || zones.allowsLongTermPins(folio.head) { return true }
    pins.strayed = (folio.head, count)
    return false
  }
}
