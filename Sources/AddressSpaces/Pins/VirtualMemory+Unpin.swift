import FrameAllocator
import FrameMap
public import MemoryUnits

extension VirtualMemory {
  /// Gives pins of frames back, as many as the list has: neighbours of one folio in one step.
  ///
  /// - Parameter isDirty: whether they were written to; their folios are marked so.
  /// - Throws: `.notPinned` with the first folio that has fewer pins than its frames in the list; all counts are as before, unless others
  ///   give the same pins back at the same time, which is told too.
  /// - Complexity: O(frames + folios log folios). Linux: `unpin_user_pages_dirty_lock`; there nothing is checked.
  public func unpin(_ frames: Span<FrameNumber>, isDirty: Bool = false, on cpu: CPUIndex) throws(PinError) {
    // A folio that comes again in the list needs pins for both.
    var groups: [(head: FrameNumber, count: UInt32)] = []
    try forEachGroup(frames) { head, count throws(PinError) in groups.append((head, count)) }
    groups.sort { $0.head < $1.head }
    var place = 0
    while place < groups.count {
      let head = groups[place].head
      var count: UInt32 = 0
      while place < groups.count, groups[place].head == head {
        count += groups[place].count
        place += 1
      }
      let pins = unsafe descriptor(head).pointee.counts.pins
      guard pins >= count else { throw .notPinned(head, wanted: count, pins: pins) }
    }
    try forEachGroup(frames) { head, count throws(PinError) in try unpin(head, count, isDirty, on: cpu) }
  }

  /// Gives back one pin of each frame of a range.
  ///
  /// - Throws, complexity: as ``unpin(_:isDirty:on:)-(Span,_,_)``; O(1) a folio.
  public func unpin(_ range: FrameRange, isDirty: Bool = false, on cpu: CPUIndex) throws(PinError) {
    try forEachPart(range) { head, count throws(PinError) in
      let pins = unsafe descriptor(head).pointee.counts.pins
      guard pins >= count else { throw .notPinned(head, wanted: count, pins: pins) }
    }
    try forEachPart(range) { head, count throws(PinError) in try unpin(head, count, isDirty, on: cpu) }
  }

  private func unpin(_ head: FrameNumber, _ count: UInt32, _ isDirty: Bool, on cpu: CPUIndex) throws(PinError) {
    let descriptor = unsafe descriptor(head)
    if isDirty { unsafe _ = descriptor.pointee.insert(.dirty) }
    let kind = unsafe descriptor.pointee.shape.kind
    switch unsafe descriptor.pointee.tryUnpin(count) {
    case .done: break
    case .last: free(head, kind, false, on: cpu)
    case .refused(let pins): throw .notPinned(head, wanted: count, pins: pins)
    case .unreferenced: throw .notPinned(head, wanted: count, pins: 0)
    }
  }

  /// Neighbours in the list that are of one folio.
  private func forEachGroup(
    _ frames: Span<FrameNumber>, _ body: (FrameNumber, UInt32) throws(PinError) -> Void
  ) throws(PinError) {
    var place = 0
    while place < frames.count {
      let folio = try folio(of: frames[place])
      var count: UInt32 = 0
      while place < frames.count, folio.frames.contains(frames[place]) {
        count += 1
        place += 1
      }
      try body(folio.head, count)
    }
  }

  private func forEachPart(
    _ range: FrameRange, _ body: (FrameNumber, UInt32) throws(PinError) -> Void
  ) throws(PinError) {
    var frame = range.start
    while frame < range.end {
      let folio = try folio(of: frame)
      let end = min(folio.frames.end, range.end)
      try body(folio.head, UInt32(truncatingIfNeeded: (end - frame).rawValue))
      frame = end
    }
  }

  private func folio(of frame: FrameNumber) throws(PinError) -> FolioPlace {
    guard let folio = try? zones.folio(containing: frame) else { throw .notPinned(frame, wanted: 1, pins: 0) }
    return folio
  }
}
