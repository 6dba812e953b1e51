import FrameAllocator
public import FrameMap
public import MemoryUnits

extension VirtualMemory {
  /// Pins the frames behind a range, faulting in what is not there, and records their numbers.
  ///
  /// A pinned frame stays what the space sees at its address, whatever is forked, moved or reclaimed, until ``unpin(_:isDirty:on:)``; it
  /// stays memory of its own even when it is unmapped. Pages are pinned once a folio, however many of its frames the range covers.
  ///
  /// - Parameters:
  ///   - range: begins and ends between base pages.
  ///   - frames: at least as many as the range has.
  /// - Returns: how many frames from the start of the range were pinned: fewer than asked for where a later one could not be.
  /// - Throws: ``PinError`` where not even the first could be; nothing is pinned then.
  /// - Complexity: O(pages) without a lock where the range is mapped as asked for, and a store a frame; else what the faults cost.
  ///   Linux: `pin_user_pages_fast`.
  public func pin(
    _ range: VirtualRange, _ options: PinOptions = [], in space: AddressSpace, into frames: inout MutableSpan<FrameNumber>,
    on cpu: CPUIndex
  ) throws(PinError) -> FrameCount {
    let count = try count(range)
    precondition(UInt64(frames.count) >= count.rawValue, "no room for the frames that are to be pinned")
    guard let base = unsafe frames.withUnsafeMutableBufferPointer({ $0.baseAddress }) else { throw .misaligned(range) }
    // The span stays borrowed for the whole call.
    var sink = unsafe PinSink(numbers: base)
    return unsafe try pin(range.start, count, options, in: space, into: &sink, on: cpu)
  }

  /// The same, recording addresses of descriptors.
  ///
  /// Linux: `pin_user_pages_fast`, whose array is of `struct page *`.
  public func pin(
    _ range: VirtualRange, _ options: PinOptions = [], in space: AddressSpace,
    into descriptors: UnsafeMutableBufferPointer<DescriptorPointer>, on cpu: CPUIndex
  ) throws(PinError) -> FrameCount {
    let count = try count(range)
    guard let base = descriptors.baseAddress, UInt64(descriptors.count) >= count.rawValue else {
      preconditionFailure("no room for the frames that are to be pinned")
    }
    var sink = unsafe PinSink(descriptors: base)
    return unsafe try pin(range.start, count, options, in: space, into: &sink, on: cpu)
  }

  /// The same, recording ranges: O(1) a folio.
  ///
  /// - Parameters:
  ///   - ranges: as many as the range has pages at worst.
  ///   - joined: whether a range goes on over pages whose frames follow each other. If not, there is one for what each page has of the
  ///     request: for each time that the pins of a page were counted.
  /// - Returns: how many frames were pinned, and how many ranges they are.
  public func pin(
    _ range: VirtualRange, _ options: PinOptions = [], in space: AddressSpace, into ranges: inout MutableSpan<FrameRange>,
    joined: Bool = true, on cpu: CPUIndex
  ) throws(PinError) -> (frames: FrameCount, ranges: Int) {
    let count = try count(range)
    let room = ranges.count
    guard let base = unsafe ranges.withUnsafeMutableBufferPointer({ $0.baseAddress }) else { throw .misaligned(range) }
    var sink = unsafe PinSink(ranges: base, room: room, joins: joined)
    let done = unsafe try pin(range.start, count, options, in: space, into: &sink, on: cpu)
    return unsafe (done, sink.count)
  }

  /// Pins what is mapped already, without a lock, and stops where it is not: for who cannot wait.
  ///
  /// - Returns: how many frames; zero where the first is not mapped as asked for.
  /// - Complexity: O(pages), and a store a frame. Linux: `pin_user_pages_fast_only`.
  public func pinMapped(
    _ range: VirtualRange, _ options: PinOptions = [], in space: AddressSpace, into frames: inout MutableSpan<FrameNumber>,
    on cpu: CPUIndex
  ) -> FrameCount {
    guard let count = try? count(range) else { return .zero }
    precondition(UInt64(frames.count) >= count.rawValue, "no room for the frames that are to be pinned")
    guard let base = unsafe frames.withUnsafeMutableBufferPointer({ $0.baseAddress }) else { return .zero }
    var sink = unsafe PinSink(numbers: base)
    return unsafe pinFast(range.start, count, options, in: space, into: &sink, on: cpu)
  }

