public import AddressSpaces
import FrameContents
import MemoryUnits

/// Pages that go to a swap device and come back, from and to frames whose bytes lie in many places.
public enum SwapTrial {
  private static func range(_ start: UInt64, _ end: UInt64) -> FrameRange {
    FrameRange(start: FrameNumber(start), end: FrameNumber(end))
  }

  /// Frames from 0 on, and others from 100 on.
  public static func memory() -> WindowedMemory {
    WindowedMemory([range(0, 7), range(7, 8), range(8, 40), range(40, 64), range(100, 133), range(133, 135), range(135, 164)])
  }

  /// Writes to random slots, reads from others, and returns those that did not give back what was written last.
  public static func lostSlots(on device: some SwapDevice, steps: Int, seed: UInt64) throws -> [SwapSlot] {
    var random = SplitMix(seed: seed)
    let memory = memory()
    var marks = [UInt64?](repeating: nil, count: Int(device.slots.rawValue))
    var lost: [SwapSlot] = []
    var mark: UInt64 = 0
    for _ in 0..<steps {
      let count = UInt64.random(in: 1...min(48, device.slots.rawValue), using: &random)
      let slot = SwapSlot(UInt64.random(in: 0...device.slots.rawValue - count, using: &random))
      let from = FrameRange(start: FrameNumber(UInt64.random(in: 0...64 - count, using: &random)), count: FrameCount(count))
      for number in 0..<count {
        mark += 1
        try memory.stamp(from.start + FrameCount(number), mark)
        marks[Int(slot.rawValue + number)] = mark
      }
      try device.write(from, to: slot, in: memory.map)
      let place = SwapSlot(UInt64.random(in: 0...device.slots.rawValue - count, using: &random))
      lost += try differing(device, place, count, marks, memory)
    }
    for slot in marks.indices { lost += try differing(device, SwapSlot(UInt64(slot)), 1, marks, memory) }
    return lost
  }

  private static func differing(
    _ device: some SwapDevice, _ slot: SwapSlot, _ count: UInt64, _ marks: [UInt64?], _ memory: WindowedMemory
  ) throws -> [SwapSlot] {
    // It begins at another distance from the windows' ends each time.
    let frames = FrameRange(start: FrameNumber(100 + slot.rawValue % 16), count: FrameCount(count))
    try device.read(slot, into: frames, in: memory.map)
    return try (0..<count).compactMap { number in
      guard let wanted = marks[Int(slot.rawValue + number)] else { return nil }
      return try memory.mark(frames.start + FrameCount(number)) == wanted ? nil : slot + SlotCount(number)
    }
  }
}
