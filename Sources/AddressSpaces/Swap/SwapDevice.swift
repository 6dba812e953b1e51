public import FrameContents
public import MemoryUnits

/// Why a swap device did not take pages, or did not give them back.
///
/// Slots below the one that is named were transferred. What a failed write leaves in the other slots, and a failed read in the other
/// frames, is not said: the caller keeps the frames, or the slots, that it had.
public enum SwapDeviceError: Error, Hashable, Sendable {
  /// The device failed at the slot, with a number of its own; a system's error number where it is a system's file.
  case failed(SwapSlot, code: Int32)
  /// What the device lies on is full, and the slot found no room.
  case noSpace(SwapSlot)
  /// The device ends inside the slot, after so many of its bytes.
  case ended(SwapSlot, after: ByteCount)
  /// The frames have bytes, and the device keeps none. Nothing was transferred.
  case keepsNoBytes
  /// The device keeps bytes, and a frame has none. Nothing was transferred.
  case contents(ContentsError)
}

/// Where pages go that are to leave memory.
///
/// A device does not know which of its slots are in use; a ``SwapArea`` does. It serves calls of several threads side by side as long as no
/// two have a slot in common; the area's callers see to that.
///
/// Linux: a swap partition or file, by `swap_readpage` and `swap_writepage`; here a call returns when it is done.
public protocol SwapDevice: Sendable {
  /// How many there are. Does not change.
  var slots: SlotCount { get }

  /// Writes frames, one after the other, to slots, one after the other.
  ///
  /// - Parameter contents: where the frames' bytes are; nil on a machine that is metadata only.
  /// - Complexity: O(bytes).
  func write(_ frames: FrameRange, to first: SwapSlot, in contents: DirectMap?) throws(SwapDeviceError)

  /// Reads slots, one after the other, into frames, one after the other.
  ///
  /// - Complexity: O(bytes).
  func read(_ first: SwapSlot, into frames: FrameRange, in contents: DirectMap?) throws(SwapDeviceError)
}

extension SwapDevice {
  /// For devices that keep bytes: calls `body` with each stretch of the frames' bytes that is contiguous in memory, and the slot that
  /// belongs to its first frame.
  ///
  /// Traps where slots are not the device's, or its pages are not as large as the frames.
  ///
  /// - Throws: `.contents`, before the first call; what `body` throws.
  /// - Complexity: O(runs * log windows), beside the calls.
  @unsafe public func forEachRun(
    of frames: FrameRange, at first: SwapSlot, baseShift: PageShift, in contents: DirectMap?,
    _ body: (SwapSlot, UnsafeMutableRawBufferPointer) throws(SwapDeviceError) -> Void
  ) throws(SwapDeviceError) {
    precondition(isInside(frames.count, first), "slots that a device does not have")
    guard let contents else { throw .contents(.metadataOnly) }
    precondition(contents.baseShift == baseShift, "frames of another size than a device's pages")
    do throws(ContentsError) { try contents.check(frames) } catch { throw .contents(error) }
    var frame = frames.start
    while frame < frames.end {
      guard let run = try? unsafe contents.run(at: frame, upTo: frames.end) else {
        preconditionFailure("a window of a direct map went away")
      }
      let bytes = Int(ByteCount(unsafe run.frames, baseShift).rawValue)
      // Safe: the run lies inside its window.
      try unsafe body(first + SlotCount(frame - frames.start), UnsafeMutableRawBufferPointer(start: run.base, count: bytes))
      frame += unsafe run.frames
    }
  }

  /// Whether so many slots from `first` on are the device's.
  func isInside(_ count: FrameCount, _ first: SwapSlot) -> Bool {
    let distance = SlotCount(first.rawValue)
    return distance <= slots && SlotCount(count) <= slots - distance
  }
}
