import FrameMap
import MemoryUnits

/// Where a pinning call puts what it pinned.
protocol PinSink {
  /// Records frames of one folio, one after the other in memory.
  mutating func record(_ frames: FrameRange, _ table: FrameTable)
}

/// Records numbers.
@unsafe struct NumberSink: PinSink {
  var next: UnsafeMutablePointer<FrameNumber>

  @inline(__always) mutating func record(_ frames: FrameRange, _ table: FrameTable) {
    let count = Int(truncatingIfNeeded: frames.count.rawValue)
    let first = frames.start.rawValue
    // The caller's buffer holds as many as he asked for, and no more are recorded. The loop has nothing that could trap.
    let target = unsafe UnsafeMutableRawPointer(next).assumingMemoryBound(to: UInt64.self)
    var place = 0
    while place < count {
      unsafe target[place] = first &+ UInt64(truncatingIfNeeded: place)
      place &+= 1
    }
    unsafe next += count
  }
}

/// Records addresses of descriptors: run by run, so that the inner loop only steps a pointer, in every memory model.
@unsafe struct DescriptorSink: PinSink {
  var next: UnsafeMutablePointer<DescriptorPointer>

  @inline(__always) mutating func record(_ frames: FrameRange, _ table: FrameTable) {
    table.forEachRun(in: frames) { run in
      let count = Int(truncatingIfNeeded: run.frames.count.rawValue)
      guard count > 0 else { return }
      let first = UInt64(UInt(bitPattern: unsafe run[run.frames.start]))
      // As above; descriptors of a run lie one after the other, 32 bytes each, so that their addresses can be counted up.
      let target = unsafe UnsafeMutableRawPointer(next).assumingMemoryBound(to: UInt64.self)
      var place = 0
      while place < count {
        unsafe target[place] = first &+ UInt64(truncatingIfNeeded: place) &* 32
        place &+= 1
      }
      unsafe next += count
    }
  }
}

/// Records ranges; what continues the last one becomes a part of it.
@unsafe struct RangeSink: PinSink {
  var next: UnsafeMutablePointer<FrameRange>
  let room: Int
  var count = 0

  mutating func record(_ frames: FrameRange, _ table: FrameTable) {
    // Fewer ranges than pages are recorded, and the caller's buffer holds one for each page at worst.
    if unsafe count > 0, unsafe (next - 1).pointee.end == frames.start {
      let start = unsafe (next - 1).pointee.start
      unsafe (next - 1).pointee = FrameRange(start: start, end: frames.end)
    } else {
      guard unsafe count < room else { preconditionFailure("no room for the ranges that were pinned") }
      unsafe next.initialize(to: frames)
      unsafe next += 1
      unsafe count += 1
    }
  }
}
