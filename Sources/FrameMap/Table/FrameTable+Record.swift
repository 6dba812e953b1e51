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
    // A number is its 64 bits, and the caller vouches for the room.
    unsafe storeWords(from: start.rawValue, by: 1, count, into: UnsafeMutableRawPointer(target))
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
    // A pointer is its 64 bits, and the caller vouches for the room. Descriptors of a run lie one after the other, so that their addresses
    // can be counted up.
    unsafe storeWords(
      from: UInt64(UInt(bitPattern: base)), by: 1 &<< FrameDescriptor.shift, count, into: UnsafeMutableRawPointer(target))
    return unsafe target + count
  }
}

/// Stores `count` words that count up from `first`.
///
/// Eight a turn, spelled out: the plain loop takes 1.6 times as long (`megalith-bench gup --filter record`).
@unsafe @inlinable @inline(__always) func storeWords(
  from first: UInt64, by step: UInt64, _ count: Int, into target: UnsafeMutableRawPointer
) {
  var place = 0
  var words = SIMD8<UInt64>(repeating: first) &+ SIMD8(0, 1, 2, 3, 4, 5, 6, 7) &* step
  let turn = SIMD8<UInt64>(repeating: step &* 8)
  // Eight words from here on lie below the count, whose room the caller vouches for; nothing in the loops could trap.
  while place &+ 8 <= count {
    unsafe target.storeBytes(of: words, toByteOffset: place &* 8, as: SIMD8<UInt64>.self)
    words &+= turn
    place &+= 8
  }
  while place < count {
    unsafe target.storeBytes(of: first &+ UInt64(truncatingIfNeeded: place) &* step, toByteOffset: place &* 8, as: UInt64.self)
    place &+= 1
  }
}
