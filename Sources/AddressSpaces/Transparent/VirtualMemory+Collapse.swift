import FrameAllocator
import FrameContents
import FrameMap
import HugePools
public import MemoryUnits
import Synchronization

/// What a range that may be collapsed consists of.
struct CollapsePlan {
  let range: VirtualRange
  let mapping: Mapping
  let order: Order
  let leaf: TableShape.Leaf
  /// All that is mapped, lowest address first.
  var parts: [(place: EntryPlace, entry: PageEntry)] = []
  /// The folios of the parts, and how many entries each has.
  var folios: [(folio: FolioPlace, entries: UInt32, address: VirtualAddress)] = []
}

extension VirtualMemory {
  /// Makes one page of `size` of the small ones around an address: their bytes are copied, and empty ones are zero.
  ///
  /// - Returns: false where such a page, or a larger one, is there already.
  /// - Throws: ``CollapseError``.
  /// - Complexity: the copy, and O(entries). Threads: any. Linux: `collapse_huge_page`, `MADV_COLLAPSE`.
  @discardableResult public func collapse(
    _ address: VirtualAddress, to size: PageSize, in space: AddressSpace, on cpu: CPUIndex
  ) throws(CollapseError) -> Bool {
    let policy = transparentPolicy
    guard size.bytes > shape.baseShift.bytes, size.shift.rawValue < 63, size.bytes < shape.end - VirtualAddress(0) else {
      throw .noSuchSize(size)
    }
    try readIn(address, size, policy, in: space, on: cpu)
    var doomed = DoomedTables()
    let isDone = try space.state.withLock { (state: inout AddressSpace.State) throws(CollapseError) in
      guard let plan = try plan(address, size, policy, in: space, state) else { return false }
      try collapse(plan, in: space, &state, &doomed, on: cpu)
      return true
    }
    free(doomed, on: cpu)
    return isDone
  }

  /// The same for every page of `size` in a range.
  ///
  /// - Returns: how many there are now that were not before.
  /// - Throws: for the first that could not be; those before it are.
  @discardableResult public func collapse(
    _ range: VirtualRange, to size: PageSize, in space: AddressSpace, on cpu: CPUIndex
  ) throws(CollapseError) -> PageCount {
    var count = PageCount.zero
    var address = range.start.aligned(to: size.bytes, .up)
    while address < range.end, range.end - address >= size.bytes {
      if try collapse(address, to: size, in: space, on: cpu) { count += PageCount(1) }
      address += size.bytes
    }
    return count
  }

  /// What a collapse would be made of; nil where there is nothing to do. Nothing is changed.
  func plan(
    _ address: VirtualAddress, _ size: PageSize, _ policy: TransparentPolicy, in space: AddressSpace,
    _ state: borrowing AddressSpace.State
  ) throws(CollapseError) -> CollapsePlan? {
    let range = VirtualRange(start: address.aligned(to: size.bytes, .down), count: size.bytes)
    guard let number = state.mappings.index(containing: range.start), state.mappings[number].range.contains(range) else {
      throw .noMapping(range.start)
    }
    let mapping = state.mappings[number]
    guard mapping.isTransparent, !mapping.marks.contains(.hugeRefused) else { throw .unsuitable(range) }
    let order = size.order(baseShift: shape.baseShift)
    var plan = CollapsePlan(range: range, mapping: mapping, order: order, leaf: shape.single(shape.entryLevel(order)))
    var mapped = FrameCount.zero
    var swapped = PageCount.zero
    // What base pages in one table need; most ranges are that.
    let usual = Int(min(order.frames.rawValue, shape.entries(TableLevel(0)).rawValue))
    plan.parts.reserveCapacity(usual)
    walk.forEachSmall(space.root, in: range) { place, entry in
      let entry = entry.isMoving ? settled(place) : entry
      if entry.isSwapped { swapped += PageCount(shape.frames(place.level).rawValue) }
      guard entry.isLeaf else { return }
      plan.parts.append((place, entry))
      mapped += shape.frames(place.level)
    }
    warmDescriptors(of: plan)
    plan.folios.reserveCapacity(min(plan.parts.count, usual))
    for (place, entry) in plan.parts {
      let folio = folio(of: entry)
      // Large enough already, and where it belongs.
      if folio.order >= order, place.level >= plan.leaf.level { return nil }
      let last = plan.folios.count - 1
      if last >= 0, plan.folios[last].folio == folio {
        plan.folios[last].entries += 1
      } else {
        plan.folios.append((folio, 1, place.address))
      }
    }
    // What was read in before may have gone again.
    guard swapped == .zero else { throw .tooMuchSwapped(swapped: swapped, most: .zero) }
    let empty = PageCount(order.frames.rawValue - mapped.rawValue)
    guard empty <= policy.mostEmpty, !plan.parts.isEmpty else { throw .tooEmpty(empty: empty, most: policy.mostEmpty) }
    for (folio, entries, address) in plan.folios {
      let head = unsafe descriptor(folio.head)
      let mappings = unsafe head.pointee.mapCount.load(ordering: .acquiring)
      guard mappings == entries else { throw .shared(address, mappings: mappings) }
      let counts = unsafe head.pointee.counts
      guard counts == .references(entries), unsafe !head.pointee.flags.contains(.poisoned) else { throw .busy(address, counts) }
    }
    return plan
  }

