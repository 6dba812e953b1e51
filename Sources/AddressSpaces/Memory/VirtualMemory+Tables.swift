import FrameAllocator
import FrameContents
import FrameMap
import MemoryUnits
import Synchronization

/// Tables that nothing leads to any more, to be freed when nobody can be reading them.
struct DoomedTables {
  var list: [FrameNumber] = []
}

extension VirtualMemory {
  /// A table of zeros: an unmovable folio of the machine.
  func makeTable(_ level: TableLevel, node: NodeID, on cpu: CPUIndex) throws(FaultError) -> FrameNumber {
    let order = shape.tableOrder(level)
    let folio: Folio
    do throws(FolioError) {
      folio = try zones.allocate(order, FrameRequest(.unmovable, node: node), on: cpu)
    } catch {
      throw FaultError(error, order)
    }
    let table = folio.head
    let zone = folio.zone
    // From here on it is known by its frame.
    _ = consume folio
    let descriptor = unsafe descriptor(table)
    // It was just handed out, and nobody else knows it.
    unsafe descriptor.pointee.setShape(FrameShape(.pageTable, order: order, mobility: .unmovable, zone: zone))
    unsafe descriptor.pointee.privateIndex.store(0, ordering: .relaxed)
    do throws(ContentsError) {
      var work = try ClearWork(FrameRange(blockAt: table, order: order), in: walk.words, with: Mover.self)
      work.advance(by: work.remaining)
    } catch {
      preconditionFailure("a page table without memory")
    }
    return table
  }

  /// The place of an entry of `level` for `address`, with all tables above it.
  ///
  /// - Throws: `.outOfMemory`; tables that were made for it are freed again.
  func place(
    for address: VirtualAddress, _ level: TableLevel, in space: AddressSpace, on cpu: CPUIndex
  ) throws(FaultError) -> EntryPlace {
    while true {
      let (place, entry) = walk.find(space.root, address, downTo: level)
      guard place.level > level else { return place }
      precondition(entry == .none, "a larger page is mapped where a smaller one is to be")
      do throws(FaultError) {
        let table = try makeTable(place.level.below, node: space.node, on: cpu)
        walk.set(place, PageEntry(.table, table))
      } catch {
        // Nothing is in the tables that were just made; nobody else can have filled them.
        var doomed = DoomedTables()
        prune(space, address, &doomed)
        free(doomed, on: cpu)
        throw error
      }
    }
  }

  /// Takes the tables that lead to `address` out as far as they are empty.
  func prune(_ space: AddressSpace, _ address: VirtualAddress, _ doomed: inout DoomedTables) {
    while true {
      // The lowest table on the way, and the entry that leads to it.
      var level = shape.levels.below
      var table = space.root
      var parent: EntryPlace?
      while level > TableLevel(0) {
        let place = walk.place(table, address, level)
        let entry = walk.load(place)
        guard entry.kind == .table else { break }
        parent = place
        table = entry.frame
        level = level.below
      }
      guard let parent, walk.used(table) == .zero else { return }
      walk.set(parent, .none)
      doomed.list.append(table)
    }
  }

  /// Frees tables once nobody can be reading them.
  func free(_ doomed: DoomedTables, on cpu: CPUIndex) {
    guard !doomed.list.isEmpty else { return }
    zones.table.waitForReaders(barrier: barrier, pause: pause)
    for table in doomed.list { zones.put(table, on: cpu) }
  }

  /// Maps a page: one entry, or a run of them.
  func map(_ head: FrameNumber, at place: EntryPlace, _ leaf: TableShape.Leaf, _ marks: PageEntry.Marks) {
    forEachEntry(from: place, leaf) { place, offset in
      walk.set(place, PageEntry(.leaf, head + offset, marks.union(leaf.entries > EntryCount(1) ? .inRun : [])))
    }
  }

  /// Calls `body` with each entry of a page, and how far into the page it leads.
  func forEachEntry(from place: EntryPlace, _ leaf: TableShape.Leaf, _ body: (EntryPlace, FrameCount) -> Void) {
    let step = shape.frames(leaf.level)
    for number in 0..<leaf.entries.rawValue {
      body(
        EntryPlace(
          table: place.table, index: place.index + EntryCount(number), level: place.level,
          address: place.address + shape.span(place.level) * number),
        step * number)
    }
  }

  /// Clears a page's entries.
  ///
  /// - Returns: what the first one was.
  @discardableResult func clear(
    _ place: EntryPlace, _ leaf: TableShape.Leaf, in space: AddressSpace, _ doomed: inout DoomedTables
  ) -> PageEntry {
    let first = settled(place)
    var left = EntryCount.zero
    forEachEntry(from: place, leaf) { place, _ in left = walk.set(place, .none).used }
    if left == .zero { prune(space, place.address, &doomed) }
    return first
  }

  /// Changes the marks of a page's entries.
  func change(_ place: EntryPlace, _ leaf: TableShape.Leaf, _ change: (PageEntry) -> PageEntry) {
    forEachEntry(from: place, leaf) { place, _ in walk.replace(place, change(walk.load(place))) }
  }
}

extension FaultError {
  init(_ error: FolioError, _ order: Order) {
    if case .exhausted(let wanted, let largest) = error {
      self = .outOfMemory(wanted: wanted, largestFree: largest)
    } else {
      self = .outOfMemory(wanted: order.frames, largestFree: .zero)
    }
  }
}
