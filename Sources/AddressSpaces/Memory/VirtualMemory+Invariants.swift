import FrameAllocator
import FrameMap
public import HugePools
public import MemoryUnits
import Synchronization

/// What the books of address spaces disagree about.
public enum MemoryFault: Error, Hashable, Sendable {
  case pools(HugePoolFault)
  /// Two mappings of a space overlap, are out of order, or are not whole pages.
  case mappings(VirtualRange)
  /// An entry leads somewhere where nothing is mapped, or is of another size than its mapping, or allows more.
  case entry(VirtualAddress)
  /// A table says that other than that many of its entries are in use.
  case table(FrameNumber, said: EntryCount, counted: EntryCount)
  /// A page is mapped other than so many times.
  case mapCount(FrameNumber, said: UInt32, counted: UInt32)
  /// A page has fewer references than entries, objects and pins hold.
  case references(FrameNumber, FrameCounts, atLeast: UInt32)
  /// A page that is mapped, or an object's, names another owner.
  case owner(FrameNumber)
  /// Mappings and objects have other than that many pages reserved.
  case reservations(PageSize, said: PageCount, counted: PageCount)
  /// A move has not ended.
  case moving(FrameNumber)
  /// A frame is an entry's alone, and another entry leads to it too.
  case notAlone(FrameNumber)
  /// A page is said to be another of its mapping than where it is mapped.
  case index(VirtualAddress)
  /// A space keeps other than that many tables of a level aside for its larger entries.
  case deposits(TableLevel, said: EntryCount, counted: EntryCount)
  case swap(SwapFault)
  /// A slot is used other than so many times, by entries and the cache.
  case slot(SwapSlot, said: UInt32, counted: UInt32)
}

/// Something that a page is held by.
private struct Holding {
  let head: FrameNumber
  let owner: OwnerNumber
  /// What an entry leads to; nil for an object.
  var frames: FrameRange?
  /// Whether the frames are the entry's alone.
  var isAlone = false
}

extension VirtualMemory {
  /// Recounts everything from scratch: entries against map counts and references, tables, reservations against mappings and objects.
  /// Only while nobody else is at work.
  ///
  /// - Returns: frames of page tables, and of pages that spaces map or objects have.
  /// - Throws: the first difference.
  /// - Complexity: O(entries of tables + pages of objects and pools).
  @discardableResult public borrowing func checkInvariants() throws(MemoryFault) -> FrameCount {
    var subpools: [Subpool] = []
    var holdings: [Holding] = []
    var frames = FrameCount.zero
    var slots: [(SwapPlace, FrameCount)] = []
    var reserved = pools.sizes.map { _ in PageCount.zero }
    let (spaces, owners, moves) = books.state.withLock { ($0.spaces, $0.owners, $0.moves) }
    if let move = moves.first { throw .moving(move.head) }
    for space in spaces {
      let (mappings, deposits) = space.state.withLock { ($0.mappings, $0.deposits) }
      try check(mappings, &reserved)
      var needed = [EntryCount](repeating: .zero, count: Int(shape.levels.rawValue))
      frames += try check(space.root, shape.levels.below, VirtualAddress(0), mappings, &holdings, &needed, &slots)
      for (place, counted) in needed.enumerated() {
        let level = TableLevel(UInt8(place))
        let said = deposits.count(level)
        guard said == counted else { throw .deposits(level, said: said, counted: counted) }
        frames += shape.tableOrder(level).frames * said.rawValue
      }
    }
    for case .object(let object)? in owners {
      try check(object, &reserved, &holdings)
      if let subpool = object.subpool, !subpools.contains(where: { $0 === subpool }) { subpools.append(subpool) }
    }
    for (place, size) in pools.sizes.enumerated() {
      var counted = reserved[place]
      for subpool in subpools where subpool.size == size { counted += subpool.kept }
      guard counted == pools.counts(size).reserved else {
        throw .reservations(size, said: pools.counts(size).reserved, counted: counted)
      }
    }
    try check(slots, &holdings)
    frames += try check(&holdings)
    do throws(HugePoolFault) { try pools.checkInvariants(zones: zones, subpools: subpools) } catch { throw .pools(error) }
    return frames
  }

  private func check(_ mappings: MappingList, _ reserved: inout [PageCount]) throws(MemoryFault) {
    var end = VirtualAddress(0)
    for mapping in mappings.all {
      let size = mapping.leaf.size.bytes
      guard mapping.range.start >= end, !mapping.range.isEmpty, mapping.range.start.isAligned(to: size),
        mapping.range.end.isAligned(to: size), mapping.isShared == (mapping.family == nil)
      else { throw .mappings(mapping.range) }
      end = mapping.range.end
      if mapping.marks.contains(.ownsReservations), let place = pools.sizes.firstIndex(of: mapping.leaf.size) {
        reserved[place] += mapping.pages - mapping.consumed.count(in: mapping.indices)
      }
    }
  }

