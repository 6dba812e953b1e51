import FrameAllocator
import FrameMap
import MemoryUnits
import Synchronization

// In transparent mappings entries of all levels lead to folios of all orders: one entry to a whole folio, or several to its parts. Each
// entry holds one reference to its folio and counts once in its head's map count.

extension TableShape {
  /// A single entry of a level, as something that is mapped.
  func single(_ level: TableLevel) -> Leaf {
    Leaf(size: PageSize(shift: shift(level)), level: level, entries: EntryCount(1), order: order(level))
  }

  /// The highest level whose single entries can map a part, or all, of a folio of `order`.
  func entryLevel(_ order: Order) -> TableLevel {
    var level = TableLevel(0)
    for leaf in leaves where leaf.entries == EntryCount(1) && leaf.order <= order { level = max(level, leaf.level) }
    return level
  }
}

extension VirtualMemory {
  /// What an entry of a mapping maps: a page of the mapping's size, or, in a transparent one, whatever its level spans.
  func leaf(_ place: EntryPlace, _ mapping: Mapping) -> TableShape.Leaf {
    place.level == mapping.leaf.level ? mapping.leaf : shape.single(place.level)
  }

  /// The folio that an entry leads into. The caller holds the lock of the space, and the entry is settled: the folio stays.
  func folio(of entry: PageEntry) -> FolioPlace {
    let descriptor = unsafe descriptor(entry.frame)
    // Tails have no references.
    if unsafe !descriptor.pointee.counts.isZero {
      return unsafe FolioPlace(head: entry.frame, order: descriptor.pointee.shape.order)
    }
    do throws(FolioError) {
      return try zones.folio(containing: entry.frame)
    } catch {
      preconditionFailure("an entry leads to frames that are nobody's")
    }
  }

  /// Replaces an entry by a table of entries of the level below that lead to the same frames. It cannot fail: the table is there.
  ///
  /// Linux: `__split_huge_pmd`.
  func splitEntry(_ place: EntryPlace, _ state: inout AddressSpace.State) {
    let entry = settled(place)
    precondition(
      (entry.isLeaf || entry.isSwapped) && place.level > TableLevel(0), "an entry was split that maps no more than a base page")
    let below = place.level.below
    let table = state.deposits.take(below)
    let count = shape.entries(below)
    for number in 0..<count.rawValue {
      walk.replace(
        EntryPlace(table: table, index: EntryIndex(number), level: below, address: place.address + shape.span(below) * number),
        entry.leading(to: entry.frame + shape.frames(below) * number))
    }
    walk.setUsed(table, count)
    if entry.isLeaf {
      let head = unsafe descriptor(folio(of: entry).head)
      let more = UInt32(truncatingIfNeeded: count.rawValue) - 1
      unsafe head.pointee.take(.references(more))
      unsafe _ = head.pointee.mapCount.wrappingAdd(more, ordering: .acquiringAndReleasing)
    }
    // Who walks without the lock sees the one or the other; both lead to the same frames.
    walk.replace(place, PageEntry(.table, table))
  }

  /// Splits what lies across an address, so that entries end there.
  func splitEntries(at address: VirtualAddress, of space: AddressSpace, _ state: inout AddressSpace.State) {
    guard address < shape.end else { return }
    while true {
      let (place, entry) = walk.find(space.root, address, downTo: TableLevel(0))
      guard entry.kind != .none, entry.kind != .table, place.address < address,
        let number = state.mappings.index(containing: address),
        state.mappings[number].isTransparent
      else { return }
      splitEntry(place, &state)
    }
  }

  /// Splits the entries of a range of a transparent mapping for which `isSplit` says so, and what comes of them.
  func splitEntries(
    in range: VirtualRange, of space: AddressSpace, _ state: inout AddressSpace.State, where isSplit: (EntryPlace) -> Bool
  ) {
    var address = range.start
    while address < range.end {
      let (place, entry) = walk.find(space.root, address, downTo: TableLevel(0))
      if entry.kind != .none, entry.kind != .table, place.level > TableLevel(0), isSplit(place) {
        splitEntry(place, &state)
      } else {
        guard place.address + shape.span(place.level) < shape.end else { return }
        address = place.address + shape.span(place.level)
      }
    }
  }

  /// Clears the entry of a page, or of what is swapped out, that goes, and frees what was kept aside for it.
  func clearPage(
    _ place: EntryPlace, _ mapping: Mapping, in space: AddressSpace, _ state: inout AddressSpace.State,
    _ doomed: inout DoomedTables, on cpu: CPUIndex
  ) -> PageEntry {
    let leaf = leaf(place, mapping)
    let entry = clear(place, leaf, in: space, &doomed)
    if leaf.level > mapping.leaf.level { freeDeposits(leaf.level, &state, on: cpu) }
    return entry
  }

  /// Calls `body` with each entry of a transparent mapping that leads to a folio whose first frame is page `index` there.
  func forEachEntry(
    of folio: FolioPlace, _ index: UInt32, in mapping: Mapping, of space: AddressSpace, _ body: (EntryPlace, PageEntry) -> Void
  ) {
    walk.forEachEntry(of: folio, index, in: mapping, space.root, body)
  }
}

extension TableWalk {
  /// Calls `body` with each entry of a transparent mapping that leads to a folio whose first frame is page `index` there. The caller holds
  /// the lock of the space.
  ///
  /// - Complexity: O(entries for the folio's addresses).
  func forEachEntry(
    of folio: FolioPlace, _ index: UInt32, in mapping: Mapping, _ root: FrameNumber, _ body: (EntryPlace, PageEntry) -> Void
  ) {
    guard let part = mapping.range(of: index, PageCount(folio.order.frames.rawValue)) else { return }
    let first = UInt64(index &- UInt32(truncatingIfNeeded: mapping.offset.rawValue))
    forEachLeaf(root, in: part, unit: shape.baseShift.bytes) { place, entry in
      guard entry.isLeaf || entry.isMoving, folio.frames.contains(entry.frame), place.address >= mapping.range.start else {
        return
      }
      // Of the mapping's numbering, whose wrap is the same on both sides.
      let page = (place.address - mapping.range.start) / shape.baseShift.bytes
      let offset = UInt32(truncatingIfNeeded: page &- first)
      guard UInt64(offset) == (entry.frame - folio.head).rawValue else { return }
      body(place, entry)
    }
  }
}

extension Mapping {
  /// The addresses of those pages of a run that lie in the mapping; descriptors keep 32 bits of a page's index.
  func range(of index: UInt32, _ count: PageCount) -> VirtualRange? {
    let distance = UInt64(index &- UInt32(truncatingIfNeeded: offset.rawValue))
    let size = leaf.size.bytes
    let own = pages.rawValue
    if distance < own {
      let end = min(own, distance + count.rawValue)
      return VirtualRange(start: range.start + size * distance, end: range.start + size * end)
    }
    // It begins below the mapping, and may reach into it.
    let wrapped = distance + count.rawValue
    guard wrapped > 1 << 32 else { return nil }
    return VirtualRange(start: range.start, end: range.start + size * min(own, wrapped - 1 << 32))
  }
}
