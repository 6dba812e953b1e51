import AddressSpaces
import FrameMap
import MemoryUnits

/// What pinning took: counted where it is done, and by what it recorded.
struct PinTally {
  /// Calls that pinned something.
  var calls: UInt64 = 0
  /// What a call had of one page: so often a page's counts went up.
  var batches: UInt64 = 0
  /// Runs of descriptors of each batch.
  var runs: UInt64 = 0

  static func - (left: PinTally, right: PinTally) -> PinTally {
    PinTally(calls: left.calls - right.calls, batches: left.batches - right.batches, runs: left.runs - right.runs)
  }
}

extension SpaceHolder {
  /// A frame with two pins counts twice.
  var pinnedFrames: FrameCount { pinned.reduce(.zero) { $0 + $1.count } }
}

extension LabEngine {
  /// Pins a share of what a process has mapped, by calls of a size each, or of one base page.
  func pin(_ share: Percent, _ isLongTerm: Bool, by call: PageSize?, _ holder: SpaceHolder, on cpu: CPUIndex) -> StepOutcome {
    var random = LabRandom(seed: seed, stream: 2 << 40 + now)
    let step = (call ?? PageSize(shift: shift)).bytes
    let options: PinOptions = isLongTerm ? [.write, .longTerm] : .write
    let before = (frames: holder.pinnedFrames, tally: pins)
    var failed = FrameCount.zero
    // As many as a call has pages at worst.
    var ranges = [FrameRange](repeating: FrameRange(start: FrameNumber(0), count: .zero), count: Int(step / shift.bytes))
    for (range, _) in holder.mapped {
      var address = range.start
      while address < range.end {
        let part = VirtualRange(start: address, count: min(step, range.end - address))
        if random.below(100) < share.rawValue {
          failed += FrameCount(part.count, shift, rounded: .up) - pin(part, options, holder, &ranges, on: cpu)
        }
        address = part.end
      }
    }
    let tally = pins - before.tally
    var text = "\(holder.pinnedFrames - before.frames) frames pinned"
    if call != nil { text += "; calls \(tally.calls), batches \(tally.batches), runs of descriptors \(tally.runs)" }
    return failed == .zero ? .done(text) : .inPart(text + ", \(failed) not")
  }

  /// One call. Returns how many frames it pinned.
  private func pin(
    _ part: VirtualRange, _ options: PinOptions, _ holder: SpaceHolder, _ ranges: inout [FrameRange], on cpu: CPUIndex
  ) -> FrameCount {
    var span = ranges.mutableSpan
    guard
      let done = try? lab.machine.memory.pin(part, options, in: holder.space, into: &span, joined: false, on: cpu),
      done.frames > .zero
    else { return .zero }
    pins.calls += 1
    pins.batches += UInt64(done.ranges)
    for place in 0..<done.ranges {
      let frames = span[place]
      lab.machine.map.forEachRun(in: frames) { _ in pins.runs += 1 }
      if let last = holder.pinned.last, last.end == frames.start {
        holder.pinned[holder.pinned.count - 1] = FrameRange(start: last.start, end: frames.end)
      } else {
        holder.pinned.append(frames)
      }
    }
    return done.frames
  }

  func unpin(_ holder: SpaceHolder, on cpu: CPUIndex) {
    let ranges = holder.pinned
    holder.pinned = []
    // What was pinned by pin() is unpinned once.
    for range in ranges { try? lab.machine.memory.unpin(range, on: cpu) }
  }
}
