import AddressSpaces
import FrameAllocator
import FrameMap
import HostArena
import Megalith
import MemoryUnits

/// How pins of a gigantic page's frames were taken in the course of time, and how the engine takes them.
enum PinRung: String, CaseIterable {
  /// For each frame: find its head, add one pin there, record its descriptor.
  case unbatched
  /// The engine, asked for one frame at a time: tables, head, pin, look again, record.
  case oneCall = "one-call"
  /// One add for the folio's frames; for each frame look its descriptor up, and record it.
  case lookUp = "look-up"
  /// The engine.
  case shipped
}

extension PinGround {
  /// Pins the first page, 512 frames a call, recording descriptors.
  ///
  /// - Returns: nanoseconds a frame.
  func climb(_ rung: PinRung) -> [Double] {
    let page = VirtualRange(start: range.start, count: PinnedPage.gigantic.size.bytes)
    let frames = self.frames(of: page)
    let calls = (frames.count / PinBuffers.call)
    var times = Samples()
    for call in 0..<calls {
      let offset = PinBuffers.call * call
      let part = FrameRange(start: frames.start + offset, count: PinBuffers.call)
      let addresses = VirtualRange(start: page.start + ByteCount(offset, Self.shift), count: PinBuffers.callBytes)
      let buffer = PinBuffers.part(buffers.descriptors, Int(call % UInt64(PinBuffers.group)))
      times.add(
        timed {
          switch rung {
          case .unbatched: pinEach(machine.memory.zones, part, buffer)
          case .oneCall: pinOneByOne(machine.memory, addresses, space, buffer)
          case .lookUp: pinWithLookUps(machine.memory.zones, part, buffer)
          case .shipped: pinDescriptors(machine.memory, addresses, space, buffer)
          }
        })
      precondition(machine.map.frame(of: buffer[511]) == part.end - FrameCount(1), "another frame was recorded")
      mustNot { () throws(PinError) in try machine.memory.unpin(part, on: Self.cpu) }
    }
    return [times.median / Double(PinBuffers.call.rawValue)]
  }

  /// The frames behind a page.
  private func frames(of page: VirtualRange) -> FrameRange {
    var frames = FrameRange(start: .zero, end: .zero)
    mustNot { () throws(PinError) in
      var span = buffers.ranges.mutableSpan
      _ = try machine.memory.pin(page, .write, in: space, into: &span, on: Self.cpu)
      frames = buffers.ranges[0]
      try machine.memory.unpin(frames, on: Self.cpu)
    }
    return frames
  }
}

@inline(never) private func pinEach(
  _ zones: borrowing ZoneSet, _ frames: FrameRange, _ buffer: UnsafeMutableBufferPointer<DescriptorPointer>
) {
  for place in buffer.indices {
    let frame = frames.start + FrameCount(UInt64(place))
    guard let folio = try? zones.folio(containing: frame), let head = zones.table.descriptor(folio.head),
      let descriptor = zones.table.descriptor(frame)
    else { fatalError("a pinned page is no folio") }
    head.pointee.take(.pins(1))
    buffer[place] = descriptor
  }
}

@inline(never) private func pinWithLookUps(
  _ zones: borrowing ZoneSet, _ frames: FrameRange, _ buffer: UnsafeMutableBufferPointer<DescriptorPointer>
) {
  guard let folio = try? zones.folio(containing: frames.start), let head = zones.table.descriptor(folio.head) else {
    fatalError("a pinned page is no folio")
  }
  head.pointee.take(.pins(UInt32(buffer.count)))
  for place in buffer.indices {
    guard let descriptor = zones.table.descriptor(frames.start + FrameCount(UInt64(place))) else {
      fatalError("a frame of a folio has no descriptor")
    }
    buffer[place] = descriptor
  }
}

@inline(never) private func pinOneByOne(
  _ memory: borrowing BenchMemory, _ range: VirtualRange, _ space: AddressSpace,
  _ buffer: UnsafeMutableBufferPointer<DescriptorPointer>
) {
  for place in buffer.indices {
    let page = VirtualRange(
      start: range.start + ByteCount(FrameCount(UInt64(place)), PinGround.shift), count: PinGround.shift.bytes)
    pinDescriptors(memory, page, space, buffer.extracting(place..<place + 1))
  }
}
