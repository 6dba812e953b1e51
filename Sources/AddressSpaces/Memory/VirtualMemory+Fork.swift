import FrameAllocator
import FrameMap
import HugePools
public import MemoryUnits
import Synchronization

extension VirtualMemory {
  /// Makes a space that has what `space` has: objects shared as they are, private pages shared until one of the two writes. Pages that
  /// are pinned stay the parent's own; the child gets copies at once.
  ///
  /// Reservations of private huge pages stay with the parent.
  ///
  /// - Throws: `.outOfMemory`, `.noHugePage`; there is no child then, and the parent has lost nothing.
  /// - Complexity: O(mappings + pages mapped privately or huge). Linux: `dup_mmap`, `copy_page_range`.
  public func fork(_ space: AddressSpace, on cpu: CPUIndex) throws(MappingError) -> AddressSpace {
    let child: AddressSpace
    do throws(FaultError) {
      child = try makeSpace(node: space.node, on: cpu)
    } catch {
      throw MappingError(error, in: VirtualRange(start: VirtualAddress(0), end: VirtualAddress(0)))
    }
    do throws(FaultError) {
      try space.state.withLock { (parent: inout AddressSpace.State) throws(FaultError) in
        precondition(!parent.isDestroyed, "a space that was destroyed")
        // Others may meet the child through families and objects; they do not wait for it.
        try child.state.withLock { (state: inout AddressSpace.State) throws(FaultError) in
          for mapping in parent.mappings.all where !mapping.marks.contains(.dontFork) {
            try copy(mapping, of: space, &parent, to: child, &state, on: cpu)
          }
        }
      }
    } catch {
      destroy(child, on: cpu)
      throw MappingError(error, in: VirtualRange(start: VirtualAddress(0), end: VirtualAddress(0)))
    }
    return child
  }

  private func copy(
    _ mapping: Mapping, of parent: AddressSpace, _ parentState: inout AddressSpace.State, to child: AddressSpace,
    _ state: inout AddressSpace.State,
    on cpu: CPUIndex
  ) throws(FaultError) {
    var mine = mapping
    mine.consumed = ReservationMap()
    mine.marks.remove(.ownsReservations)
    enter(mine, child)
    state.mappings.insert(mine)
    // What an object has the child finds there; huge pages are worth the entry.
    guard !mapping.marks.contains(.wipeOnFork), !mapping.isShared || mapping.isHuge else { return }
    let held = [HeldSpace(space: parent, mappings: parentState.mappings), HeldSpace(space: child, mappings: state.mappings)]
    try walk.forEachLeaf(parent.root, in: mapping.range, unit: mapping.leaf.size.bytes) { place, _ throws(FaultError) in
      try copy(place, mapping, to: child, &state, of: parent, &parentState, holding: held, on: cpu)
    }
  }

  private func copy(
    _ place: EntryPlace, _ mapping: Mapping, to child: AddressSpace, _ state: inout AddressSpace.State, of parent: AddressSpace,
    _ parentState: inout AddressSpace.State, holding held: [HeldSpace], on cpu: CPUIndex
  ) throws(FaultError) {
    let leaf = leaf(place, mapping)
    // The table comes first: what may fail must not leave an entry changed.
    let target = try self.place(for: place.address, leaf.level, in: child, on: cpu)
    let entry = settled(place)
    if entry.isSwapped { return try copySwapped(place, entry, to: target, child, &state, on: cpu) }
    let folio = folio(of: entry)
    let descriptor = unsafe descriptor(folio.head)
    let isCopied = unsafe !mapping.isShared && isPrivate(descriptor, mapping)
    if isCopied, entry.has(.pinnable) {
      // First nobody can pin the page any more by the fast way, which looks at the entry again after it took its pin; then the pins are
      // counted. Either it sees the entry changed, or its pin is seen here.
      change(place, leaf) { $0.removing([.pinnable, .writable]) }
      atomicMemoryFence(ordering: .sequentiallyConsistent)
      if unsafe descriptor.pointee.counts.pins > 0, isPinned(entry, leaf, folio) {
        if leaf.level > mapping.leaf.level {
          change(place, leaf) { $0.adding(entry.marks.intersection([.pinnable, .writable])) }
          // Only the pages that are pinned are copied: each part for itself.
          splitEntry(place, &parentState)
          var doomed = DoomedTables()
          prune(child, place.address, &doomed)
          free(doomed, on: cpu)
          let part = VirtualRange(start: place.address, count: leaf.size.bytes)
          try walk.forEachLeaf(parent.root, in: part, unit: mapping.leaf.size.bytes) { place, _ throws(FaultError) in
            try copy(place, mapping, to: child, &state, of: parent, &parentState, holding: held, on: cpu)
          }
          return
        }
        // Whatever comes of it, the parent's page is its own again.
        defer { change(place, leaf) { $0.adding(entry.marks.intersection([.pinnable, .writable])) } }
        let index = mapping.index(of: place.address)
        let head: FrameNumber
        do throws(FaultError) {
          head = try newPage(
            mapping.leaf, mapping.placement, index, isReserved: false, subpool: mapping.object?.subpool, holding: held, on: cpu)
        } catch {
          var doomed = DoomedTables()
          prune(child, place.address, &doomed)
          free(doomed, on: cpu)
          throw error
        }
        copyContents(of: settled(place).frame, to: head, leaf)
        own(head, mapping, index)
        map(head, at: target, leaf, entry.marks.subtracting(.inRun))
        return
      }
    }
    if leaf.level > mapping.leaf.level {
      do throws(FaultError) {
        state.deposits.add(try makeDeposits(leaf.level, node: child.node, on: cpu))
      } catch {
        if isCopied { change(place, leaf) { $0.adding(entry.marks.intersection([.pinnable, .writable])) } }
        var doomed = DoomedTables()
        prune(child, place.address, &doomed)
        free(doomed, on: cpu)
        throw error
      }
    }
    unsafe descriptor.pointee.take(.references(1))
    unsafe _ = descriptor.pointee.mapCount.wrappingAdd(1, ordering: .acquiringAndReleasing)
    map(entry.frame, at: target, leaf, settled(place).marks.subtracting(.inRun))
  }

  /// Both name the slots, and who reads them in does not have the page alone.
  private func copySwapped(
    _ place: EntryPlace, _ entry: PageEntry, to target: EntryPlace, _ child: AddressSpace, _ state: inout AddressSpace.State,
    on cpu: CPUIndex
  ) throws(FaultError) {
    do throws(FaultError) {
      state.deposits.add(try makeDeposits(place.level, node: child.node, on: cpu))
    } catch {
      var doomed = DoomedTables()
      prune(child, place.address, &doomed)
      free(doomed, on: cpu)
      throw error
    }
    retainSlots(entry, place.level)
    let shared = entry.removing([.pinnable, .writable])
    walk.replace(place, shared)
    walk.set(target, shared)
  }

  /// Whether frames that an entry leads to are pinned.
  private func isPinned(_ entry: PageEntry, _ leaf: TableShape.Leaf, _ folio: FolioPlace) -> Bool {
    // Of a folio that is mapped by one entry any pin is one of the entry's; a part looks for its own.
    guard leaf.order < folio.order else { return true }
    var frame = entry.frame
    while frame < entry.frame + leaf.order.frames {
      if zones.pins(on: frame, pause: pause) > 0 { return true }
      frame += FrameCount(1)
    }
    return false
  }
}
