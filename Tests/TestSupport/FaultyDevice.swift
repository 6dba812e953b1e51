public import AddressSpaces
public import FrameContents
public import MemoryUnits
import Synchronization

/// A swap device that counts what it is asked for, and fails when told to: half-way, with what comes before transferred.
public final class FaultyDevice<Device: SwapDevice>: SwapDevice {
  public struct Calls: Sendable {
    public var reads = 0
    public var writes = 0
    public var failsAtRead: Int?
    public var failsAtWrite: Int?
  }

  /// The error number of each failure.
  public static var code: Int32 { 5 }

  private let device: Device
  private let calls = Mutex(Calls())

  public init(_ device: Device) { self.device = device }

  public var slots: SlotCount { device.slots }
  public var state: Calls { calls.withLock { $0 } }

  /// The read so many reads from now fails, counted from 0.
  public func failRead(at number: Int?) {
    calls.withLock { calls in calls.failsAtRead = number.map { calls.reads + $0 } }
  }

  /// The write so many writes from now fails, counted from 0.
  public func failWrite(at number: Int?) {
    calls.withLock { calls in calls.failsAtWrite = number.map { calls.writes + $0 } }
  }

  public func write(_ frames: FrameRange, to first: SwapSlot, in contents: DirectMap?) throws(SwapDeviceError) {
    let fails = calls.withLock {
      $0.writes += 1
      return $0.failsAtWrite == $0.writes - 1
    }
    try device.write(fails ? half(frames) : frames, to: first, in: contents)
    if fails { throw failure(frames, first) }
  }

  public func read(_ first: SwapSlot, into frames: FrameRange, in contents: DirectMap?) throws(SwapDeviceError) {
    let fails = calls.withLock {
      $0.reads += 1
      return $0.failsAtRead == $0.reads - 1
    }
    try device.read(first, into: fails ? half(frames) : frames, in: contents)
    if fails { throw failure(frames, first) }
  }

  private func half(_ frames: FrameRange) -> FrameRange {
    FrameRange(start: frames.start, count: FrameCount(frames.count.rawValue / 2))
  }

  private func failure(_ frames: FrameRange, _ first: SwapSlot) -> SwapDeviceError {
    .failed(first + SlotCount(half(frames).count), code: Self.code)
  }
}