  /// Reads descriptors that are about to be looked at one by one: they lie anywhere, and a processor waits for many lines at once where
  /// nothing else is done in between.
  private func warmDescriptors(of plan: CollapsePlan) {
    for (_, entry) in plan.parts { unsafe _ = descriptor(entry.frame).pointee.countsWord.load(ordering: .relaxed) }
  }

  func collapse(
    _ plan: CollapsePlan, in space: AddressSpace, _ state: inout AddressSpace.State, _ doomed: inout DoomedTables,
    on cpu: CPUIndex
  ) throws(CollapseError) {
    let index = plan.mapping.index(of: plan.range.start)
    let (head, deposits) = try room(for: plan, index, in: space, on: cpu)
    // From here on who comes to the small pages waits, or goes on to the lock.
    walk.replaceAll(plan.parts) { $0.with(.moving) }
    atomicMemoryFence(ordering: .sequentiallyConsistent)
    var frozen = 0
    for (folio, entries, address) in plan.folios {
      guard unsafe descriptor(folio.head).pointee.freeze(expecting: .references(entries)) else {
        let counts = unsafe descriptor(folio.head).pointee.counts
        for (folio, entries, _) in plan.folios[..<frozen] { unsafe descriptor(folio.head).pointee.unfreeze(.references(entries)) }
        walk.replaceAll(plan.parts) { $0 }
        giveBack(head, deposits, plan, in: space, &doomed, on: cpu)
        throw .busy(address, counts)
      }
      frozen += 1
    }
    // Nobody but the caller can get at any of it now, and nothing can fail.
    fill(head, plan)
    var marks = plan.mapping.entryMarks.union(.pinnable)
    for (_, entry) in plan.parts { marks.formUnion(entry.marks.intersection([.accessed, .dirty, .writable])) }
    own(head, plan.mapping, index, entries: UInt32(truncatingIfNeeded: plan.range.count / plan.leaf.size.bytes))
    for (place, _) in plan.parts where place.level > TableLevel(0) { freeDeposits(place.level, &state, on: cpu) }
    state.deposits.add(deposits)
    replaceTables(plan, by: head, marks, in: space, &doomed)
    // By itself, as above: the copy has pushed the descriptors out of the nearest caches.
    for (folio, _, _) in plan.folios { unsafe descriptor(folio.head).pointee.mapCount.store(0, ordering: .releasing) }
    for (folio, _, _) in plan.folios { zones.freeFrozen(folio.head, on: cpu) }
  }

  /// The large page, what its entries keep aside, and the tables that lead to it.
  private func room(
    for plan: CollapsePlan, _ index: PageIndex, in space: AddressSpace, on cpu: CPUIndex
  ) throws(CollapseError) -> (FrameNumber, TableDeposits) {
    let head: FrameNumber
    do throws(FolioError) {
      head = try page(plan.order, plan.mapping.placement.at(index), on: cpu).head
    } catch {
      if case .exhausted(let wanted, let largest) = error { throw .outOfMemory(wanted: wanted, largestFree: largest) }
      throw .outOfMemory(wanted: plan.order.frames, largestFree: .zero)
    }
    var deposits = TableDeposits()
    var address = plan.range.start
    do throws(FaultError) {
      while address < plan.range.end {
        _ = try tables(to: address, plan.leaf.level, in: space, on: cpu)
        deposits.add(try makeDeposits(plan.leaf.level, node: space.node, on: cpu))
        address += plan.leaf.size.bytes
      }
    } catch {
      var doomed = DoomedTables()
      giveBack(head, deposits, plan, in: space, &doomed, on: cpu)
      free(doomed, on: cpu)
      guard case .outOfMemory(let wanted, let largest) = error else { throw .unread(error) }
      throw .outOfMemory(wanted: wanted, largestFree: largest)
    }
    return (head, deposits)
  }

