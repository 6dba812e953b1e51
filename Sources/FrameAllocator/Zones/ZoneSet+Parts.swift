import FrameMap
public import MemoryUnits

extension ZoneSet {
  /// Pins a part of a folio. See ``FolioZone/pin(_:of:on:pause:while:)``.
  public borrowing func pin(
    _ part: FrameRange, of folio: FolioPlace, on cpu: CPUIndex, pause: () -> Void, while isCurrent: () -> Bool
  ) -> PartPin {
    guard let zone = zone(of: folio.head) else { return .gone }
    return self[zone].pin(part, of: folio, on: cpu, pause: pause, while: isCurrent)
  }

  /// Gives back pins of frames, as far as one folio goes. See ``FolioZone/unpin(_:on:pause:)``.
  public borrowing func unpin(_ range: FrameRange, on cpu: CPUIndex, pause: () -> Void) -> UnpinOutcome {
    guard let zone = zone(of: range.start) else { return UnpinOutcome(outcome: .unreferenced, frames: range) }
    return self[zone].unpin(range, on: cpu, pause: pause)
  }

  /// The pins of a frame. See ``FolioZone/pins(on:pause:)``.
  public borrowing func pins(on frame: FrameNumber, pause: () -> Void) -> UInt32 {
    least(in: FrameRange(start: frame, count: FrameCount(1)), pause: pause).pins
  }

  /// The fewest pins of a frame of a range, as far as one folio goes. See ``FolioZone/least(in:pause:)``.
  public borrowing func least(in range: FrameRange, pause: () -> Void) -> (pins: UInt32, frames: FrameRange) {
    guard let zone = zone(of: range.start) else { return (0, range) }
    return self[zone].least(in: range, pause: pause)
  }

  /// Takes a folio apart that is mapped and pinned. See ``FolioZone/split(inUse:to:entries:references:on:pause:)``.
  public borrowing func split(
    inUse folio: FolioPlace, to order: Order, entries: [UInt32], references: UInt32, on cpu: CPUIndex, pause: () -> Void
  ) throws(FolioError) {
    guard let zone = zone(of: folio.head) else { throw .noSuchFrame(folio.head) }
    try self[zone].split(inUse: folio, to: order, entries: entries, references: references, on: cpu, pause: pause)
  }
}
