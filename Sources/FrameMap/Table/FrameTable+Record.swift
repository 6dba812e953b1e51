public import MemoryUnits

extension UnitRange where Bound == FrameNumber {
  /// Stores the number of each frame of the range, lowest first.
  ///
  /// - Parameter target: has room for as many as the range has frames.
  /// - Returns: the first place behind them.
  /// - Complexity: O(frames), a store each. Linux: the loop over `pages[]` in `gup_fast`, which keeps pages and no numbers.
  @unsafe @inlinable @inline(__always) public func record(
    into target: UnsafeMutablePointer<FrameNumber>
  ) -> UnsafeMutablePointer<FrameNumber> {
    let count = Int(truncatingIfNeeded: end.rawValue &- start.rawValue)
    let first = start.rawValue
    // A number is its 64 bits, and the caller vouches for the room. Nothing in the loop could trap, so that it becomes one of vectors.
    let words = unsafe UnsafeMutableRawPointer(target).assumingMemoryBound(to: UInt64.self)
    var place = 0
    while place < count {
      unsafe words[place] = first &+ UInt64(truncatingIfNeeded: place)
      place &+= 1
    }
    return unsafe target + count
  }
}

extension FrameTable {
  /// Stores the address of each frame's descriptor, lowest first: run by run, so that the inner loop only counts up, whatever the memory
  /// model. Frames without descriptors are left out.
  ///
  /// - Parameter target: has room for as many as the range has frames.
  /// - Returns: the first place behind them.
  /// - Complexity: O(frames), a store each, and a look-up a run. Linux: the same, with `nth_page`.
  @unsafe @inlinable @inline(__always) public func recordDescriptors(
    of frames: FrameRange, into target: UnsafeMutablePointer<DescriptorPointer>
  ) -> UnsafeMutablePointer<DescriptorPointer> {
    var next = unsafe target
    var start = frames.start
    while start < frames.end {
      // Inlined: for a call of 512 frames the way to ``firstRun(in:)`` and back was a twentieth of the time.
      guard let run = run(at: start, below: frames.end) ?? firstRunBehindHole(in: FrameRange(start: start, end: frames.end))
      else {
        break
      }
      unsafe next = run.record(into: next)
      start = run.frames.end
    }
    return unsafe next
  }
}

extension FrameRun {
  /// Stores the address of each descriptor of the run; returns the first place behind them.
  @unsafe @inlinable @inline(__always) func record(
    into target: UnsafeMutablePointer<DescriptorPointer>
  ) -> UnsafeMutablePointer<DescriptorPointer> {
    let count = Int(truncatingIfNeeded: frames.end.rawValue &- frames.start.rawValue)
    let first = UInt64(UInt(bitPattern: unsafe base))
    let step = 1 &<< FrameDescriptor.shift
    // A pointer is its 64 bits, and the caller vouches for the room. Descriptors of a run lie one after the other, so that their addresses
    // can be counted up.
    let words = unsafe UnsafeMutableRawPointer(target).assumingMemoryBound(to: UInt64.self)
    var place = 0
    while place < count {
      unsafe words[place] = first &+ UInt64(truncatingIfNeeded: place) &* step
      place &+= 1
    }
    return unsafe target + count
  }
}