  /// Recounts a table and those below; returns their frames.
  private func check(
    _ table: FrameNumber, _ level: TableLevel, _ start: VirtualAddress, _ mappings: MappingList, _ holdings: inout [Holding],
    _ needed: inout [EntryCount], _ slots: inout [(SwapPlace, FrameCount)]
  ) throws(MemoryFault) -> FrameCount {
    var frames = shape.tableOrder(level).frames
    var used = EntryCount.zero
    for index in 0..<shape.entries(level).rawValue {
      let address = start + shape.span(level) * index
      let place = EntryPlace(table: table, index: EntryIndex(index), level: level, address: address)
      let entry = walk.load(place)
      switch entry.kind {
      case .none: continue
      case .table:
        guard level > TableLevel(0) else { throw .entry(address) }
        frames += try check(entry.frame, level.below, address, mappings, &holdings, &needed, &slots)
      case .moving: throw .entry(address)
      case .swapped:
        guard let number = mappings.index(containing: address), mappings[number].isTransparent else { throw .entry(address) }
        for (below, tables) in depositCounts(level) { needed[Int(below.rawValue)] += tables }
        slots.append((SwapPlace(entry), shape.frames(level)))
      case .leaf: try check(entry, place, mappings, &holdings, &needed)
      }
      used += EntryCount(1)
    }
    guard walk.used(table) == used else { throw .table(table, said: walk.used(table), counted: used) }
    guard unsafe descriptor(table).pointee.shape.kind == .pageTable else { throw .owner(table) }
    return frames
  }

  private func check(
    _ entry: PageEntry, _ place: EntryPlace, _ mappings: MappingList, _ holdings: inout [Holding], _ needed: inout [EntryCount]
  ) throws(MemoryFault) {
    guard let number = mappings.index(containing: place.address) else { throw .entry(place.address) }
    let mapping = mappings[number]
    if mapping.isTransparent { return try checkPart(entry, place, mapping, &holdings, &needed) }
    let page = place.address.aligned(to: mapping.leaf.size.bytes, .down)
    let offset = FrameCount(place.address - page, shape.baseShift, rounded: .down)
    guard mapping.leaf.level == place.level, entry.has(.inRun) == (mapping.leaf.entries > EntryCount(1)),
      entry.has(.readable) == mapping.protection.contains(.read) || !entry.has(.readable),
      mapping.protection.contains(.write) || !entry.has(.writable), entry.frame >= FrameNumber(0) + offset
    else { throw .entry(place.address) }
    let head = entry.frame - offset
    // Parts of a run lead on from its first.
    guard head.isAligned(to: mapping.leaf.order.frames) else { throw .entry(place.address) }
    guard offset == .zero else { return }
    let word = unsafe OwnerNumber(rawValue: descriptor(head).pointee.privateWord.load(ordering: .relaxed))
    guard word == mapping.family?.number || word == mapping.object?.number else { throw .owner(head) }
    // What others see too must not be written.
    let isAlone = !mapping.isShared && (entry.has(.writable) || entry.has(.pinnable))
    holdings.append(
      Holding(head: head, owner: word, frames: FrameRange(blockAt: head, order: mapping.leaf.order), isAlone: isAlone))
  }

  /// An entry of a transparent mapping, which leads to a folio or a part of one.
  private func checkPart(
    _ entry: PageEntry, _ place: EntryPlace, _ mapping: Mapping, _ holdings: inout [Holding], _ needed: inout [EntryCount]
  ) throws(MemoryFault) {
    let leaf = leaf(place, mapping)
    let range = VirtualRange(start: place.address, count: leaf.size.bytes)
    guard mapping.range.contains(range), !entry.has(.inRun), !entry.has(.readable) || mapping.protection.contains(.read),
      !entry.has(.writable) || mapping.protection.contains(.write), let folio = try? zones.folio(containing: entry.frame),
      folio.frames.contains(FrameRange(start: entry.frame, count: leaf.order.frames))
    else { throw .entry(place.address) }
    let head = unsafe descriptor(folio.head)
    let word = unsafe OwnerNumber(rawValue: head.pointee.privateWord.load(ordering: .relaxed))
    guard word == mapping.family?.number else { throw .owner(folio.head) }
    let first = unsafe head.pointee.privateIndex.load(ordering: .relaxed)
    let index = UInt32(truncatingIfNeeded: mapping.index(of: place.address).rawValue)
    guard UInt64(index &- first) == (entry.frame - folio.head).rawValue else { throw .index(place.address) }
    for (below, tables) in depositCounts(place.level) { needed[Int(below.rawValue)] += tables }
    holdings.append(
      Holding(
        head: folio.head, owner: word, frames: FrameRange(start: entry.frame, count: leaf.order.frames),
        isAlone: entry.has(.writable) || entry.has(.pinnable)))
  }

