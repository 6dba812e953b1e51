import FrameAllocator
import FrameMap
import HugePools
import MemoryUnits
import Synchronization

extension VirtualMemory {
  /// Puts the largest page of zeros where none is that the policy, the mapping and the free memory allow. Nothing waits, and nothing is
  /// moved for it.
  ///
  /// - Returns: whether there is one now. If not, nothing has changed, and a base page will do.
  ///
  /// Linux: `do_huge_pmd_anonymous_page`, `alloc_anon_folio`.
  func installTransparent(
    _ place: FaultPlace, _ access: Access, in space: AddressSpace, _ state: inout AddressSpace.State
  ) -> Bool {
    let mapping = state.mappings[place.mapping]
    guard mapping.isTransparent, books.mayAllow(mapping) else { return false }
    let rules = books.policy.withLock { $0.rules }
    for rule in rules where mapping.allows(rule.use) && rule.size.bytes > shape.baseShift.bytes {
      let start = place.address.aligned(to: rule.size.bytes, .down)
      guard shape.end - start >= rule.size.bytes else { continue }
      let range = VirtualRange(start: start, count: rule.size.bytes)
      let order = rule.size.order(baseShift: shape.baseShift)
      guard mapping.range.contains(range), isEmpty(range, order, in: space) else { continue }
      if install(range, order, mapping, access, in: space, &state, on: place.cpu) { return true }
    }
    return false
  }

  /// Whether nothing is mapped in a range, nor any table is there for less than an entry of it would map.
  private func isEmpty(_ range: VirtualRange, _ order: Order, in space: AddressSpace) -> Bool {
    let level = shape.entryLevel(order)
    var address = range.start
    while address < range.end {
      let (place, entry) = walk.find(space.root, address, downTo: level)
      guard entry == .none else { return false }
      guard range.end - place.address > shape.span(place.level) else { return true }
      address = place.address + shape.span(place.level)
    }
    return true
  }

  private func install(
    _ range: VirtualRange, _ order: Order, _ mapping: Mapping, _ access: Access, in space: AddressSpace,
    _ state: inout AddressSpace.State, on cpu: CPUIndex
  ) -> Bool {
    let index = mapping.index(of: range.start)
    guard let folio = try? page(order, mapping.placement.at(index), on: cpu) else { return false }
    let head = folio.head
    // From here on it is known by its head.
    _ = consume folio
    let leaf = shape.single(shape.entryLevel(order))
    let marks = mapping.marks(of: access).union(.pinnable)
    guard let deposits = deposits(for: range, leaf, in: space, on: cpu) else {
      put(head, on: cpu)
      return false
    }
    state.deposits.add(deposits)
    clear(head, order)
    let entries = UInt32(truncatingIfNeeded: range.count / leaf.size.bytes)
    own(head, mapping, index, entries: entries)
    mapParts(of: head, over: range, leaf, marks, in: space)
    return true
  }

  /// What entries of a range keep aside, and the tables that lead to them.
  private func deposits(
    for range: VirtualRange, _ leaf: TableShape.Leaf, in space: AddressSpace, on cpu: CPUIndex
  ) -> TableDeposits? {
    var deposits = TableDeposits()
    var address = range.start
    do throws(FaultError) {
      while address < range.end {
        // The table first: it frees itself where it cannot be had.
        _ = try place(for: address, leaf.level, in: space, on: cpu)
        deposits.add(try makeDeposits(leaf.level, node: space.node, on: cpu))
        address += leaf.size.bytes
      }
    } catch {
      for list in deposits.tables { for table in list { zones.put(table, on: cpu) } }
      var doomed = DoomedTables()
      prune(space, range.start, &doomed)
      prune(space, range.end - shape.baseShift.bytes, &doomed)
      free(doomed, on: cpu)
      return nil
    }
    return deposits
  }

  /// Maps a folio over a range by entries of one level, whose tables are there.
  func mapParts(
    of head: FrameNumber, over range: VirtualRange, _ leaf: TableShape.Leaf, _ marks: PageEntry.Marks, in space: AddressSpace
  ) {
    var address = range.start
    while address < range.end {
      let (place, _) = walk.find(space.root, address, downTo: leaf.level)
      let offset = FrameCount(address - range.start, shape.baseShift, rounded: .down)
      walk.set(place, PageEntry(.leaf, head + offset, marks))
      guard range.end - address > leaf.size.bytes else { return }
      address += leaf.size.bytes
    }
  }

  /// Makes all entries of a folio its space's own, where nobody else has any way to it: a fork's other side has gone.
  ///
  /// - Returns: whether it is so.
  func makeOwn(_ folio: FolioPlace, _ mapping: Mapping, of space: AddressSpace) -> Bool {
    let head = unsafe descriptor(folio.head)
    guard unsafe isPrivate(head, mapping) else { return false }
    let mappings = unsafe head.pointee.mapCount.load(ordering: .acquiring)
    guard unsafe head.pointee.counts == .references(mappings) else { return false }
    let index = unsafe head.pointee.privateIndex.load(ordering: .relaxed)
    var places: [EntryPlace] = []
    forEachEntry(of: folio, index, in: mapping, of: space) { place, _ in places.append(place) }
    guard UInt64(places.count) == UInt64(mappings) else { return false }
    for place in places { walk.replace(place, walk.load(place).adding(.pinnable)) }
    return true
  }
}
