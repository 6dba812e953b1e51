import FrameAllocator
public import MemoryUnits

extension VirtualMemory {
  /// Gives a mapping another size, and, where it has to, another place; its pages go with it.
  ///
  /// Huge mappings can shrink and move, and not grow, as their pages were reserved for the size that they had.
  ///
  /// - Parameters:
  ///   - range: of one mapping, or a part of one.
  ///   - place: where it may go: nil for nowhere else, `.anywhere` where it cannot grow in place, others at once.
  /// - Returns: its addresses.
  /// - Throws: ``MappingError``; nothing has changed then, save that with `.replacing` what was there is unmapped.
  /// - Complexity: O(pages that move). Linux: `mremap`.
  public func remap(
    _ range: VirtualRange, to size: ByteCount, _ place: MappingPlace? = .anywhere, in space: AddressSpace, on cpu: CPUIndex
  ) throws(MappingError) -> VirtualRange {
    var doomed = DoomedTables()
    var gone: [Mapping] = []
    var failure: MappingError?
    let result: VirtualRange? = space.state.withLock { state in
      do throws(MappingError) {
        return try remap(range, to: size, place, in: space, &state, &doomed, &gone, on: cpu)
      } catch {
        failure = error
        return nil
      }
    }
    // What made room is gone, even where nothing came into it.
    free(doomed, on: cpu)
    finish(gone, of: space, on: cpu)
    if let result { return result }
    throw failure ?? .noAddresses(wanted: size)
  }

  private func remap(
    _ range: VirtualRange, to size: ByteCount, _ place: MappingPlace?, in space: AddressSpace, _ state: inout AddressSpace.State,
    _ doomed: inout DoomedTables, _ gone: inout [Mapping], on cpu: CPUIndex
  ) throws(MappingError) -> VirtualRange {
    try checkCuts(range, state)
    guard let number = state.mappings.index(containing: range.start) else { throw .noMapping(range.start) }
    let mapping = state.mappings[number]
    guard mapping.range.contains(range) else { throw .noMapping(mapping.range.end) }
    guard size > .zero, size % mapping.leaf.size.bytes == .zero else { throw .misaligned(range, mapping.leaf.size) }
    if size > range.count {
      guard !mapping.isHuge else { throw .unsuitable(range) }
      guard PageCount(size / mapping.leaf.size.bytes).rawValue < 1 << 32 else {
        throw .tooLarge(PageCount(size / mapping.leaf.size.bytes))
      }
    }
    if place == nil || place == .anywhere {
      if size <= range.count {
        // Shrinks where it is.
        guard size < range.count else { return range }
        let tail = VirtualRange(start: range.start + size, end: range.end)
        gone += try cutOut(tail, of: space, &state, &doomed, on: cpu)
        return VirtualRange(start: range.start, count: size)
      }
      if mapping.range.end == range.end, let grown = grow(range, to: size, number, &state) {
        gone += joined(&state, around: grown)
        return grown
      }
    }
    guard let place else { throw .noAddresses(wanted: size) }
    return try move(range, to: size, place, in: space, &state, &doomed, &gone, on: cpu)
  }

  /// Grows a mapping in place; nil where something is in the way.
  private func grow(_ range: VirtualRange, to size: ByteCount, _ number: Int, _ state: inout AddressSpace.State) -> VirtualRange?
  {
    guard range.start < shape.end, shape.end - range.start >= size else { return nil }
    let grown = VirtualRange(start: range.start, count: size)
    guard state.mappings.overlapping(VirtualRange(start: range.end, end: grown.end)).isEmpty else { return nil }
    var mapping = state.mappings[number]
    mapping.range = VirtualRange(start: mapping.range.start, end: grown.end)
    state.mappings[number] = mapping
    return grown
  }

  private func move(
    _ range: VirtualRange, to size: ByteCount, _ place: MappingPlace, in space: AddressSpace, _ state: inout AddressSpace.State,
    _ doomed: inout DoomedTables, _ gone: inout [Mapping], on cpu: CPUIndex
  ) throws(MappingError) -> VirtualRange {
    guard let number = state.mappings.index(containing: range.start) else { throw .noMapping(range.start) }
    let mapping = state.mappings[number]
    let leaf = mapping.leaf
    let target = try self.place(size, leaf.size, place, &state)
    guard !target.overlaps(range) else { throw .occupied(target) }
    let moved = VirtualRange(start: range.start, count: min(size, range.count))
    if case .replacing = place { gone += try cutOut(target, of: space, &state, &doomed, on: cpu) }
    // Entries go as they are where the new place allows it.
    splitEntries(at: moved.start, of: space, &state)
    splitEntries(at: moved.end, of: space, &state)
    splitEntries(in: moved, of: space, &state) { place in
      place.level > leaf.level && !(target.start + (place.address - range.start)).isAligned(to: shape.span(place.level))
    }
    // All tables first: afterwards nothing can fail.
    do throws(FaultError) {
      try walk.forEachLeaf(space.root, in: moved, unit: leaf.size.bytes) { place, _ throws(FaultError) in
        _ = try self.place(for: target.start + (place.address - range.start), place.level, in: space, on: cpu)
      }
    } catch {
      var address = target.start
      while address < target.end {
        prune(space, address, &doomed)
        address += min(leaf.size.bytes, target.end - address)
      }
      throw MappingError(error, in: range)
    }
    walk.forEachLeaf(space.root, in: moved, unit: leaf.size.bytes) { place, _ in
      let (newPlace, _) = walk.find(space.root, target.start + (place.address - range.start), downTo: place.level)
      let entry = settled(place)
      let leaf = self.leaf(place, mapping)
      // It is in both places for a moment: who moves a page needs the lock, and who pins it looks at its entry again.
      if entry.isSwapped {
        walk.set(newPlace, entry)
      } else {
        map(entry.frame, at: newPlace, leaf, entry.marks.subtracting(.inRun))
      }
      clear(place, leaf, in: space, &doomed)
    }
    cut(range, &state, of: space)
    guard let old = state.mappings.index(containing: range.start) else { throw .noMapping(range.start) }
    // Pages beyond the new size go with what is left of the old mapping.
    if moved.end < range.end {
      gone += try cutOut(VirtualRange(start: moved.end, end: range.end), of: space, &state, &doomed, on: cpu)
    }
    var moving = state.mappings.remove(at: old)
    moving.range = target
    state.mappings.insert(moving)
    gone += joined(&state, around: target)
    return target
  }
}
