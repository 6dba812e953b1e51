public import FrameContents
public import MemoryUnits

/// A swap device in memory that its maker lends it, or, for machines that are metadata only, one that keeps nothing.
///
/// **Threads.** As ``SwapDevice``.
///
/// Linux: `brd`, a disk in memory; the one without bytes has no counterpart.
@safe public final class MemorySwapDevice: SwapDevice, @unchecked Sendable {
  // Unchecked, because of the pointer: a slot's bytes are only touched for who holds the slot.

  public let slots: SlotCount
  private let baseShift: PageShift
  /// Nil where nothing is kept.
  private let bytes: UnsafeMutableRawBufferPointer?
  private let release: @Sendable () -> Void

  /// A device that keeps nothing.
  public init(slots: SlotCount, baseShift: PageShift) {
    self.slots = slots
    self.baseShift = baseShift
    unsafe bytes = nil
    release = {}
  }

  /// A device in `bytes`, as many slots as there are whole pages; of any alignment.
  ///
  /// - Parameter release: called when the device goes, and does not use `bytes` any more.
  @unsafe public init(
    _ bytes: UnsafeMutableRawBufferPointer, baseShift: PageShift, release: @escaping @Sendable () -> Void
  ) {
    slots = SlotCount(ByteCount(UInt64(bytes.count)) / baseShift.bytes)
    self.baseShift = baseShift
    unsafe self.bytes = bytes
    self.release = release
  }

  deinit { release() }

  /// - Throws: `.keepsNoBytes`, `.contents`.
  public func write(_ frames: FrameRange, to first: SwapSlot, in contents: DirectMap?) throws(SwapDeviceError) {
    try unsafe transfer(frames, first, contents) { kept, run in
      // Safe: both have as many bytes, and lent memory is nobody's frame.
      unsafe kept.copyMemory(from: UnsafeRawBufferPointer(run))
    }
  }

  /// - Throws: `.keepsNoBytes`, `.contents`.
  public func read(_ first: SwapSlot, into frames: FrameRange, in contents: DirectMap?) throws(SwapDeviceError) {
    try unsafe transfer(frames, first, contents) { kept, run in
      // Safe: as above.
      unsafe run.copyMemory(from: UnsafeRawBufferPointer(kept))
    }
  }

  private func transfer(
    _ frames: FrameRange, _ first: SwapSlot, _ contents: DirectMap?,
    _ copy: (_ kept: UnsafeMutableRawBufferPointer, _ run: UnsafeMutableRawBufferPointer) -> Void
  ) throws(SwapDeviceError) {
    guard let bytes = unsafe bytes else {
      precondition(isInside(frames.count, first), "slots that a device does not have")
      guard contents == nil else { throw .keepsNoBytes }
      return
    }
    let pageBytes = Int(baseShift.bytes.rawValue)
    try unsafe forEachRun(of: frames, at: first, baseShift: baseShift, in: contents) { slot, run in
      let start = Int(slot.rawValue) * pageBytes
      // Safe: the slots are the device's, and these lie in its bytes.
      unsafe copy(UnsafeMutableRawBufferPointer(rebasing: bytes[start..<start + run.count]), run)
    }
  }
}
