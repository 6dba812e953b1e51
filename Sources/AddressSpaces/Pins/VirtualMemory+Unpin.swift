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
    let first = try group(frames, from: 0)
    if Int(first.pins) == frames.count { return try unpin(first, isDirty, on: cpu) }
    var groups = [first]
    var place = Int(first.pins)
    while place < frames.count {
      let group = try group(frames, from: place)
      groups.append(group)
      place += Int(group.pins)
    }
    try check(&groups)
    for group in groups { try unpin(group, isDirty, on: cpu) }
  }

  /// Gives back one pin of each frame of a range.
  ///
  /// - Throws, complexity: as ``unpin(_:isDirty:on:)-(Span,_,_)``; O(1) a folio.
  public func unpin(_ range: FrameRange, isDirty: Bool = false, on cpu: CPUIndex) throws(PinError) {
    guard !range.isEmpty else { return }
    let first = try group(range, from: range.start)
    if FrameCount(UInt64(first.pins)) == range.count { return try unpin(first, isDirty, on: cpu) }
    var groups: [PinGroup] = []
    var frame = range.start
    while frame < range.end {
      let group = try group(range, from: frame)
      groups.append(group)
      frame += FrameCount(UInt64(group.pins))
    }
    try check(&groups)
    for group in groups { try unpin(group, isDirty, on: cpu) }
  }

  /// A folio that comes again in the list needs pins for all of its parts, and so does a frame.
  private func check(_ groups: inout [PinGroup]) throws(PinError) {
    // A folio that is taken apart while its frames are looked up is found as a whole first, and later as parts.
    groups.sort {
      ($0.isSpread ? 1 : 0, $0.head, $0.frames.start) < ($1.isSpread ? 1 : 0, $1.head, $1.frames.start)
    }
    var place = 0
    while place < groups.count {
      let start = place
      var pins: UInt32 = 0
      var overlaps = false
      while place < groups.count, groups[place].head == groups[start].head, groups[place].isSpread == groups[start].isSpread {
        if place > start, groups[place].frames.start < groups[place - 1].frames.end { overlaps = true }
        pins += groups[place].pins
        place += 1
      }
      guard groups[start].isSpread else {
        try check(groups[start].head, pins)
        continue
      }
      guard overlaps else {
        for group in groups[start..<place] { try check(group.frames, 1) }
        continue
      }
      // A frame that is in the list more than once: each by itself.
      var frames: [FrameNumber] = []
      for group in groups[start..<place] {
        var frame = group.frames.start
        while frame < group.frames.end {
          frames.append(frame)
          frame += FrameCount(1)
        }
      }
      frames.sort()
      var next = 0
      while next < frames.count {
        let frame = frames[next]
        var times: UInt32 = 0
        while next < frames.count, frames[next] == frame {
          times += 1
          next += 1
        }
        try check(FrameRange(start: frame, count: FrameCount(1)), times)
      }
    }
  }

  private func check(_ head: FrameNumber, _ wanted: UInt32) throws(PinError) {
    if unsafe descriptor(head).pointee.counts.pins >= wanted { return }
    // A folio that is being taken apart shows no counts for a moment: what its lock guards can be relied on.
    let pins = zones.pins(on: head, pause: pause)
    guard pins >= wanted else { throw .notPinned(head, wanted: wanted, pins: pins) }
  }

  private func check(_ frames: FrameRange, _ times: UInt32) throws(PinError) {
    var start = frames.start
    while start < frames.end {
      let (pins, part) = zones.least(in: FrameRange(start: start, end: frames.end), pause: pause)
      guard pins >= times else { throw .notPinned(start, wanted: times, pins: pins) }
      start = part.end
    }
  }

  private func unpin(_ group: PinGroup, _ isDirty: Bool, on cpu: CPUIndex) throws(PinError) {
    guard !group.isSpread else { return try unpin(group.frames, wanted: group.pins, isDirty, on: cpu) }
    let descriptor = unsafe descriptor(group.head)
    let kind = unsafe descriptor.pointee.shape.kind
    // Before the pin goes, and with it what keeps the folio; whose pins are too few is no caller's to mark.
    if isDirty {
      try check(group.head, group.pins)
      unsafe _ = descriptor.pointee.insert(.dirty)
    }
    while true {
      switch unsafe descriptor.pointee.tryUnpin(group.pins) {
      case .done: return
      case .last: return free(group.head, kind, false, on: cpu)
      // Too few, or just out of sight.
      case .refused, .unreferenced: try check(group.head, group.pins)
      }
    }
  }

  /// Gives back a pin of each frame, of folios that may be taken apart meanwhile.
  private func unpin(_ frames: FrameRange, wanted: UInt32, _ isDirty: Bool, on cpu: CPUIndex) throws(PinError) {
    var start = frames.start
    if isDirty { try check(frames, 1) }
    while start < frames.end {
      let rest = FrameRange(start: start, end: frames.end)
      // Pinned, so that the folio is there.
      if isDirty, let folio = try? zones.folio(containing: start) { unsafe _ = descriptor(folio.head).pointee.insert(.dirty) }
      let done = zones.unpin(rest, on: cpu, pause: pause)
      switch done.outcome {
      case .done, .last: start = done.frames.end
      case .refused(let pins): throw .notPinned(start, wanted: wanted, pins: pins)
      case .unreferenced: throw .notPinned(start, wanted: wanted, pins: 0)
      }
    }
  }

  /// Neighbours in a list that are of one folio, from `place` on.
  private func group(_ frames: Span<FrameNumber>, from place: Int) throws(PinError) -> PinGroup {
    try group(zones.group(frames, from: place), frames, place)
  }

  /// Of a folio that can be taken apart only frames that follow each other.
  private func group(_ group: PinGroup, _ frames: Span<FrameNumber>, _ place: Int) throws(PinError) -> PinGroup {
    guard isSpread(group) else { return group }
    var end = place + 1
    while end < place + Int(group.pins), frames[end] == frames[end - 1] + FrameCount(1) { end += 1 }
    let count = FrameCount(UInt64(end - place))
    return PinGroup(
      head: group.head, order: group.order, pins: UInt32(truncatingIfNeeded: count.rawValue),
      frames: FrameRange(start: frames[place], count: count), isSpread: true)
  }

  /// What a range has of one folio, from `frame` on.
  private func group(_ range: FrameRange, from frame: FrameNumber) throws(PinError) -> PinGroup {
    var group = try zones.group(range, from: frame)
    group.isSpread = isSpread(group)
    return group
  }

  private func isSpread(_ group: PinGroup) -> Bool {
    guard group.order > Order(0) else { return false }
    return unsafe descriptor(group.head).pointee.shape.kind != .hugePool
  }
}

/// Pins of one folio that are given back in one step.
private struct PinGroup {
  let head: FrameNumber
  let order: Order
  let pins: UInt32
  /// Which frames; of a folio that is pinned as a whole just the first.
  let frames: FrameRange
  /// Whether each frame has pins of its own.
  var isSpread = false
}

extension ZoneSet {
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
    return PinGroup(
      head: folio.head, order: folio.order, pins: UInt32(truncatingIfNeeded: end &- place),
      frames: FrameRange(start: frames[place], count: FrameCount(1)))
  }

  fileprivate borrowing func group(_ range: FrameRange, from frame: FrameNumber) throws(PinError) -> PinGroup {
    let folio = try pinned(frame)
    let end = min(folio.frames.end, range.end)
    return PinGroup(
      head: folio.head, order: folio.order, pins: UInt32(truncatingIfNeeded: (end - frame).rawValue),
      frames: FrameRange(start: frame, end: end))
  }

  private borrowing func pinned(_ frame: FrameNumber) throws(PinError) -> FolioPlace {
    do throws(FolioError) {
      return try folio(containing: frame)
    } catch {
      throw .notPinned(frame, wanted: 1, pins: 0)
    }
  }
}
