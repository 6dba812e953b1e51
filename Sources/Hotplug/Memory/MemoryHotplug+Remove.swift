public import FrameAllocator
public import FrameMap
public import MemoryUnits

extension MemoryHotplug {
  /// Removes memory and its descriptors. Returns after every read section that could still see them has ended. All or nothing.
  ///
  /// Blocks whose first frames hold descriptors of others that are still there stay as long as these do, and go with the last of
  /// them: in any order.
  ///
  /// - Parameter range: whole blocks, all offline, or device memory.
  /// - Throws: `.notPluggable`, `.misaligned`, `.noSuchBlock`, `.alreadyOnline`, `.modelIsFixed`, `.storage`.
  /// - Complexity: O(blocks + sections), and the wait. Threads: any. Linux: `try_remove_memory`, `vmem_altmap_free`.
  public borrowing func remove<Storage>(
    _ range: FrameRange, map: borrowing FrameMap<Storage>, zones: borrowing ZoneSet, on cpu: CPUIndex
  ) throws(HotplugError) {
    try requireWholeBlocks(range)
    try state.withLock { (state) throws(HotplugError) in try remove(range, &state, map: map, zones: zones, on: cpu) }
  }

  borrowing func remove<Storage>(
    _ range: FrameRange, _ state: inout HotplugState, map: borrowing FrameMap<Storage>, zones: borrowing ZoneSet,
    on cpu: CPUIndex
  ) throws(HotplugError) {
    guard let late = zones.late else { throw .notPluggable }
    guard map.model.canChange else { throw .modelIsFixed(map.model) }
    let places = try state.wholePlaces(of: range, geometry.blockFrames)
    for block in state.blocks[places] {
      if case .online = block.state { throw .alreadyOnline(block.range) }
    }
    let (going, shared) = state.leaving(places)
    do throws(FrameMapError) {
      try map.remove(state.ranges(going))
    } catch {
      throw HotplugError(error, range)
    }
    for place in places { state.blocks[place].state = .holdingMemmap }
    for place in going.reversed() {
      let block = state.blocks.remove(at: place)
      late.setMemmap(.zero, of: MemoryBlock.units(of: block.memmapFrames, in: block.range, late.unit))
      release(block.home, zones, on: cpu)
      state.poisoned.removeAll { block.range.contains($0) }
    }
    state.shared = shared.filter { $0.users > .zero }
  }
}

extension HotplugState {
  /// What goes when the blocks of `places` are removed: those that hold no others' descriptors, and any that held them for the last time.
  /// And who shares memmaps then.
  func leaving(_ places: Range<Int>) -> (going: [Int], shared: [SharedMemmap]) {
    var shared = self.shared
    for block in blocks[places] {
      guard case .shared(let number) = block.home, let host = shared.firstIndex(where: { $0.number == number }) else { continue }
      shared[host].users -= BlockTally(1)
    }
    func isHeld(_ block: MemoryBlock) -> Bool {
      guard case .shared(let number) = block.home, block.memmapFrames > .zero else { return false }
      return shared.contains { $0.number == number && $0.users > .zero }
    }
    var going: [Int] = []
    for (place, block) in blocks.enumerated() where !isHeld(block) {
      if places.contains(place) || block.state == .holdingMemmap { going.append(place) }
    }
    return (going, shared)
  }

  /// The ranges of blocks, lowest first, joined where they touch.
  func ranges(_ places: [Int]) -> [FrameRange] { places.map { blocks[$0].range }.joined() }
}
