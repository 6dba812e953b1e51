import AddressSpaces
import FrameMap
import HostArena
import MemoryUnits

/// A machine's memory as the bench has it.
typealias BenchMemory = VirtualMemory<HostMover>

// A round is the median of its groups, so that one in which the processor was taken away does not count.

extension PinGround {
  /// Pins everything, 512 frames a call, recording numbers, and gives each group back.
  ///
  /// - Returns: nanoseconds a frame of the pins, and of the unpins.
  func numbers() -> [Double] {
    var (pins, unpins) = (Samples(), Samples())
    forEachGroup { calls in
      pins.add(
        timed {
          for (place, call) in calls.enumerated() {
            pinNumbers(machine.memory, call, space, PinBuffers.part(buffers.numbers, place))
          }
        })
      unpins.add(timed { for place in calls.indices { unpinNumbers(machine.memory, PinBuffers.part(buffers.numbers, place)) } })
    }
    return [pins.median / PinBuffers.groupFrames, unpins.median / PinBuffers.groupFrames]
  }

  /// The same recording addresses of descriptors; only the pins are told of.
  func descriptors() -> [Double] {
    var times = Samples()
    forEachGroup { calls in
      times.add(
        timed {
          for (place, call) in calls.enumerated() {
            pinDescriptors(machine.memory, call, space, PinBuffers.part(buffers.descriptors, place))
          }
        })
      for place in calls.indices {
        let call = PinBuffers.part(buffers.descriptors, place)
        let numbers = PinBuffers.part(buffers.numbers, place)
        for index in call.indices { numbers[index] = machine.map.frame(of: call[index]) }
        unpinNumbers(machine.memory, numbers)
      }
    }
    return [times.median / PinBuffers.groupFrames]
  }

  /// The same recording ranges.
  ///
  /// - Returns: nanoseconds a call.
  func rangesByCall() -> [Double] {
    var times = Samples()
    forEachGroup { calls in
      var counts = [Int](repeating: 0, count: calls.count)
      times.add(
        timed {
          for (place, call) in calls.enumerated() {
            counts[place] = pinRanges(machine.memory, call, space, PinBuffers.part(buffers.ranges, place))
          }
        })
      for place in calls.indices { giveBack(PinBuffers.part(buffers.ranges, place), counts[place]) }
    }
    return [times.median / Double(PinBuffers.group)]
  }

  /// Pins everything in one call, recording ranges.
  ///
  /// - Returns: nanoseconds a folio, for pages of which the buffer can hold a range each.
  func ranges(_ page: PinnedPage) -> [Double] {
    let all = UnsafeMutableBufferPointer<FrameRange>.allocate(capacity: Int(page.pages.rawValue))
    all.initialize(repeating: FrameRange(start: .zero, end: .zero))
    defer { all.deallocate() }
    var times = Samples()
    for _ in 0..<max(1, 4096 / Int(page.pages.rawValue)) {
      var count = 0
      times.add(timed { count = pinRanges(machine.memory, range, space, all) })
      giveBack(all, count)
    }
    return [times.median / Double(page.pages.rawValue)]
  }

  /// Pins everything, 512 frames a call, into one array of all numbers.
  func array() -> [Double] {
    let all = UnsafeMutableBufferPointer<FrameNumber>.allocate(capacity: Int((range.count / Self.shift.bytes)))
    all.initialize(repeating: .zero)
    defer { all.deallocate() }
    var calls: [VirtualRange] = []
    forEachGroup { calls += $0 }
    let count = Int(PinBuffers.call.rawValue)
    var times = Samples()
    for group in stride(from: 0, to: calls.count, by: PinBuffers.group) {
      times.add(
        timed {
          for place in group..<group + PinBuffers.group {
            pinNumbers(machine.memory, calls[place], space, all.extracting(place * count..<(place + 1) * count))
          }
        })
    }
    unpinNumbers(machine.memory, all)
    return [times.median / PinBuffers.groupFrames]
  }

  private func forEachGroup(_ body: ([VirtualRange]) -> Void) {
    var start = range.start
    while start < range.end {
      body(
        (0..<PinBuffers.group).map {
          VirtualRange(start: start + PinBuffers.callBytes * UInt64($0), count: PinBuffers.callBytes)
        })
      start += PinBuffers.groupBytes
    }
  }

  private func giveBack(_ ranges: UnsafeMutableBufferPointer<FrameRange>, _ count: Int) {
    for place in 0..<count { mustNot { () throws(PinError) in try machine.memory.unpin(ranges[place], on: Self.cpu) } }
  }
}

// MARK: Calls

// Each is one call of the engine, as a caller in another module makes it.

@inline(never) func pinNumbers(
  _ memory: borrowing BenchMemory, _ range: VirtualRange, _ space: AddressSpace, _ buffer: UnsafeMutableBufferPointer<FrameNumber>
) {
  mustNot { () throws(PinError) in
    var span = buffer.mutableSpan
    let done = try memory.pin(range, .write, in: space, into: &span, on: PinGround.cpu)
    precondition(done.rawValue == UInt64(buffer.count), "frames were left out")
  }
}

@inline(never) func pinDescriptors(
  _ memory: borrowing BenchMemory, _ range: VirtualRange, _ space: AddressSpace,
  _ buffer: UnsafeMutableBufferPointer<DescriptorPointer>
) {
  mustNot { () throws(PinError) in
    let done = try memory.pin(range, .write, in: space, into: buffer, on: PinGround.cpu)
    precondition(done.rawValue == UInt64(buffer.count), "frames were left out")
  }
}

@inline(never) private func pinRanges(
  _ memory: borrowing BenchMemory, _ range: VirtualRange, _ space: AddressSpace, _ buffer: UnsafeMutableBufferPointer<FrameRange>
) -> Int {
  var count = 0
  mustNot { () throws(PinError) in
    var span = buffer.mutableSpan
    let done = try memory.pin(range, .write, in: space, into: &span, on: PinGround.cpu)
    precondition(ByteCount(done.frames, PinGround.shift) == range.count, "frames were left out")
    count = done.ranges
  }
  return count
}

@inline(never) func unpinNumbers(_ memory: borrowing BenchMemory, _ frames: UnsafeMutableBufferPointer<FrameNumber>) {
  mustNot { () throws(PinError) in try memory.unpin(frames.span, on: PinGround.cpu) }
}

@inline(__always) func mustNot<Failure: Error>(_ body: () throws(Failure) -> Void) {
  do { try body() } catch { fatalError("the machine refused: \(error)") }
}