  private func count(_ range: VirtualRange) throws(PinError) -> FrameCount {
    guard !range.isEmpty, range.start.isAligned(to: shape.baseShift.bytes),
      let count = FrameCount(exactly: range.count, shape.baseShift)
    else { throw .misaligned(range) }
    return count
  }

  private func pinFast(
    _ address: VirtualAddress, _ count: FrameCount, _ options: PinOptions, in space: AddressSpace, into sink: inout PinSink,
    on cpu: CPUIndex
  ) -> FrameCount {
    let pins = unsafe walk.pin(address, count, options, in: space.root, zones: zones, into: &sink, on: cpu)
    if let (head, count) = pins.strayed { put(head, .pins(count), on: cpu) }
    return pins.frames
  }

  private func pin(
    _ address: VirtualAddress, _ count: FrameCount, _ options: PinOptions, in space: AddressSpace, into sink: inout PinSink,
    on cpu: CPUIndex
  ) throws(PinError) -> FrameCount {
    var done = unsafe pinFast(address, count, options, in: space, into: &sink, on: cpu)
    while done < count {
      do throws(PinError) {
        done += unsafe try pinSlowly(
          address + ByteCount(done, shape.baseShift), count - done, options, in: space, into: &sink, on: cpu)
      } catch {
        guard done == .zero else { return done }
        throw error
      }
    }
    return done
  }

  /// Pins at least one frame, with the lock.
  private func pinSlowly(
    _ address: VirtualAddress, _ count: FrameCount, _ options: PinOptions, in space: AddressSpace, into sink: inout PinSink,
    on cpu: CPUIndex
  ) throws(PinError) -> FrameCount {
    while true {
      let done = try space.state.withLock { (state: inout AddressSpace.State) throws(PinError) in
        var done = FrameCount.zero
        while done < count {
          do throws(PinError) {
            let at = address + ByteCount(done, shape.baseShift)
            let more = unsafe try pinPage(at, count - done, options, in: space, &state, into: &sink, on: cpu)
            guard more > .zero else { break }
            done += more
          } catch {
            guard done == .zero else { break }
            throw error
          }
        }
        return done
      }
      if done > .zero { return done }
      pause()
    }
  }

  /// Pins what a range has of one page: at most the rest of the page, of its mapping, and of the request. Zero where somebody else's work
  /// has to end first.
  private func pinPage(
    _ address: VirtualAddress, _ count: FrameCount, _ options: PinOptions, in space: AddressSpace,
    _ state: inout AddressSpace.State, into sink: inout PinSink, on cpu: CPUIndex
  ) throws(PinError) -> FrameCount {
    do throws(FaultError) {
      guard case .done = try serve(address, options.access, in: space, &state, breaksSharing: true, on: cpu) else { return .zero }
    } catch {
      throw .fault(error)
    }
    guard let number = state.mappings.index(containing: address) else { throw .fault(.noMapping(address)) }
    let mapping = state.mappings[number]
    let (place, _) = walk.find(space.root, address.aligned(to: mapping.leaf.size.bytes, .down), downTo: mapping.leaf.level)
    let leaf = leaf(place, mapping)
    if options.contains(.longTerm) {
      try leaveMovableMemory(settled(place), holding: HeldSpace(space: space, mappings: state.mappings), on: cpu)
    }
    let entry = settled(place)
    let offset = FrameCount(address - address.aligned(to: leaf.size.bytes, .down), shape.baseShift, rounded: .down)
    let pages = min(leaf.order.frames - offset, count)
    let folio = folio(of: entry)
    let head = folio.head
    let part = FrameRange(start: entry.frame + offset, count: pages)
    if mapping.isTransparent, folio.order > Order(0) {
      // The lock of the space is held: the folio stays.
      if case .refused(let pins) = zones.pin(part, of: folio, on: cpu, pause: pause, while: { true }) {
        throw .tooManyPins(head, pins: pins)
      }
      unsafe sink.record(part, zones.table)
      return pages
    }
    // Mapped, under the lock: it has references.
    switch unsafe descriptor(head).pointee.tryPin(UInt32(truncatingIfNeeded: pages.rawValue)) {
    case .done: break
    case .refused(let pins): throw .tooManyPins(head, pins: pins)
    case .last, .unreferenced: preconditionFailure("a page that is mapped has no references")
    }
    unsafe sink.record(part, zones.table)
    return pages
  }
}
