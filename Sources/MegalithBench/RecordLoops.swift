import CBaselines
import FrameMap
import MemoryUnits

/// The 1 GiB page from 4 GiB on, which is memory in every map here.
private let recorded = FrameRange(blockAt: FrameNumber(4 << 18), order: Order(18))

/// Calls `body` with 512 frames of the page after the other, and their place in the buffers.
///
/// - Returns: nanoseconds a frame, the median of the groups that were timed.
@inline(__always) private func timeCalls(_ body: (FrameRange, Int) -> Void) -> [Double] {
  var times = Samples()
  var start = recorded.start
  while start < recorded.end {
    times.add(
      timed {
        for place in 0..<PinBuffers.group {
          body(FrameRange(start: start + PinBuffers.call * UInt64(place), count: PinBuffers.call), place)
        }
      })
    start += PinBuffers.call * UInt64(PinBuffers.group)
  }
  return [times.median / PinBuffers.groupFrames]
}

extension PinGround {
  /// The engine's loop over descriptors, without pins: what the calls that record them end in.
  func record() -> [Double] {
    let table = machine.map.table
    return timeCalls { frames, place in recordDescriptors(table, frames, PinBuffers.part(buffers.descriptors, place)) }
  }
}

extension PinBuffers {
  /// The engine's loop over numbers.
  func recordOwnNumbers() -> [Double] {
    timeCalls { frames, place in recordNumbers(frames, Self.part(numbers, place)) }
  }

  /// The same in C.
  func recordNumbersInC() -> [Double] {
    let words = UnsafeMutableRawPointer(Self.start(numbers)).assumingMemoryBound(to: UInt64.self)
    let count = Int(Self.call.rawValue)
    return timeCalls { frames, place in megalith_c_record_numbers(frames.start.rawValue, count, words + place * count) }
  }

  /// The same in C over descriptors that lie in one array, of which nothing but the addresses is used.
  func recordDescriptorsInC() -> [Double] {
    guard let first = UnsafeMutablePointer<megalith_descriptor>(bitPattern: 1 << 32) else { return [] }
    let count = Int(Self.call.rawValue)
    return timeCalls { frames, place in
      megalith_c_record(first + Int(frames.start.rawValue), count, addresses + place * count)
    }
  }

  /// The same in C, eight words a turn.
  func recordWideInC(step: UInt64) -> [Double] {
    let words = UnsafeMutableRawPointer(Self.start(numbers))
    let count = Int(Self.call.rawValue)
    return timeCalls { frames, place in
      megalith_c_record_wide(frames.start.rawValue, step, count, words + place * count * MemoryLayout<FrameNumber>.size)
    }
  }
}

@inline(never) private func recordNumbers(_ range: FrameRange, _ buffer: UnsafeMutableBufferPointer<FrameNumber>) {
  _ = range.record(into: PinBuffers.start(buffer))
}
@inline(never) private func recordDescriptors(
  _ table: FrameTable, _ range: FrameRange, _ buffer: UnsafeMutableBufferPointer<DescriptorPointer>
) {
  _ = table.recordDescriptors(of: range, into: PinBuffers.start(buffer))
}
