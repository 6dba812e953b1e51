public import FrameMap
public import MemoryUnits
import Synchronization

// Pins of parts of a folio stay with exactly these frames when it is taken apart. They are taken and given back with the lock of the head,
// which a split holds too; references to a head, and everything about single frames, know nothing of it.

/// What came of pinning a part of a folio.
public enum PartPin: Hashable, Sendable {
  case done
  /// There is no such folio any more, or what led to it does not any more.
  case gone
  /// The folio has as many pins already as it can count.
  case refused(pins: UInt32)
}

/// What came of giving back pins of a range: as much of it as is one folio's.
public struct UnpinOutcome: Hashable, Sendable {
  public let outcome: PinOutcome
  /// What was dealt with, from the start of the range.
  public let frames: FrameRange
}

extension FolioZone {
  /// Pins a part of a folio of several frames that is no pool's, for each of its frames. Traps where the part is not of the folio, or the
  /// folio is of one frame.
  ///
  /// - Parameters:
  ///   - isCurrent: asked when the pins are there: whether what led to the folio still does. If not, they are given back.
  ///   - pause: lets others run, while somebody else holds the lock.
  /// - Complexity: O(1) for the whole folio and for whole groups of 512 frames, else O(frames). Threads: any.
  ///   Linux: `get_page` on a tail, of the time when tails could be held apart; `try_grab_folio`.
  public borrowing func pin(
    _ part: FrameRange, of folio: FolioPlace, on cpu: CPUIndex, pause: () -> Void, while isCurrent: () -> Bool
  ) -> PartPin {
    precondition(folio.order > Order(0) && folio.frames.contains(part), "a part that is not of a folio of several frames")
    guard let head = unsafe table.descriptor(folio.head) else { return .gone }
    unsafe lock(head, pause: pause)
    let shape = unsafe head.pointee.shape
    // It may have been freed since, and be a page of a pool, whose tails are the pool's.
    guard zone.contains(folio.head), heads.contains(folio.head), shape.order == folio.order, shape.kind == .ordinary else {
      unsafe unlock(head)
      return .gone
    }
    let count = UInt32(truncatingIfNeeded: part.count.rawValue)
    let outcome = unsafe head.pointee.tryPin(count)
    guard outcome == .done else {
      unsafe unlock(head)
      if case .refused(let pins) = outcome { return .refused(pins: pins) }
      return .gone
    }
    if isCurrent() {
      unsafe PinSpread(table: table, folio: folio).add(1, to: part)
      unsafe unlock(head)
      return .done
    }
    // Nothing was written down yet; but the pins may be all that is left of the folio.
    let isLast = unsafe head.pointee.tryUnpin(count) == .last
    unsafe unlock(head)
    if isLast { unsafe free(unreferenced: folio.head, head, on: cpu) }
    return .gone
  }

  /// Gives back a pin of each frame of the folio that the range starts in, as far as the range goes.
  ///
  /// - Returns: `.refused` where one of the frames has fewer pins, `.unreferenced` where the first is nobody's; nothing has changed then.
  /// - Complexity: as ``pin(_:of:on:pause:while:)``. Linux: `put_page` on a tail, `unpin_user_page`.
  public borrowing func unpin(_ range: FrameRange, on cpu: CPUIndex, pause: () -> Void) -> UnpinOutcome {
    while true {
      guard let folio = try? find(range.start), let head = unsafe table.descriptor(folio.head) else {
        return UnpinOutcome(outcome: .unreferenced, frames: FrameRange(start: range.start, count: FrameCount(1)))
      }
      unsafe lock(head, pause: pause)
      guard let again = try? find(range.start), again == folio else {
        unsafe unlock(head)
        continue
      }
      let part = range.intersection(folio.frames)
      let outcome = unsafe takePins(part, of: folio, head)
      unsafe unlock(head)
      if outcome == .last { unsafe free(unreferenced: folio.head, head, on: cpu) }
      return UnpinOutcome(outcome: outcome, frames: part)
    }
  }

  @unsafe private borrowing func takePins(_ part: FrameRange, of folio: FolioPlace, _ head: DescriptorPointer) -> PinOutcome {
    let count = UInt32(truncatingIfNeeded: part.count.rawValue)
    let shape = unsafe head.pointee.shape
    guard folio.order > Order(0), shape.kind != .hugePool else { return unsafe head.pointee.tryUnpin(count) }
    let spread = unsafe PinSpread(table: table, folio: folio)
    guard unsafe spread.least(in: part) > 0 else { return .refused(pins: 0) }
    unsafe spread.add(-1, to: part)
    // What may be left then, of the whole and of its parts, is nothing together.
    if unsafe spread.total == 0 { unsafe spread.clear() }
    return unsafe head.pointee.tryUnpin(count)
  }

  /// The pins that a frame has; zero where it is nobody's.
  ///
  /// - Complexity: O(levels). Waits for who changes the pins of the folio. Linux: none; there a folio counts its pins as a whole.
  public borrowing func pins(on frame: FrameNumber, pause: () -> Void) -> UInt32 {
    least(in: FrameRange(start: frame, count: FrameCount(1)), pause: pause).pins
  }

  /// The pins that the frame with the fewest has, of those that the range has of its first frame's folio, and which these are.
  public borrowing func least(in range: FrameRange, pause: () -> Void) -> (pins: UInt32, frames: FrameRange) {
    while true {
      guard let folio = try? find(range.start), let head = unsafe table.descriptor(folio.head) else {
        return (0, FrameRange(start: range.start, count: FrameCount(1)))
      }
      unsafe lock(head, pause: pause)
      defer { unsafe unlock(head) }
      guard let again = try? find(range.start), again == folio else { continue }
      let part = range.intersection(folio.frames)
      let pins = unsafe head.pointee.counts.pins
      guard folio.order > Order(0), unsafe head.pointee.shape.kind != .hugePool else { return (pins, part) }
      return unsafe (UInt32(max(0, PinSpread(table: table, folio: folio).least(in: part))), part)
    }
  }

  /// Spins until the head's lock is the caller's.
  @unsafe borrowing func lock(_ head: DescriptorPointer, pause: () -> Void) {
    while unsafe head.pointee.insert(.locked).contains(.locked) {
      while unsafe head.pointee.flags.contains(.locked) { pause() }
    }
  }

  @unsafe borrowing func unlock(_ head: DescriptorPointer) { unsafe _ = head.pointee.remove(.locked) }
}