  /// Sees to it that an entry of the level is there for an address, where nothing of the level or above is.
  private func tables(
    to address: VirtualAddress, _ level: TableLevel, in space: AddressSpace, on cpu: CPUIndex
  ) throws(FaultError) {
    let (place, _) = walk.find(space.root, address, downTo: level)
    if place.level > level { _ = try self.place(for: address, level, in: space, on: cpu) }
  }

  private func giveBack(
    _ head: FrameNumber, _ deposits: TableDeposits, _ plan: CollapsePlan, in space: AddressSpace, _ doomed: inout DoomedTables,
    on cpu: CPUIndex
  ) {
    for list in deposits.tables { for table in list { zones.put(table, on: cpu) } }
    put(head, on: cpu)
    var address = plan.range.start
    while address < plan.range.end {
      prune(space, address, &doomed)
      address += plan.leaf.size.bytes
    }
  }

  /// Copies what is mapped, neighbours in one go, and clears the rest.
  private func fill(_ head: FrameNumber, _ plan: CollapsePlan) {
    guard let contents else { return }
    let end = head + plan.order.frames
    // A block that is in one window is found once, and each page by itself then.
    let block = try? unsafe contents.run(at: head, upTo: end)
    let plain = unsafe block?.frames == plan.order.frames ? block?.base : nil
    var done = FrameCount.zero
    var place = 0
    while place < plan.parts.count {
      let (first, entry) = plan.parts[place]
      let offset = FrameCount(first.address - plan.range.start, shape.baseShift, rounded: .down)
      var source = FrameRange(start: entry.frame, count: shape.frames(first.level))
      place += 1
      while place < plan.parts.count, plan.parts[place].entry.frame == source.end,
        plan.parts[place].place.address == first.address + ByteCount(source.count, shape.baseShift)
      {
        source = FrameRange(start: source.start, end: source.end + shape.frames(plan.parts[place].place.level))
        place += 1
      }
      if done < offset { clear(FrameRange(start: head + done, end: head + offset)) }
      if let plain = unsafe plain, let from = try? unsafe contents.run(at: source.start, upTo: source.end),
        unsafe from.frames == source.count
      {
        // Both lie inside their windows, and a new block overlaps nothing that is mapped.
        unsafe Mover.copy(
          to: plain + Int(ByteCount(offset, shape.baseShift).rawValue), from: from.base,
          bytes: Int(ByteCount(source.count, shape.baseShift).rawValue))
      } else {
        copy(source, to: head + offset)
      }
      done = offset + source.count
    }
    clear(FrameRange(start: head + done, end: end))
  }

  private func clear(_ frames: FrameRange) {
    guard !frames.isEmpty else { return }
    do throws(ContentsError) {
      var work = try ClearWork(frames, in: contents, with: Mover.self)
      work.advance(by: work.remaining)
    } catch {
      preconditionFailure("a page of a machine with contents has none")
    }
  }

  private func copy(_ frames: FrameRange, to target: FrameNumber) {
    do throws(ContentsError) {
      var work = try CopyWork(frames, to: target, in: contents, with: Mover.self)
      work.advance(by: work.remaining)
    } catch {
      preconditionFailure("a page of a machine with contents has none")
    }
  }

  /// Puts the large page's entries in place of the tables, or of the small entries.
  private func replaceTables(
    _ plan: CollapsePlan, by head: FrameNumber, _ marks: PageEntry.Marks, in space: AddressSpace, _ doomed: inout DoomedTables
  ) {
    var address = plan.range.start
    while address < plan.range.end {
      let (place, entry) = walk.find(space.root, address, downTo: plan.leaf.level)
      precondition(place.level == plan.leaf.level, "no table leads to an entry that was prepared for")
      if entry.kind == .table { retire(entry.frame, plan.leaf.level.below, &doomed) }
      let offset = FrameCount(address - plan.range.start, shape.baseShift, rounded: .down)
      walk.set(place, PageEntry(.leaf, head + offset, marks))
      guard plan.range.end - address > plan.leaf.size.bytes else { return }
      address += plan.leaf.size.bytes
    }
  }

