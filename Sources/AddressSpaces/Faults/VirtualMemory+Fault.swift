import FrameAllocator
import FrameContents
import FrameMap
import HugePools
public import MemoryUnits
import Synchronization

/// How far an attempt to serve a fault came, with the lock of the space.
enum FaultProgress {
  case done
  /// Somebody else's work has to end first.
  case again
}

/// Where a fault is: the space's own copy of its mapping, and where the page's first entry is or would be.
struct FaultPlace {
  let address: VirtualAddress
  let page: VirtualAddress
  let mapping: Int
  let index: PageIndex
  let cpu: CPUIndex
}

extension VirtualMemory {
  /// Makes an address accessible as a processor would ask for it: puts a page there, or a copy of one that others see too.
  ///
  /// - Throws: ``FaultError``; the space is as before.
  /// - Complexity: O(levels), and the clear or the copy of the page. Linux: `handle_mm_fault`.
  public func fault(
    _ address: VirtualAddress, _ access: Access, in space: AddressSpace, on cpu: CPUIndex
  ) throws(FaultError) {
    while true {
      do throws(FaultError) {
        let progress = try space.state.withLock { (state: inout AddressSpace.State) throws(FaultError) in
          try serve(address, access, in: space, &state, on: cpu)
        }
        if case .done = progress { return }
        pause()
      } catch {
        // Parts of larger folios that nobody maps are memory too.
        guard case .outOfMemory = error, splitDeferred(on: cpu) > .zero else { throw error }
      }
    }
  }

  /// Faults every page of a range in, for writing where the mapping allows it.
  ///
  /// Linux: `populate_vma_page_range`.
  func populate(_ range: VirtualRange, in space: AddressSpace, on cpu: CPUIndex) throws(FaultError) {
    var address = range.start
    while address < range.end {
      let found = space.state.withLock { state -> (Protection, ByteCount)? in
        state.mappings.index(containing: address).map { (state.mappings[$0].protection, state.mappings[$0].leaf.size.bytes) }
      }
      guard let (protection, size) = found else { throw .noMapping(address) }
      try fault(address, protection.contains(.write) ? .write : .read, in: space, on: cpu)
      address = address.aligned(to: size, .down) + size
    }
  }

  /// - Parameter breaksSharing: whether a page that a write would copy is copied for a read too: for pins, which are to stay with what
  ///   the space sees. Linux: `FAULT_FLAG_UNSHARE`.
  func serve(
    _ address: VirtualAddress, _ access: Access, in space: AddressSpace, _ state: inout AddressSpace.State,
    breaksSharing: Bool = false, on cpu: CPUIndex
  ) throws(FaultError) -> FaultProgress {
    guard let number = state.mappings.index(containing: address) else { throw .noMapping(address) }
    let mapping = state.mappings[number]
    guard mapping.protection.contains(access.needed) else { throw .protection(address, access) }
    let page = address.aligned(to: mapping.leaf.size.bytes, .down)
    let place = FaultPlace(address: address, page: page, mapping: number, index: mapping.index(of: page), cpu: cpu)
    let (entryPlace, _) = walk.find(space.root, page, downTo: mapping.leaf.level)
    let entry = settled(entryPlace)
    if entry.isSwapped { return try swapIn(entryPlace, entry, place, access, in: space, &state) }
    guard entry.isLeaf, entryPlace.level == mapping.leaf.level || mapping.isTransparent else {
      return try install(place, access, in: space, &state, breaksSharing: breaksSharing)
    }
    var marks: PageEntry.Marks = mapping.entryMarks.union(.accessed)
    if access == .write { marks.formUnion(.dirty) }
    let isCopied = !mapping.isShared && !entry.has(.pinnable)
    if access == .write, !entry.has(.writable) {
      if isCopied { return try copy(place, access, in: space, &state) }
      marks.formUnion(.writable)
    } else if breaksSharing, isCopied {
      return try copy(place, access, in: space, &state)
    }
    change(entryPlace, leaf(entryPlace, mapping)) { $0.adding(marks) }
    return .done
  }