  private func check(
    _ object: SharedObject, _ reserved: inout [PageCount], _ holdings: inout [Holding]
  ) throws(MemoryFault) {
    object.state.withLock { state in
      var start = PageIndex(0)
      while let (index, head) = state.pages.first(in: UnitRange(start: start, end: PageIndex(1 << 32))) {
        holdings.append(Holding(head: head, owner: object.number))
        start = index + PageCount(1)
      }
      if let place = pools.sizes.firstIndex(of: object.pageSize), object.leaf.order > Order(0) {
        reserved[place] += state.reservations.count.saturatingSubtracting(state.pages.count)
      }
    }
  }

  /// Compares the uses of slots with the entries that name them, and the cache. Folios in the cache are held by it.
  private func check(_ entries: [(SwapPlace, FrameCount)], _ holdings: inout [Holding]) throws(MemoryFault) {
    let swap = books.swap.withLock { $0 }
    var named: [SwapPlace] = swap.cached.map { $0.place }
    for (place, count) in entries {
      for offset in 0..<count.rawValue { named.append(SwapPlace(place.area, place.slot + SlotCount(offset))) }
    }
    named.sort { $0.number < $1.number }
    var used = [SlotCount](repeating: .zero, count: swap.areas.count)
    var next = 0
    while next < named.count {
      let place = named[next]
      var counted: UInt32 = 0
      while next < named.count, named[next] == place {
        counted += 1
        next += 1
      }
      let said = swap[place].uses(of: place.slot)
      guard said == counted else { throw .slot(place.slot, said: said, counted: counted) }
      used[place.area.rawValue] += SlotCount(1)
    }
    for (number, area) in swap.areas.enumerated() {
      do throws(SwapFault) { try area.checkInvariants() } catch { throw .swap(error) }
      // Slots that no entry names are lost.
      guard area.used == used[number] else {
        throw .slot(SwapSlot(0), said: UInt32(area.used.rawValue), counted: UInt32(used[number].rawValue))
      }
    }
    for (head, place) in swap.cached {
      guard swap[place].cached(place.slot) == head, unsafe descriptor(head).pointee.flags.contains(.swapCached) else {
        throw .owner(head)
      }
      let owner = unsafe OwnerNumber(rawValue: descriptor(head).pointee.privateWord.load(ordering: .relaxed))
      holdings.append(Holding(head: head, owner: owner))
    }
  }

  /// Compares what holds each page with what its descriptor says; returns the pages' frames.
  private func check(_ holdings: inout [Holding]) throws(MemoryFault) -> FrameCount {
    holdings.sort { ($0.head, $0.frames?.start ?? $0.head) < ($1.head, $1.frames?.start ?? $1.head) }
    // Neighbours in this order, so that what overlaps is found; larger parts are compared with all that begin in them.
    for place in holdings.indices {
      guard let frames = holdings[place].frames else { continue }
      var next = place + 1
      while next < holdings.count, let others = holdings[next].frames, others.start < frames.end {
        guard !holdings[place].isAlone, !holdings[next].isAlone else { throw .notAlone(others.start) }
        next += 1
      }
    }
    var frames = FrameCount.zero
    var place = 0
    while place < holdings.count {
      let head = holdings[place].head
      let owner = holdings[place].owner
      var mappings: UInt32 = 0
      var references: UInt32 = 0
      while place < holdings.count, holdings[place].head == head {
        guard holdings[place].owner == owner else { throw .owner(head) }
        mappings += holdings[place].frames == nil ? 0 : 1
        references += 1
        place += 1
      }
      let descriptor = unsafe descriptor(head)
      let said = unsafe descriptor.pointee.mapCount.load(ordering: .relaxed)
      guard said == mappings else { throw .mapCount(head, said: said, counted: mappings) }
      let counts = unsafe descriptor.pointee.counts
      guard counts.references >= references + counts.pins else {
        throw .references(head, counts, atLeast: references + counts.pins)
      }
      guard unsafe descriptor.pointee.privateWord.load(ordering: .relaxed) == owner.rawValue else { throw .owner(head) }
      frames += unsafe descriptor.pointee.shape.order.frames
    }
    return frames
  }
}
