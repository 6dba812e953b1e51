import FrameMap
import MemoryUnits
import Synchronization

/// How the pins of a folio spread over its frames.
///
/// The head counts the pins of all frames together. Here is written how often the folio was pinned as a whole; what was pinned in part is
/// written at the frames, or, where a part covers all 512 frames of a group of a larger folio, once for the group. Giving back a part of
/// what was pinned as a whole makes these numbers negative, so that neither way ever touches more frames than were asked for. A frame's
/// pins are the sum of what is written for it, for its group, and for the folio.
///
/// The head may count more than all these together: somebody who pinned what the frame was before, and is about to give that back.
///
/// The numbers lie in descriptors of tails, which nobody else writes:
/// ```
/// each tail      privateIndex  its own; the head's own is in mapCount of the first tail
/// head        +1 privateWord   in the upper half: of the folio as a whole
/// group's base+1 privateWord   in the lower half: sum over the frames of the group
///             +2 mapCount      how many frames of the group have a number that is not zero
///             +3 mapCount      the group's own, in folios of more than 512 frames
/// head        +2 privateWord   sum over all groups and frames, in folios of more than 512 frames
///             +3 privateWord   how many groups have something written, likewise
/// ```
/// All of them are zero when the folio has no pins. Guarded by the lock of the head (``FrameFlags/locked``).
@unsafe struct PinSpread {
  let table: FrameTable
  let folio: FolioPlace

  private static let largestGroup = Order(9)
  private var groupOrder: Order { unsafe min(folio.order, Self.largestGroup) }
  private var hasGroups: Bool { unsafe folio.order > Self.largestGroup }

  private func descriptor(_ frame: FrameNumber) -> DescriptorPointer {
    // Frames of a folio have descriptors as long as it is one.
    guard let descriptor = unsafe table.descriptor(frame) else { preconditionFailure("a folio without descriptors") }
    return unsafe descriptor
  }

  private func base(of frame: FrameNumber) -> FrameNumber { unsafe frame.aligned(to: groupOrder.frames, .down) }

  // What is written for a frame.

  private func written(_ frame: FrameNumber) -> Int64 {
    let bits =
      unsafe frame == folio.head
      ? descriptor(frame + FrameCount(1)).pointee.mapCount.load(ordering: .relaxed)
      : descriptor(frame).pointee.privateIndex.load(ordering: .relaxed)
    return Int64(Int32(bitPattern: bits))
  }

  private func write(_ number: Int64, for frame: FrameNumber) {
    let bits = UInt32(bitPattern: Int32(number))
    if unsafe frame == folio.head {
      unsafe descriptor(frame + FrameCount(1)).pointee.mapCount.store(bits, ordering: .relaxed)
    } else {
      unsafe descriptor(frame).pointee.privateIndex.store(bits, ordering: .relaxed)
    }
  }

  // What is written for a group.

  private func word(_ base: FrameNumber) -> UInt64 {
    unsafe descriptor(base + FrameCount(1)).pointee.privateWord.load(ordering: .relaxed)
  }

  private func sum(_ base: FrameNumber) -> Int64 { unsafe Int64(Int32(truncatingIfNeeded: word(base))) }

  private func touched(_ base: FrameNumber) -> UInt32 {
    // A folio of two frames has no room for the number, and is quickly looked through.
    guard unsafe folio.order > Order(1) else {
      return unsafe (written(folio.head) == 0 ? 0 : 1) + (written(folio.head + FrameCount(1)) == 0 ? 0 : 1)
    }
    return unsafe descriptor(base + FrameCount(2)).pointee.mapCount.load(ordering: .relaxed)
  }

  private func group(_ base: FrameNumber) -> Int64 {
    guard unsafe hasGroups else { return 0 }
    return Int64(Int32(bitPattern: unsafe descriptor(base + FrameCount(3)).pointee.mapCount.load(ordering: .relaxed)))
  }