  /// Puts a page where none is.
  private func install(
    _ place: FaultPlace, _ access: Access, in space: AddressSpace, _ state: inout AddressSpace.State, breaksSharing: Bool
  ) throws(FaultError) -> FaultProgress {
    let mapping = state.mappings[place.mapping]
    guard let object = mapping.object else { return try installNew(place, access, in: space, &state) }
    let found = object.state.withLock { state -> ObjectPage in
      guard place.index - PageIndex(0) < state.size else { return .beyond(state.size) }
      guard let head = state.pages[place.index] else { return .missing }
      // Who holds the object's page can hold the page. One that is on its way to other frames gives no reference.
      return unsafe descriptor(head).pointee.tryTake(.references(1)) ? .page(head) : .moving
    }
    switch found {
    case .beyond(let size): throw .beyondObject(place.address, size: size)
    case .moving: return .again
    case .missing:
      // Files of huge pages do not keep what a private mapping touches first.
      if !mapping.isShared, mapping.isHuge { return try installNew(place, access, in: space, &state) }
      try fill(object, place, mapping, [HeldSpace(space: space, mappings: state.mappings)])
      return .again
    case .page(let head):
      if !mapping.isShared, access == .write || breaksSharing { return try copy(head, place, in: space, &state) }
      let entryPlace: EntryPlace
      do throws(FaultError) {
        entryPlace = try self.place(for: place.page, mapping.leaf.level, in: space, on: place.cpu)
      } catch {
        put(head, on: place.cpu)
        throw error
      }
      unsafe _ = descriptor(head).pointee.mapCount.wrappingAdd(1, ordering: .acquiringAndReleasing)
      map(head, at: entryPlace, mapping.leaf, mapping.marks(of: access))
      return .done
    }
  }

  /// Puts a page of zeros that is the mapping's own.
  private func installNew(
    _ place: FaultPlace, _ access: Access, in space: AddressSpace, _ state: inout AddressSpace.State
  ) throws(FaultError) -> FaultProgress {
    let mapping = state.mappings[place.mapping]
    if mapping.marks.contains(.lostPages) { throw .lostPage(place.address) }
    if installTransparent(place, access, in: space, &state) { return .done }
    let entryPlace = try self.place(for: place.page, mapping.leaf.level, in: space, on: place.cpu)
    let head = try newPrivatePageOrNoTables(place, in: space, &state)
    clear(head, mapping.leaf.order)
    own(head, mapping, place.index)
    map(head, at: entryPlace, mapping.leaf, mapping.marks(of: access).union(.pinnable))
    return .done
  }

  /// A page for an entry that is empty, whose tables may be there for it alone: where there is no page, they go again.
  func newPrivatePageOrNoTables(
    _ place: FaultPlace, in space: AddressSpace, _ state: inout AddressSpace.State
  ) throws(FaultError) -> FrameNumber {
    do throws(FaultError) {
      return try newPrivatePage(place, in: space, &state)
    } catch {
      var doomed = DoomedTables()
      prune(space, place.page, &doomed)
      free(doomed, on: place.cpu)
      throw error
    }
  }

  /// A page with one reference, and the reservation that it takes accounted for.
  func newPrivatePage(
    _ place: FaultPlace, in space: AddressSpace, _ state: inout AddressSpace.State
  ) throws(FaultError) -> FrameNumber {
    let mapping = state.mappings[place.mapping]
    let isReserved = mapping.marks.contains(.ownsReservations) && !mapping.consumed.contains(place.index)
    let head = try newPage(
      mapping.leaf, mapping.placement, place.index, isReserved: isReserved, subpool: mapping.object?.subpool,
      holding: [HeldSpace(space: space, mappings: state.mappings)], on: place.cpu)
    if isReserved { state.mappings[place.mapping].consumed.add(UnitRange(start: place.index, count: PageCount(1))) }
    return head
  }

  /// A page out of the zones, or out of its pool. It is nobody's yet.
  func newPage(
    _ leaf: TableShape.Leaf, _ placement: HugePlacement, _ index: PageIndex, isReserved: Bool, subpool: Subpool?,
    holding held: [HeldSpace], on cpu: CPUIndex
  ) throws(FaultError) -> FrameNumber {
    guard leaf.order > Order(0) else {
      do throws(FolioError) {
        let folio = try page(leaf.order, placement.at(index), on: cpu)
        return folio.head
      } catch {
        throw FaultError(error, leaf.order)
      }
    }
    do throws(HugePoolError) {
      let folio = try pools.take(
        leaf.size, reserved: isReserved, placement: placement.at(index), subpool: subpool, zones: zones,
        with: migration(on: cpu, holding: held))
      return folio.head
    } catch {
      throw .noHugePage(leaf.size, error)
    }
  }

