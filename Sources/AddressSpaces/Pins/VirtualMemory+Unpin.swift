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
    guard frames.count > 0 else { return }
    let first = try zones.group(frames, from: 0)
    if Int(first.pins) == frames.count { return try unpin(first, isDirty, on: cpu) }
    var groups = [first]
    var place = Int(first.pins)
    while place < frames.count {
      let group = try zones.group(frames, from: place)
      groups.append(group)
      place += Int(group.pins)
    }
    try check(groups)
    for group in groups { try unpin(group, isDirty, on: cpu) }
  }

  /// Gives back one pin of each frame of a range.
  ///
  /// - Throws, complexity: as ``unpin(_:isDirty:on:)-(Span,_,_)``; O(1) a folio.
  public func unpin(_ range: FrameRange, isDirty: Bool = false, on cpu: CPUIndex) throws(PinError) {
    guard !range.isEmpty else { return }
    let first = try zones.group(range, from: range.start)
    if FrameCount(UInt64(first.pins)) == range.count { return try unpin(first, isDirty, on: cpu) }
    var frame = range.start
    while frame < range.end {
      let group = try zones.group(range, from: frame)
      try check(group)
      frame += FrameCount(UInt64(group.pins))
    }
    frame = range.start
    while frame < range.end {
      let group = try zones.group(range, from: frame)
      try unpin(group, isDirty, on: cpu)
      frame += FrameCount(UInt64(group.pins))
    }
  }

  /// A folio that comes again in the list needs pins for all of its parts.
  private func check(_ groups: [PinGroup]) throws(PinError) {
    let sorted = groups.sorted { $0.head < $1.head }
    var place = 0
    while place < sorted.count {
      let head = sorted[place].head
      var pins: UInt32 = 0
      while place < sorted.count, sorted[place].head == head {
        pins += sorted[place].pins
        place += 1
      }
      try check(PinGroup(head: head, pins: pins))
    }
  }

  private func check(_ group: PinGroup) throws(PinError) {
    let pins = unsafe descriptor(group.head).pointee.counts.pins
    guard pins >= group.pins else { throw .notPinned(group.head, wanted: group.pins, pins: pins) }
  }

  private func unpin(_ group: PinGroup, _ isDirty: Bool, on cpu: CPUIndex) throws(PinError) {
    let descriptor = unsafe descriptor(group.head)
    let kind = unsafe descriptor.pointee.shape.kind
    // Before the pin goes, and with it what keeps the folio; whose pins are too few is no caller's to mark.
    if isDirty {
      try check(group)
      unsafe _ = descriptor.pointee.insert(.dirty)
    }
    switch unsafe descriptor.pointee.tryUnpin(group.pins) {
    case .done: break
    case .last: free(group.head, kind, false, on: cpu)
    case .refused(let pins): throw .notPinned(group.head, wanted: group.pins, pins: pins)
    case .unreferenced: throw .notPinned(group.head, wanted: group.pins, pins: 0)
    }
  }
}

/// Pins of one folio that are given back in one step.
private struct PinGroup {
  let head: FrameNumber
  let pins: UInt32
}

extension ZoneSet {
  /// Neighbours in a list that are of one folio, from `place` on.
  fileprivate borrowing func group(_ frames: Span<FrameNumber>, from place: Int) throws(PinError) -> PinGroup {
    let folio = try pinned(frames[place])
    let start = folio.head.rawValue
    let size = folio.order.frames.rawValue
    // What lies below the head wraps to something large. The size is a power of two, so that distances are all below it if what their
    // bits are together is: eight at a time, without a branch for each.
    var end = place &+ 1
    while end &+ 8 <= frames.count {
      var bits: UInt64 = 0
      // Below the count, by the condition above; the checks would keep the eight from being one.
      for next in 0..<8 { bits |= unsafe frames[unchecked: end &+ next].rawValue &- start }
      guard bits < size else { break }
      end &+= 8
    }
    while end < frames.count, frames[end].rawValue &- start < size { end &+= 1 }
    return PinGroup(head: folio.head, pins: UInt32(truncatingIfNeeded: end &- place))
  }

  /// What a range has of one folio, from `frame` on.
  fileprivate borrowing func group(_ range: FrameRange, from frame: FrameNumber) throws(PinError) -> PinGroup {
    let folio = try pinned(frame)
    let end = min(folio.frames.end, range.end)
    return PinGroup(head: folio.head, pins: UInt32(truncatingIfNeeded: (end - frame).rawValue))
  }

  private borrowing func pinned(_ frame: FrameNumber) throws(PinError) -> FolioPlace {
    do throws(FolioError) {
      return try folio(containing: frame)
    } catch {
      throw .notPinned(frame, wanted: 1, pins: 0)
    }
  }
}
