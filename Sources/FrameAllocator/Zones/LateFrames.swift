public import MemoryUnits
public import FrameMap
import Synchronization

/// Whose frames are that came after a machine was made, and which of them hold descriptors: a word for each unit in which memory comes
/// and goes.
///
/// Storage of zeros says that nothing came. Only who holds the hotplug lock writes.
///
/// **Threads.** Any may read at any time.
///
/// Linux: the zone in `page->flags`, which is written for every frame.
@safe public struct LateFrames: @unchecked Sendable {
  // Unchecked, because of the pointer: all it leads to is atomic.

  /// Frames of a unit, a power of two.
  public let unit: FrameCount
  /// The first frame that memory cannot have.
  public let limit: FrameNumber
  private let shift: UInt64
  /// By unit: in the low 12 bits the zone's index and one, zero for none; above, how many of the unit's first frames hold descriptors.
  /// Written by who holds the hotplug lock. Partner of the zone's tree: a unit is a zone's before its frames are free there.
  private let words: UnsafeMutablePointer<Atomic<UInt32>>

  private static var zoneMask: UInt32 { 0xfff }

  /// The bytes for memory up to `limit`.
  public static func storageBytes(unit: FrameCount, limit: FrameNumber) -> ByteCount {
    ByteCount((limit.rawValue / unit.rawValue + 1) * 4).aligned(to: ByteCount(64), .up)
  }

  /// - Parameters:
  ///   - unit: a power of two below 2^20.
  ///   - storage: at least ``storageBytes(unit:limit:)``, aligned to 64 bytes, zero, and in place until the last use.
  public init(unit: FrameCount, limit: FrameNumber, storage: UnsafeMutableRawBufferPointer) {
    precondition(unit.rawValue.nonzeroBitCount == 1 && unit.rawValue < 1 << 20, "no unit of hotplug")
    guard let base = storage.baseAddress,
      UInt64(storage.count) >= Self.storageBytes(unit: unit, limit: limit).rawValue
    else { preconditionFailure("storage is too small for the units") }
    self.unit = unit
    self.limit = limit
    shift = UInt64(unit.rawValue.trailingZeroBitCount)
    // Zeroed words are atomics of zero, one for each unit below the limit.
    unsafe words = base.bindMemory(to: Atomic<UInt32>.self, capacity: Int(limit.rawValue / unit.rawValue + 1))
  }

  private func word(of frame: FrameNumber) -> UInt32 {
    guard frame < limit else { return 0 }
    // The frame lies below the limit, up to which there are words.
    return unsafe words[Int(frame.rawValue >> shift)].load(ordering: .acquiring)
  }

  /// The zone that the frame came to; nil where it did not come later, or is not online.
  ///
  /// - Complexity: O(1).
  public func zone(of frame: FrameNumber) -> ZoneIndex? {
    let number = word(of: frame) & Self.zoneMask
    return number == 0 ? nil : ZoneIndex(number - 1)
  }

  /// Whether the frame holds descriptors of memory that it came with.
  ///
  /// - Complexity: O(1). Linux: `PageVmemmapSelfHosted`, in the first design.
  public func isMemmap(_ frame: FrameNumber) -> Bool {
    UInt64(word(of: frame) >> 12) > frame.rawValue & (unit.rawValue - 1)
  }

  /// Says whose the units of `range` are. Traps at parts of units, above the limit, and at zone 4095.
  ///
  /// - Complexity: O(units).
  public func setZone(_ zone: ZoneIndex?, of range: FrameRange) {
    precondition(zone.map { $0.rawValue < Self.zoneMask } ?? true, "zone above 4094")
    change(range) { $0 & ~Self.zoneMask | (zone.map { $0.rawValue + 1 } ?? 0) }
  }

  /// Says that the first `count` frames of `range` hold descriptors, and the others do not. Traps as ``setZone(_:of:)``.
  ///
  /// - Complexity: O(units).
  public func setMemmap(_ count: FrameCount, of range: FrameRange) {
    let end = range.start + count
    var start = range.start
    change(range) { word in
      let held = FrameRange(start: start, count: unit).intersection(FrameRange(start: range.start, end: end)).count
      start += unit
      return word & Self.zoneMask | UInt32(truncatingIfNeeded: held.rawValue) << 12
    }
  }

  private func change(_ range: FrameRange, _ body: (UInt32) -> UInt32) {
    let isWhole = range.start.isAligned(to: unit) && range.end.isAligned(to: unit) && range.end <= limit
    precondition(isWhole, "memory comes and goes in whole units, below the limit")
    for unit in Int(range.start.rawValue >> shift)..<Int(range.end.rawValue >> shift) {
      // Below the limit, as was checked.
      let old = unsafe words[unit].load(ordering: .relaxed)
      unsafe words[unit].store(body(old), ordering: .releasing)
    }
  }
}
