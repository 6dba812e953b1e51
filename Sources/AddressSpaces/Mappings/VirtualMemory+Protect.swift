import FrameAllocator
import HugePools
public import MemoryUnits

/// What a caller knows about how a range will be used, or wants done with it.
public enum Advice: Hashable, Sendable {
  /// Its private pages are not needed: they are freed, and come back as zeros, or as the object has them. Linux: `MADV_DONTNEED`.
  case notNeeded
  /// It will be touched soon: it is populated. Linux: `MADV_WILLNEED`, `MADV_POPULATE_WRITE`.
  case needed
  /// Forks leave it out, or not any more. Linux: `MADV_DONTFORK`, `MADV_DOFORK`.
  case leftOutOfForks(Bool)
  /// Forks get it empty, or not any more; private memory only. Linux: `MADV_WIPEONFORK`, `MADV_KEEPONFORK`.
  case emptyInForks(Bool)
  /// The pages of the object behind it go. Linux: `MADV_REMOVE`.
  case removed
  /// Anonymous memory is to have larger pages where the policy leaves it to its owner, or never. Linux: `MADV_HUGEPAGE`,
  /// `MADV_NOHUGEPAGE`.
  case hugePages(Bool)
}

extension VirtualMemory {
  /// Changes what may be done with a range, all of which is mapped.
  ///
  /// What becomes writable is made so page by page, when it is written.
  ///
  /// - Throws: `.noMapping` with the first address where nothing is mapped, `.misaligned`; nothing is changed then.
  /// - Complexity: O(mappings + pages mapped in the range). Linux: `mprotect`.
  public func protect(
    _ range: VirtualRange, _ protection: Protection, in space: AddressSpace, on cpu: CPUIndex
  ) throws(MappingError) {
    try change(range, in: space, on: cpu) { mapping in
      mapping.protection = protection
      walk.forEachLeaf(space.root, in: mapping.range, unit: mapping.leaf.size.bytes) { place, _ in
        _ = settled(place)
        change(place, leaf(place, mapping)) { entry in
          var entry = protection.contains(.read) ? entry.adding(.readable) : entry.removing(.readable)
          if !protection.contains(.write) { entry = entry.removing(.writable) }
          return entry
        }
      }
    }
  }

  /// Follows advice about a range, all of which is mapped.
  ///
  /// - Throws: as ``protect(_:_:in:on:)``; `.unsuitable` where it does not apply to a mapping; for `.needed` what kept a page from being
  ///   there, those before it are.
  /// - Complexity: as ``protect(_:_:in:on:)``. Linux: `madvise`.
  public func advise(_ range: VirtualRange, _ advice: Advice, in space: AddressSpace, on cpu: CPUIndex) throws(MappingError) {
    switch advice {
    case .notNeeded: try discard(range, in: space, on: cpu)
    case .needed:
      do throws(FaultError) {
        try populate(range, in: space, on: cpu)
      } catch {
        throw MappingError(error, in: range)
      }
    case .leftOutOfForks(let isOut):
      try change(range, in: space, on: cpu) { $0.marks.set(.dontFork, isOut) }
    case .emptyInForks(let isEmpty):
      try check(range, in: space) { $0.isShared || $0.object != nil }
      try change(range, in: space, on: cpu) { $0.marks.set(.wipeOnFork, isEmpty) }
    case .hugePages(let isWanted):
      try check(range, in: space) { !$0.isTransparent }
      try change(range, in: space, on: cpu) {
        $0.marks.set(.hugeAdvised, isWanted)
        $0.marks.set(.hugeRefused, !isWanted)
      }
    case .removed:
      try check(range, in: space) { !$0.isShared }
      let parts = space.state.withLock { state in
        state.mappings.overlapping(range).map { place in
          let mapping = state.mappings[place]
          return (mapping.object, mapping.indices(of: mapping.range.intersection(range)))
        }
      }
      for (object, pages) in parts {
        if let object { punch(pages, of: object, on: cpu) }
      }
    }
  }

  /// Looks whether all of a range is mapped, its ends lie between pages, and no mapping is unsuitable.
  private func check(
    _ range: VirtualRange, in space: AddressSpace, unsuitable isUnsuitable: (Mapping) -> Bool = { _ in false }
  ) throws(MappingError) {
    try space.state.withLock { (state: inout AddressSpace.State) throws(MappingError) in
      try check(range, state, isUnsuitable)
    }
  }

  private func check(
    _ range: VirtualRange, _ state: borrowing AddressSpace.State, _ isUnsuitable: (Mapping) -> Bool
  ) throws(MappingError) {
    try checkCuts(range, state)
    var address = range.start
    for place in state.mappings.overlapping(range) {
      let mapping = state.mappings[place]
      guard mapping.range.start <= address else { throw .noMapping(address) }
      if isUnsuitable(mapping) { throw .unsuitable(mapping.range) }
      address = mapping.range.end
    }
    guard address >= range.end else { throw .noMapping(address) }
  }

  /// Changes the mappings of a range, cut out of others where it takes that.
  private func change(
    _ range: VirtualRange, in space: AddressSpace, on cpu: CPUIndex, _ body: (inout Mapping) -> Void
  ) throws(MappingError) {
    let gone = try space.state.withLock { (state: inout AddressSpace.State) throws(MappingError) in
      try check(range, state) { _ in false }
      cut(range, &state, of: space)
      for place in state.mappings.overlapping(range) { body(&state.mappings[place]) }
      return joined(&state, around: range)
    }
    finish(gone, of: space, on: cpu)
  }

  /// Frees private pages; where who reserved a huge page gives it up untouched by others, it is reserved again.
  private func discard(_ range: VirtualRange, in space: AddressSpace, on cpu: CPUIndex) throws(MappingError) {
    var doomed = DoomedTables()
    try space.state.withLock { (state: inout AddressSpace.State) throws(MappingError) in
      try check(range, state) { _ in false }
      for number in state.mappings.overlapping(range) {
        let mapping = state.mappings[number]
        let part = mapping.range.intersection(range)
        splitEntries(at: part.start, of: space, &state)
        splitEntries(at: part.end, of: space, &state)
        walk.forEachLeaf(space.root, in: part, unit: mapping.leaf.size.bytes) { place, _ in
          giveUp(place, number, in: space, &state, &doomed, on: cpu)
        }
      }
    }
    free(doomed, on: cpu)
  }
}

extension VirtualMemory {
  /// Unmaps a page that its mapping can have again: where who reserved it gives it up untouched by others, it is reserved again.
  ///
  /// Linux: `__unmap_hugepage_range`.
  func giveUp(
    _ place: EntryPlace, _ number: Int, in space: AddressSpace, _ state: inout AddressSpace.State, _ doomed: inout DoomedTables,
    on cpu: CPUIndex
  ) {
    let mapping = state.mappings[number]
    let entry = clearPage(place, mapping, in: space, &state, &doomed, on: cpu)
    if entry.isSwapped { return releaseSlots(entry, place.level, on: cpu) }
    let restores = unsafe mapping.marks.contains(.ownsReservations) && isPrivate(descriptor(entry.frame), mapping)
    let isFree = drop(entry, mapping, restoringReservation: restores, on: cpu)
    guard isFree, restores else { return }
    state.mappings[number].consumed.remove(UnitRange(start: mapping.index(of: place.address), count: PageCount(1)))
  }
}

extension Mapping.Marks {
  mutating func set(_ marks: Mapping.Marks, _ isSet: Bool) {
    if isSet { insert(marks) } else { remove(marks) }
  }
}
