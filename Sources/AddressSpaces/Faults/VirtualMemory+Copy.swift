import FrameAllocator
import FrameContents
import FrameMap
import HugePools
import MemoryUnits
import Synchronization

extension VirtualMemory {
  /// Makes the page of an entry that only reads the mapping's own: as it is, where nobody else has it, else by a copy.
  ///
  /// Linux: `wp_page_copy`, `hugetlb_wp`.
  func copy(
    _ place: FaultPlace, _ access: Access, in space: AddressSpace, _ state: inout AddressSpace.State
  ) throws(FaultError) -> FaultProgress {
    let mapping = state.mappings[place.mapping]
    let (entryPlace, _) = walk.find(space.root, place.page, downTo: mapping.leaf.level)
    var marks: PageEntry.Marks = mapping.entryMarks.union([.accessed, .pinnable])
    if mapping.protection.contains(.write) { marks.formUnion(.writable) }
    if access == .write { marks.formUnion(.dirty) }
    let leaf = leaf(entryPlace, mapping)
    let before = settled(entryPlace)
    let folio = folio(of: before)
    let seen = unsafe descriptor(folio.head)
    if unsafe isPrivate(seen, mapping), unsafe seen.pointee.mapCount.load(ordering: .acquiring) == 1,
      unsafe seen.pointee.counts == .references(1)
    {
      // The entry's own reference: nobody else has the page, and nobody can get it but through this entry.
      change(entryPlace, leaf) { $0.adding(marks) }
      return .done
    }
    if mapping.isTransparent, folio.order > Order(0) {
      if makeOwn(folio, mapping, of: space) {
        change(entryPlace, leaf) { $0.adding(marks) }
        return .done
      }
      if leaf.level > TableLevel(0) {
        // Only the page that is asked for is copied.
        splitEntry(entryPlace, &state)
        return .again
      }
    }
    let head: FrameNumber
    do throws(FaultError) {
      head = try newPrivatePage(place, in: space, &state)
    } catch {
      // Who reserved the page goes on, at the cost of those who were forked from it.
      guard case .noHugePage = error, mapping.marks.contains(.ownsReservations), unsafe isPrivate(seen, mapping) else {
        throw error
      }
      try takeFromOthers(folio.head, mapping, place, space, error)
      return .again
    }
    // To make room the page itself may have been moved; from here on it stays, as the lock is held.
    let entry = settled(entryPlace)
    copyContents(of: entry.frame, to: head, mapping.leaf)
    own(head, mapping, place.index)
    forEachEntry(from: entryPlace, mapping.leaf) { part, offset in
      walk.replace(
        part, PageEntry(.leaf, head + offset, marks.union(mapping.leaf.entries > EntryCount(1) ? .inRun : [])))
    }
    drop(entry, mapping, on: place.cpu)
    return .done
  }

  /// Puts a copy of an object's page, of which the caller has a reference that goes.
  func copy(
    _ source: FrameNumber, _ place: FaultPlace, in space: AddressSpace, _ state: inout AddressSpace.State
  ) throws(FaultError) -> FaultProgress {
    let mapping = state.mappings[place.mapping]
    defer { put(source, on: place.cpu) }
    let entryPlace = try self.place(for: place.page, mapping.leaf.level, in: space, on: place.cpu)
    let head = try newPrivatePageOrNoTables(place, in: space, &state)
    copyContents(of: source, to: head, mapping.leaf)
    own(head, mapping, place.index)
    map(head, at: entryPlace, mapping.leaf, mapping.marks(of: .write).union(.pinnable))
    return .done
  }

  func copyContents(of source: FrameNumber, to target: FrameNumber, _ leaf: TableShape.Leaf) {
    guard contents != nil else { return }
    do throws(ContentsError) {
      var work = try CopyWork(FrameRange(blockAt: source, order: leaf.order), to: target, in: contents, with: Mover.self)
      work.advance(by: work.remaining)
    } catch {
      preconditionFailure("a page of a machine with contents has none")
    }
  }

  /// Unmaps a page from the other spaces of the family, which lose it. One that is at work keeps it until the next try.
  ///
  /// - Throws: `error` where the page is held by others than mappings of the family, so that nothing would be gained.
  ///
  /// Linux: `unmap_ref_private`.
  private func takeFromOthers(
    _ head: FrameNumber, _ mapping: Mapping, _ place: FaultPlace, _ own: AddressSpace, _ error: FaultError
  ) throws(FaultError) {
    guard let family = mapping.family else { throw error }
    let descriptor = unsafe descriptor(head)
    let mappings = unsafe descriptor.pointee.mapCount.load(ordering: .acquiring)
    guard mappings > 1, unsafe descriptor.pointee.counts == .references(mappings) else { throw error }
    let index = UInt32(truncatingIfNeeded: place.index.rawValue)
    for space in family.members.withLock({ $0.spaces }) where space !== own {
      var doomed = DoomedTables()
      space.state.tryWithLock { state in
        for number in state.mappings.all.indices where state.mappings[number].family === family {
          let theirs = state.mappings[number]
          guard !theirs.marks.contains(.ownsReservations), let address = theirs.address(of: index) else { continue }
          let (entryPlace, entry) = walk.find(space.root, address, downTo: theirs.leaf.level)
          guard entry.isLeaf, entryPlace.level == theirs.leaf.level, entry.frame == head else { continue }
          drop(clear(entryPlace, theirs.leaf, in: space, &doomed), theirs, on: place.cpu)
          state.mappings[number].marks.insert(.lostPages)
        }
      }
      free(doomed, on: place.cpu)
    }
  }
}
