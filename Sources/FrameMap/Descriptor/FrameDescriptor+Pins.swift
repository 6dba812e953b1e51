import Synchronization

/// What came of an attempt to change pins.
public enum PinOutcome: Hashable, Sendable {
  case done
  /// Nothing is left: the frame is the caller's to free.
  case last
  /// There was no reference: the frame is free, or frozen.
  case unreferenced
  /// The frame has as many pins already as it can count, or fewer than are to go.
  case refused(pins: UInt32)
}

extension FrameDescriptor {
  /// The most pins that a frame may have: half of what can be counted, so that references fit beside.
  @inlinable public static var pinLimit: UInt32 { 1 &<< 31 }

  /// Adds pins, with their references, unless there is no reference, or too many pins.
  ///
  /// Whoever then looks at an entry that leads here, and finds it as it was, has a pin that a fork or a protection sees.
  ///
  /// Linux: `try_grab_folio`, there without a limit that is told.
  @inlinable public func tryPin(_ count: UInt32) -> PinOutcome {
    let added = FrameCounts.pins(count)
    var old = countsWord.load(ordering: .relaxed)
    while true {
      let counts = FrameCounts(rawValue: old)
      guard counts.references != 0 else { return .unreferenced }
      guard counts.pins < FrameDescriptor.pinLimit, counts.references < FrameDescriptor.pinLimit, count < FrameDescriptor.pinLimit
      else { return .refused(pins: counts.pins) }
      let (isDone, found) = countsWord.weakCompareExchange(
        expected: old, desired: old &+ added.rawValue, ordering: .sequentiallyConsistent)
      if isDone { return .done }
      old = found
    }
  }

  /// Takes pins away, with their references, unless there are fewer.
  ///
  /// Linux: `gup_put_folio`.
  @inlinable public func tryUnpin(_ count: UInt32) -> PinOutcome {
    let removed = FrameCounts.pins(count)
    var old = countsWord.load(ordering: .relaxed)
    while true {
      let counts = FrameCounts(rawValue: old)
      guard counts.pins >= count, counts.references >= count else { return .refused(pins: counts.pins) }
      let (isDone, found) = countsWord.weakCompareExchange(
        expected: old, desired: old &- removed.rawValue, ordering: .acquiringAndReleasing)
      if isDone { return old == removed.rawValue ? .last : .done }
      old = found
    }
  }
}
