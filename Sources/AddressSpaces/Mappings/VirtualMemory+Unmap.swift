import FrameAllocator
import FrameMap
public import MemoryUnits
import Synchronization

extension VirtualMemory {
  /// Unmaps what is mapped in `range`, parts of mappings too. Holes in it do not matter.
  ///
  /// - Throws: `.misaligned` where it would cut a page; nothing is unmapped then.
  /// - Complexity: O(pages mapped in the range). Linux: `munmap`.
  public func unmap(_ range: VirtualRange, in space: AddressSpace, on cpu: CPUIndex) throws(MappingError) {
    var doomed = DoomedTables()
    let gone = try space.state.withLock { (state: inout AddressSpace.State) throws(MappingError) in
      try cutOut(range, of: space, &state, &doomed, on: cpu)
    }
    free(doomed, on: cpu)
    finish(gone, of: space, on: cpu)
  }

  /// Takes a range's mappings out. To be ended by ``finish(_:of:on:)``, without the lock.
  func cutOut(
    _ range: VirtualRange, of space: AddressSpace, _ state: inout AddressSpace.State, _ doomed: inout DoomedTables,
    on cpu: CPUIndex
  ) throws(MappingError) -> [Mapping] {
    try checkCuts(range, state)
    cut(range, &state, of: space)
    return removeMappings(state.mappings.overlapping(range), of: space, &state, &doomed, on: cpu)
  }

  /// Looks whether both ends of a range lie between pages.
  func checkCuts(_ range: VirtualRange, _ state: borrowing AddressSpace.State) throws(MappingError) {
    guard !range.isEmpty, range.start.isAligned(to: shape.baseShift.bytes), range.end.isAligned(to: shape.baseShift.bytes) else {
      throw .misaligned(range, PageSize(shift: shape.baseShift))
    }
    guard range.end <= shape.end else { throw .outOfBounds(range) }
    for end in [range.start, range.end] {
      guard let place = state.mappings.index(containing: end) else { continue }
      let size = state.mappings[place].leaf.size
      guard end.isAligned(to: size.bytes) else { throw .misaligned(range, size) }
    }
  }

  /// Makes the ends of a range borders of mappings.
  func cut(_ range: VirtualRange, _ state: inout AddressSpace.State, of space: AddressSpace) {
    for end in [range.start, range.end] {
      splitEntries(at: end, of: space, &state)
      guard state.mappings.cut(at: end) else { continue }
      if let place = state.mappings.index(containing: end) { enter(state.mappings[place], space) }
    }
  }

  func removeMappings(
    _ places: Range<Int>, of space: AddressSpace, _ state: inout AddressSpace.State, _ doomed: inout DoomedTables,
    on cpu: CPUIndex
  ) -> [Mapping] {
    var gone: [Mapping] = []
    for place in places.reversed() {
      // The pages go first: as long as the mapping is there its family and its object are.
      let mapping = state.mappings[place]
      unmapPages(mapping.range, of: mapping, in: space, &state, &doomed, on: cpu)
      gone.append(state.mappings.remove(at: place))
    }
    return gone
  }

  /// Unmaps the pages of a part of a mapping.
  func unmapPages(
    _ range: VirtualRange, of mapping: Mapping, in space: AddressSpace, _ state: inout AddressSpace.State,
    _ doomed: inout DoomedTables, on cpu: CPUIndex
  ) {
    var tables = DoomedTables()
    walk.forEachLeaf(space.root, in: range, unit: mapping.leaf.size.bytes) { place, _ in
      let entry = clearPage(place, mapping, in: space, &state, &tables, on: cpu)
      if entry.isSwapped { return releaseSlots(entry, place.level, on: cpu) }
      drop(entry, mapping, on: cpu)
    }
    doomed.list += tables.list
  }

  /// Ends one mapping of a page whose entries were cleared.
  ///
  /// - Returns: whether the page is free now.
  @discardableResult func drop(
    _ entry: PageEntry, _ mapping: Mapping, restoringReservation: Bool = false, on cpu: CPUIndex
  ) -> Bool {
    let folio = folio(of: entry)
    let descriptor = unsafe descriptor(folio.head)
    let isOwn = unsafe isPrivate(descriptor, mapping)
    let left = unsafe descriptor.pointee.mapCount.wrappingSubtract(1, ordering: .acquiringAndReleasing).newValue
    if isOwn {
      // Who still holds it holds nobody's page.
      if left == 0, unsafe !descriptor.pointee.flags.contains(.swapCached) {
        unsafe descriptor.pointee.privateWord.store(0, ordering: .releasing)
      }
    } else if entry.has(.dirty) {
      unsafe _ = descriptor.pointee.insert(.dirty)
    }
    if left == 0, isOwn, unsafe descriptor.pointee.flags.contains(.swapCached) { leaveCache(folio.head, on: cpu) }
    let isFree = put(folio.head, restoringReservation: restoringReservation, on: cpu)
    if left > 0, isOwn, mapping.isTransparent, folio.order > Order(0) { books.deferSplit(of: folio.head, in: zones.table) }
    return isFree
  }

  /// Whether a page is of the mapping's family, and not of an object that is mapped privately.
  @unsafe func isPrivate(_ descriptor: DescriptorPointer, _ mapping: Mapping) -> Bool {
    guard let family = mapping.family else { return false }
    return unsafe descriptor.pointee.privateWord.load(ordering: .acquiring) == family.number.rawValue
  }
}