  /// A folio out of the zones that a placement allows; nothing is moved for it.
  func page(_ order: Order, _ placement: HugePlacement, on cpu: CPUIndex) throws(FolioError) -> Folio {
    switch placement {
    case .local(let node), .preferred(let node):
      return try zones.allocateAnyOrder(order, FrameRequest(.movable, node: node), on: cpu)
    case .interleave(let nodes, let index):
      let node = nodes[Int(index.rawValue % UInt64(nodes.count))]
      return try zones.allocateAnyOrder(order, FrameRequest(.movable, node: node), on: cpu)
    case .bind(let nodes):
      var last = FolioError.exhausted(wanted: order.frames, largestFree: .zero)
      for node in nodes {
        do throws(FolioError) {
          return try zones.allocateAnyOrder(order, FrameRequest(.movable, node: node, isNodeFixed: true), on: cpu)
        } catch {
          last = error
        }
      }
      throw last
    }
  }

  func clear(_ head: FrameNumber, _ order: Order) {
    guard contents != nil else { return }
    do throws(ContentsError) {
      var work = try ClearWork(FrameRange(blockAt: head, order: order), in: contents, with: Mover.self)
      work.advance(by: work.remaining)
    } catch {
      preconditionFailure("a page of a machine with contents has none")
    }
  }

  /// Makes a new page, of which the caller has the one reference, the mapping's own, mapped by as many entries.
  func own(_ head: FrameNumber, _ mapping: Mapping, _ index: PageIndex, entries: UInt32 = 1) {
    guard let family = mapping.family else { preconditionFailure("a private page in a shared mapping") }
    let descriptor = unsafe descriptor(head)
    // It was just handed out: nobody else knows whose it is.
    unsafe descriptor.pointee.privateIndex.store(UInt32(truncatingIfNeeded: index.rawValue), ordering: .relaxed)
    if entries > 1 { unsafe descriptor.pointee.take(.references(entries - 1)) }
    unsafe descriptor.pointee.mapCount.store(entries, ordering: .releasing)
    unsafe descriptor.pointee.privateWord.store(family.number.rawValue, ordering: .releasing)
  }

  /// Puts a page of zeros into an object, unless somebody else was quicker.
  private func fill(
    _ object: SharedObject, _ place: FaultPlace, _ mapping: Mapping, _ held: [HeldSpace]
  ) throws(FaultError) {
    let isReserved = object.state.withLock { $0.reservations.contains(place.index) }
    let head = try newPage(
      object.leaf, mapping.placement, place.index, isReserved: mapping.isHuge && isReserved, subpool: object.subpool,
      holding: held,
      on: place.cpu)
    clear(head, object.leaf.order)
    let descriptor = unsafe descriptor(head)
    // It was just handed out: nobody else knows whose it is.
    unsafe descriptor.pointee.privateIndex.store(UInt32(truncatingIfNeeded: place.index.rawValue), ordering: .relaxed)
    let isIn = object.state.withLock { state in
      guard state.pages[place.index] == nil, place.index - PageIndex(0) < state.size else { return false }
      // A reservation that came or went meanwhile is somebody else's.
      guard state.reservations.contains(place.index) == isReserved else { return false }
      state.pages[place.index] = head
      unsafe descriptor.pointee.privateWord.store(object.number.rawValue, ordering: .releasing)
      if mapping.isHuge { state.reservations.add(UnitRange(start: place.index, count: PageCount(1))) }
      return true
    }
    if !isIn { put(head, restoringReservation: mapping.isHuge && isReserved, on: place.cpu) }
  }
}

private enum ObjectPage {
  case page(FrameNumber)
  case missing, moving
  case beyond(PageCount)
}

extension Mapping {
  /// How entries of a page begin that was touched so.
  func marks(of access: Access) -> PageEntry.Marks {
    var marks = entryMarks.union(.accessed)
    if isShared { marks.formUnion(.pinnable) }
    if isShared || access == .write, protection.contains(.write) { marks.formUnion(.writable) }
    if access == .write { marks.formUnion(.dirty) }
    return marks
  }
}

extension HugePlacement {
  /// The same for a page: interleaving goes by its place.
  func at(_ index: PageIndex) -> HugePlacement {
    if case .interleave(let nodes, _) = self { return .interleave(nodes, index: index) }
    return self
  }
}