  private func isTouched(_ base: FrameNumber) -> Bool { unsafe touched(base) != 0 || group(base) != 0 }

  private func write(sum: Int64, touched: UInt32, group: Int64, _ base: FrameNumber) {
    let word = unsafe word(base) & ~0xffff_ffff | UInt64(UInt32(bitPattern: Int32(sum)))
    unsafe descriptor(base + FrameCount(1)).pointee.privateWord.store(word, ordering: .relaxed)
    if unsafe folio.order > Order(1) {
      unsafe descriptor(base + FrameCount(2)).pointee.mapCount.store(touched, ordering: .relaxed)
    }
    if unsafe hasGroups {
      unsafe descriptor(base + FrameCount(3)).pointee.mapCount.store(UInt32(bitPattern: Int32(group)), ordering: .relaxed)
    }
  }

  // What is written for the folio.

  private var allSum: Int64 {
    guard unsafe hasGroups else { return unsafe sum(folio.head) }
    return unsafe Int64(bitPattern: descriptor(folio.head + FrameCount(2)).pointee.privateWord.load(ordering: .relaxed))
  }

  private var touchedGroups: UInt64 {
    guard unsafe hasGroups else { return unsafe touched(folio.head) == 0 ? 0 : 1 }
    return unsafe descriptor(folio.head + FrameCount(3)).pointee.privateWord.load(ordering: .relaxed)
  }

  private func writeAll(sum: Int64, touchedGroups: UInt64) {
    guard unsafe hasGroups else { return }
    unsafe descriptor(folio.head + FrameCount(2)).pointee.privateWord.store(UInt64(bitPattern: sum), ordering: .relaxed)
    unsafe descriptor(folio.head + FrameCount(3)).pointee.privateWord.store(touchedGroups, ordering: .relaxed)
  }
}

extension PinSpread {
  /// Whether something is written for parts.
  private var isWritten: Bool { unsafe touchedGroups != 0 }

  /// Pins of the folio as a whole.
  private(set) var whole: Int64 {
    get { unsafe Int64(Int32(truncatingIfNeeded: word(folio.head) >> 32)) }
    nonmutating set {
      let word = unsafe word(folio.head) & 0xffff_ffff | UInt64(UInt32(bitPattern: Int32(newValue))) << 32
      unsafe descriptor(folio.head + FrameCount(1)).pointee.privateWord.store(word, ordering: .relaxed)
    }
  }

  /// The pins of all frames together.
  var total: Int64 { unsafe whole << Int64(folio.order.rawValue) + allSum }

  /// Whether nothing is written at all, and so no frame pinned.
  var isEmpty: Bool { unsafe whole == 0 && !isWritten }

  /// The pins of the frame of a part that has the fewest.
  ///
  /// - Complexity: O(1) where nothing is written, else O(groups + frames of groups where something is).
  func least(in part: FrameRange) -> Int64 {
    let whole = unsafe whole
    guard unsafe isWritten else { return whole }
    var least = Int64.max
    unsafe forEachGroup(of: part) { base, rest in
      var ownLeast: Int64 = 0
      if unsafe touched(base) != 0 {
        ownLeast = Int64.max
        var frame = rest.start
        while frame < rest.end {
          ownLeast = unsafe min(ownLeast, written(frame))
          frame += FrameCount(1)
        }
      }
      least = unsafe min(least, whole + group(base) + ownLeast)
    }
    return least
  }

