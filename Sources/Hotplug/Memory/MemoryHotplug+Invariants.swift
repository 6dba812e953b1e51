public import FrameAllocator
public import FrameMap
public import MemoryUnits

/// What the books of memory that comes and goes disagree about.
public enum HotplugFault: Error, Hashable, Sendable {
  /// Blocks overlap, or are not in rising order, or not whole.
  case order(FrameRange)
  /// The block's frames belong to another zone than it says.
  case zone(FrameRange)
  /// The marks of frames that hold descriptors differ from the block's.
  case memmap(FrameRange)
  /// The block has no descriptors.
  case noDescriptor(FrameRange)
  /// Another number of blocks uses a shared memmap.
  case users(HostNumber, said: BlockTally, counted: BlockTally)
  /// A zone's present frames changed by another number.
  case present(ZoneIndex, said: Int64, counted: Int64)
  case poison(FrameNumber)
}

extension MemoryHotplug {
  /// How many more frames a zone manages than it did when the machine was made; less than none where memory went.
  ///
  /// - Complexity: O(blocks).
  public borrowing func managedChange(of zone: ZoneIndex) -> Int64 {
    state.withLock { state in
      state.change(of: zone) { block in
        let withheld = state.withheld(in: block.usable).reduce(FrameCount.zero) { $0 + $1.count }
        return Int64((block.usable.count - withheld).rawValue)
      }
    }
  }

  /// Recounts everything from scratch. Only while no memory comes or goes.
  ///
  /// - Complexity: O(blocks * zones + shared memmaps).
  public borrowing func checkInvariants<Storage>(
    map: borrowing FrameMap<Storage>, zones: borrowing ZoneSet
  ) throws(HotplugFault) {
    try state.withLock { (state) throws(HotplugFault) in
      var end = FrameNumber.zero
      var users: [BlockTally] = state.shared.map { _ in .zero }
      for block in state.blocks {
        guard block.range.start >= end, block.range.count == geometry.blockFrames, block.memmapFrames <= block.range.count else {
          throw .order(block.range)
        }
        end = block.range.end
        try check(block, map, zones)
        if case .shared(let number) = block.home {
          guard let place = state.shared.firstIndex(where: { $0.number == number }) else { throw .memmap(block.range) }
          if block.state != .holdingMemmap { users[place] += BlockTally(1) }
        }
      }
      for (shared, counted) in zip(state.shared, users) where shared.users != counted {
        throw .users(shared.number, said: shared.users, counted: counted)
      }
      for index in zones.indices {
        let counted = state.change(of: index) { Int64($0.range.count.rawValue) }
        let said = zones[index].presentChange
        guard said == counted else { throw .present(index, said: said, counted: counted) }
      }
      for frame in state.poisoned {
        guard let descriptor = unsafe map.descriptor(frame), unsafe descriptor.pointee.flags.contains(.poisoned) else {
          throw .poison(frame)
        }
      }
    }
  }

  private func check<Storage>(
    _ block: MemoryBlock, _ map: borrowing FrameMap<Storage>, _ zones: borrowing ZoneSet
  ) throws(HotplugFault) {
    let last = block.range.end - FrameCount(1)
    guard map.isMemory(block.range.start), map.isMemory(last) else { throw .noDescriptor(block.range) }
    var zone: ZoneIndex?
    if case .online(let index) = block.state { zone = index }
    guard zones.late?.zone(of: block.range.start) == zone, zones.late?.zone(of: last) == zone else { throw .zone(block.range) }
    let hasFirst = zones.late?.isMemmap(block.range.start) ?? false
    guard hasFirst == (block.memmapFrames > .zero) else { throw .memmap(block.range) }
    guard hasFirst else { return }
    let end = block.range.start + block.memmapFrames
    let reaches = zones.late?.isMemmap(end - FrameCount(1)) ?? false
    let goesOn = end < block.range.end && zones.late?.isMemmap(end) ?? false
    guard reaches, !goesOn else { throw .memmap(block.range) }
  }
}

extension HotplugState {
  /// What blocks of a zone add up to, less what left it of the memory that the machine booted with.
  func change(of zone: ZoneIndex, _ frames: (MemoryBlock) -> Int64) -> Int64 {
    var sum: Int64 = 0
    for block in blocks where block.state == .online(zone) { sum += frames(block) }
    for left in leftBoot where left.zone == zone { sum -= Int64(left.range.count.rawValue) }
    return sum
  }
}
