import FrameAllocator
import FrameMap
public import HugePools
public import MemoryUnits
import Synchronization

extension VirtualMemory {
  /// Makes an object of a page size: shared memory of base pages, or a file of huge pages of their pool.
  ///
  /// - Parameters:
  ///   - size: pages; more can be mapped, and not touched, save that a file of huge pages grows with its mappings.
  ///   - subpool: limits what it may take of its pool; for huge pages.
  /// - Throws: `.noSuchSize`, `.tooLarge`. Linux: `memfd_create`, an inode of `hugetlbfs`.
  public func makeObject(_ pageSize: PageSize, size: PageCount, subpool: Subpool? = nil) throws(MappingError) -> SharedObject {
    guard let leaf = shape.leaf(pageSize) else { throw .noSuchSize(pageSize) }
    if leaf.order > Order(0), !pools.sizes.contains(pageSize) { throw .noSuchSize(pageSize) }
    guard size.rawValue < 1 << 32 else { throw .tooLarge(size) }
    return books.add { number in
      let object = SharedObject(number, leaf: leaf, size: size, subpool: subpool, pause: pause)
      return (object, .object(object))
    }
  }

  /// Deletes an object: at once, or when the last mapping of it goes.
  ///
  /// - Complexity: O(pages). Linux: `unlink` and `close`.
  public func delete(_ object: SharedObject, on cpu: CPUIndex) {
    let isUnused = object.state.withLock { state in
      precondition(!state.isDeleted, "an object was deleted twice")
      state.isDeleted = true
      return state.members.spaces.isEmpty
    }
    if isUnused { empty(object, on: cpu) }
  }

  /// The end of an object that nobody maps.
  func empty(_ object: SharedObject, on cpu: CPUIndex) {
    truncate(object, to: .zero, on: cpu)
    books.remove(object.number)
  }

  /// Makes an object end elsewhere. What it loses is unmapped everywhere, private copies too, and freed once nobody pins it.
  ///
  /// - Complexity: O(pages that go + mappings). Linux: `ftruncate`, `hugetlb_vmtruncate`.
  public func truncate(_ object: SharedObject, to size: PageCount, on cpu: CPUIndex) {
    precondition(size.rawValue < 1 << 32, "an object of more pages than can be numbered")
    let start = PageIndex(0) + size
    let old = object.state.withLock { state in
      let old = state.size
      // From here on nothing behind it is faulted in.
      state.size = size
      return old
    }
    let end = PageIndex(0) + max(old, PageCount(1 << 32))
    remove(UnitRange(start: start, end: max(start, end)), of: object, andCopies: true, on: cpu)
  }

  /// Frees the pages of a part of an object; touched again, it is zero. Private copies stay. Of a file of huge pages, what was reserved
  /// and not there yet stays reserved, and what goes has to be had anew.
  ///
  /// - Complexity: O(pages + mappings). Linux: `fallocate(FALLOC_FL_PUNCH_HOLE)`; there private copies of huge pages go too.
  public func punch(_ pages: UnitRange<PageIndex>, of object: SharedObject, on cpu: CPUIndex) {
    remove(pages, of: object, andCopies: false, on: cpu)
  }

  private func remove(_ pages: UnitRange<PageIndex>, of object: SharedObject, andCopies: Bool, on cpu: CPUIndex) {
    while true {
      unmapEverywhere(pages, of: object, andCopies: andCopies, on: cpu)
      guard !takeOut(pages, of: object, on: cpu) else { break }
      pause()
    }
    // Behind an object's end nothing is reserved; in a hole it is.
    guard object.leaf.order > Order(0), andCopies else { return }
    let unused = object.state.withLock { state in
      // A page that came back meanwhile keeps its place.
      var removed = PageCount.zero
      var start = pages.start
      while start < pages.end {
        let next = state.pages.first(in: UnitRange(start: start, end: pages.end))?.index ?? pages.end
        removed += state.reservations.remove(UnitRange(start: start, end: next))
        start = min(pages.end, next + PageCount(1))
      }
      return removed
    }
    if unused > .zero { pools.unreserve(unused, object.pageSize, subpool: object.subpool, zones: zones, on: cpu) }
  }

  /// Frees pages that nobody maps; false where some are mapped again, or on their way to other frames.
  private func takeOut(_ pages: UnitRange<PageIndex>, of object: SharedObject, on cpu: CPUIndex) -> Bool {
    var start = pages.start
    var isAll = true
    while true {
      let found = object.state.withLock { state -> (next: PageIndex, head: FrameNumber?)? in
        guard let (index, head) = state.pages.first(in: UnitRange(start: start, end: pages.end)) else { return nil }
        let descriptor = unsafe descriptor(head)
        // Taken, so that nobody moves it.
        guard unsafe descriptor.pointee.tryTake(.references(1)) else { return (index + PageCount(1), nil) }
        guard unsafe descriptor.pointee.mapCount.load(ordering: .acquiring) == 0 else {
          // The object's own reference stays.
          unsafe _ = descriptor.pointee.give(.references(1))
          return (index + PageCount(1), nil)
        }
        unsafe descriptor.pointee.privateWord.store(0, ordering: .releasing)
        state.pages[index] = nil
        state.reservations.remove(UnitRange(start: index, count: PageCount(1)))
        return (index + PageCount(1), head)
      }
      guard let found else { return isAll }
      if let head = found.head {
        put(head, .references(2), on: cpu)
      } else {
        isAll = false
      }
      start = found.next
    }
  }

  private func unmapEverywhere(_ pages: UnitRange<PageIndex>, of object: SharedObject, andCopies: Bool, on cpu: CPUIndex) {
    for space in object.state.withLock({ $0.members.spaces }) {
      var doomed = DoomedTables()
      space.state.withLock { state in
        for number in state.mappings.all.indices where state.mappings[number].object === object {
          let mapping = state.mappings[number]
          let touched = mapping.indices.intersection(pages)
          guard !touched.isEmpty, let start = mapping.address(of: touched.start) else { continue }
          let range = VirtualRange(start: start, count: mapping.leaf.size.bytes * touched.count.rawValue)
          walk.forEachLeaf(space.root, in: range, unit: mapping.leaf.size.bytes) { place, _ in
            let entry = settled(place)
            guard unsafe andCopies || !isPrivate(descriptor(entry.frame), mapping) else { return }
            giveUp(place, number, in: space, &state, &doomed, on: cpu)
          }
        }
      }
      free(doomed, on: cpu)
    }
  }
}