  /// A table that nothing leads to any more, and those below it.
  private func retire(_ table: FrameNumber, _ level: TableLevel, _ doomed: inout DoomedTables) {
    if level > TableLevel(0) {
      for number in 0..<shape.entries(level).rawValue {
        let entry = walk.load(EntryPlace(table: table, index: EntryIndex(number), level: level, address: VirtualAddress(0)))
        if entry.kind == .table { retire(entry.frame, level.below, &doomed) }
      }
    }
    doomed.list.append(table)
  }

  /// Reads in what is swapped out of a range, where it is not too much.
  private func readIn(
    _ address: VirtualAddress, _ size: PageSize, _ policy: TransparentPolicy, in space: AddressSpace, on cpu: CPUIndex
  ) throws(CollapseError) {
    // Where there is no device nothing needs to be looked through.
    guard !books.swap.withLock({ $0.areas.isEmpty }) else { return }
    let range = VirtualRange(start: address.aligned(to: size.bytes, .down), count: size.bytes)
    var places: [VirtualAddress] = []
    var swapped = PageCount.zero
    space.state.withLock { state in
      guard let number = state.mappings.index(containing: range.start), state.mappings[number].range.contains(range),
        state.mappings[number].isTransparent
      else { return }
      walk.forEachLeaf(space.root, in: range, unit: shape.baseShift.bytes) { place, _ in
        guard settled(place).isSwapped else { return }
        places.append(place.address)
        swapped += PageCount(shape.frames(place.level).rawValue)
      }
    }
    guard swapped <= policy.mostSwapped else { throw .tooMuchSwapped(swapped: swapped, most: policy.mostSwapped) }
    for address in places {
      do throws(FaultError) {
        try fault(address, .read, in: space, on: cpu)
      } catch {
        throw .unread(error)
      }
    }
  }
}

extension TableWalk {
  /// Calls `body` with each entry in use that maps something in `range`, lowest address first, and what it is. The caller holds the lock
  /// of the space, and `body` changes nothing.
  ///
  /// As ``forEachLeaf(_:in:unit:_:)``, but that a table of the lowest level is found once for all of its entries.
  ///
  /// - Complexity: O(entries in use + tables).
  fileprivate func forEachSmall(_ root: FrameNumber, in range: VirtualRange, _ body: (EntryPlace, PageEntry) -> Void) {
    let lowest = TableLevel(0)
    let step = shape.span(lowest)
    var address = range.start
    while address < range.end {
      let (first, entry) = find(root, address, downTo: lowest)
      guard first.level == lowest else {
        if entry.kind != .none { body(first, entry) }
        guard range.end - first.address > shape.span(first.level) else { return }
        address = first.address + shape.span(first.level)
        continue
      }
      let words = unsafe base(first.table)
      let left = (range.end - first.address - ByteCount(1)) / step + 1
      let count = min(left, shape.entries(lowest).rawValue - first.index.rawValue)
      for number in 0..<count {
        let place = EntryPlace(
          table: first.table, index: first.index + EntryCount(number), level: lowest, address: first.address + step * number)
        // Below the count of the table's entries.
        let entry = unsafe PageEntry(
          rawValue: words[Int(truncatingIfNeeded: place.index.rawValue)].load(ordering: .acquiring))
        if entry.kind != .none { body(place, entry) }
      }
      guard count < left else { return }
      address = first.address + step * count
    }
  }

  /// Replaces entries by what `change` makes of them: see ``replace(_:_:)``. A table is found once for neighbours in the list.
  fileprivate func replaceAll(_ entries: [(place: EntryPlace, entry: PageEntry)], _ change: (PageEntry) -> PageEntry) {
    guard var table = entries.first?.place.table else { return }
    var words = unsafe base(table)
    for (place, entry) in entries {
      if place.table != table {
        table = place.table
        unsafe words = base(table)
      }
      // The index was found in the table.
      unsafe words[Int(truncatingIfNeeded: place.index.rawValue)].store(change(entry).rawValue, ordering: .releasing)
    }
  }
}