  /// Writes down that each frame of a part has so many pins more. The head's count is the caller's to change.
  ///
  /// - Complexity: O(1) for the whole folio, O(1) for each whole group of 512 frames, else O(frames).
  func add(_ change: Int64, to part: FrameRange) {
    guard unsafe part != folio.frames else {
      unsafe whole += change
      return
    }
    var sum = unsafe allSum
    var groups = unsafe touchedGroups
    unsafe forEachGroup(of: part) { base, rest in
      let wasTouched = unsafe isTouched(base)
      if unsafe hasGroups && rest.count == Self.largestGroup.frames {
        unsafe write(sum: self.sum(base), touched: touched(base), group: group(base) + change, base)
      } else {
        var touched = unsafe touched(base)
        var frame = rest.start
        while frame < rest.end {
          let old = unsafe written(frame)
          unsafe write(old + change, for: frame)
          if old == 0 { touched += 1 }
          if old + change == 0 { touched -= 1 }
          frame += FrameCount(1)
        }
        unsafe write(sum: self.sum(base) + change * Int64(rest.count.rawValue), touched: touched, group: group(base), base)
      }
      sum += change * Int64(rest.count.rawValue)
      if unsafe isTouched(base) != wasTouched { groups = wasTouched ? groups - 1 : groups + 1 }
    }
    unsafe writeAll(sum: sum, touchedGroups: groups)
  }

  /// Makes everything zero.
  func clear() {
    if unsafe whole != 0 { unsafe whole = 0 }
    guard unsafe isWritten else { return }
    unsafe forEachGroup(of: folio.frames) { base, rest in
      guard unsafe isTouched(base) else { return }
      if unsafe touched(base) != 0 {
        var frame = rest.start
        while frame < rest.end {
          unsafe write(0, for: frame)
          frame += FrameCount(1)
        }
      }
      unsafe write(sum: 0, touched: 0, group: 0, base)
    }
    unsafe writeAll(sum: 0, touchedGroups: 0)
  }

  private func forEachGroup(of part: FrameRange, _ body: (FrameNumber, FrameRange) -> Void) {
    var start = part.start
    while start < part.end {
      let base = unsafe base(of: start)
      let end = unsafe min(part.end, base + groupOrder.frames)
      body(base, FrameRange(start: start, end: end))
      start = end
    }
  }

  /// Recounts what is written, and compares it with what the head counts. False where sums and numbers differ, where a frame has fewer than
  /// no pins, or something is written without pins.
  func isSound(_ pins: UInt32) -> Bool {
    if pins == 0 { return unsafe isEmpty && allSum == 0 }
    var all: Int64 = 0
    var groups: UInt64 = 0
    var isSound = true
    let whole = unsafe whole
    unsafe forEachGroup(of: folio.frames) { base, rest in
      var sum: Int64 = 0
      var touched: UInt32 = 0
      var frame = rest.start
      while unsafe frame < rest.end && self.touched(base) != 0 {
        let number = unsafe written(frame)
        sum += number
        if number != 0 { touched += 1 }
        if unsafe whole + group(base) + number < 0 { isSound = false }
        frame += FrameCount(1)
      }
      if unsafe sum != self.sum(base) || touched != self.touched(base) || whole + group(base) < 0 && touched == 0 {
        isSound = false
      }
      all += unsafe sum + group(base) * Int64(rest.count.rawValue)
      if unsafe isTouched(base) { groups += 1 }
    }
    return unsafe isSound && all == allSum && groups == touchedGroups && total == Int64(pins)
  }

  /// Takes out what is written: the ranges, the folio, whole groups or single frames, and each one's number.
  ///
  /// - Complexity: O(groups + frames of groups where something is written).
  func takeOut() -> [(range: FrameRange, pins: Int64)] {
    var numbers: [(range: FrameRange, pins: Int64)] = []
    if unsafe whole != 0 { unsafe numbers.append((folio.frames, whole)) }
    unsafe forEachGroup(of: folio.frames) { base, rest in
      let group = unsafe group(base)
      if group != 0 { numbers.append((rest, group)) }
      guard unsafe touched(base) != 0 else { return }
      var frame = rest.start
      while frame < rest.end {
        let number = unsafe written(frame)
        if number != 0 { numbers.append((FrameRange(start: frame, count: FrameCount(1)), number)) }
        frame += FrameCount(1)
      }
    }
    unsafe clear()
    return numbers
  }
}
