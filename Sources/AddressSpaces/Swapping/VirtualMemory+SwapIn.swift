import FrameAllocator
import FrameMap
import HugePools
import MemoryUnits
import Synchronization

extension VirtualMemory {
  /// Brings back what an entry has on a swap device: as a whole where there is a block for it and nobody else has the slots, else a base
  /// page of it. The lock of the space is held while the device reads.
  ///
  /// - Returns: `.again` where the page is there, and not the space's alone: whether that will do is seen at the second look.
  /// - Throws: `.unreadable`, `.outOfMemory`; the entry names its slots as before.
  ///
  /// Linux: `do_swap_page`.
  func swapIn(
    _ entryPlace: EntryPlace, _ entry: PageEntry, _ place: FaultPlace, _ access: Access, in space: AddressSpace,
    _ state: inout AddressSpace.State
  ) throws(FaultError) -> FaultProgress {
    let mapping = state.mappings[place.mapping]
    let swap = SwapPlace(entry)
    let area = books.swap.withLock { $0[swap] }
    let frames = shape.frames(entryPlace.level)
    let slots = SlotRange(start: swap.slot, count: SlotCount(frames))
    if entryPlace.level > TableLevel(0) {
      guard !isShared(slots, area),
        let folio = try? page(shape.order(entryPlace.level), mapping.placement.at(place.index), on: place.cpu)
      else {
        splitEntry(entryPlace, &state)
        return .again
      }
      let head = folio.head
      _ = consume folio
      try read(slots, area, into: head, place)
      show(head, at: entryPlace, mapping, access, isAlone: true)
      area.release(slots)
      return .done
    }
    if let head = area.cached(swap.slot) { return useCached(head, swap, area, entryPlace, mapping, access, on: place.cpu) }
    let head: FrameNumber
    do throws(FolioError) {
      head = try page(Order(0), mapping.placement.at(place.index), on: place.cpu).head
    } catch {
      throw FaultError(error, Order(0))
    }
    try read(slots, area, into: head, place)
    guard area.uses(of: swap.slot) > 1 else {
      show(head, at: entryPlace, mapping, access, isAlone: true)
      area.release(slots)
      return .done
    }
    // Others have the slot too, and are to find the page.
    unsafe descriptor(head).pointee.take(.references(1))
    let isFirst = books.swap.withLock { books -> Bool in
      guard area.setCached(slots, head) == nil else { return false }
      books.add(head, swap)
      unsafe _ = descriptor(head).pointee.insert(.swapCached)
      return true
    }
    guard isFirst else {
      put(head, .references(2), on: place.cpu)
      return .again
    }
    show(head, at: entryPlace, mapping, access, isAlone: false)
    release(swap, on: place.cpu)
    return .again
  }

  private func isShared(_ slots: SlotRange, _ area: SwapArea) -> Bool {
    var slot = slots.start
    while slot < slots.end {
      if area.uses(of: slot) > 1 { return true }
      slot += SlotCount(1)
    }
    return false
  }

  private func read(_ slots: SlotRange, _ area: SwapArea, into head: FrameNumber, _ place: FaultPlace) throws(FaultError) {
    do throws(SwapDeviceError) {
      try area.read(slots.start, into: FrameRange(start: head, count: FrameCount(slots.count.rawValue)), in: contents)
    } catch {
      put(head, on: place.cpu)
      throw .unreadable(place.address, error)
    }
  }

  /// Maps a page that another space brought back.
  private func useCached(
    _ head: FrameNumber, _ swap: SwapPlace, _ area: SwapArea, _ entryPlace: EntryPlace, _ mapping: Mapping, _ access: Access,
    on cpu: CPUIndex
  ) -> FaultProgress {
    guard unsafe descriptor(head).pointee.tryTake(.references(1)) else { return .again }
    guard area.cached(swap.slot) == head else {
      put(head, on: cpu)
      return .again
    }
    // The reference becomes the entry's.
    unsafe _ = descriptor(head).pointee.mapCount.wrappingAdd(1, ordering: .acquiringAndReleasing)
    replace(entryPlace, by: head, mapping, access, isAlone: false)
    release(swap, on: cpu)
    return .again
  }

  /// Maps a page that was just read.
  private func show(_ head: FrameNumber, at entryPlace: EntryPlace, _ mapping: Mapping, _ access: Access, isAlone: Bool) {
    own(head, mapping, mapping.index(of: entryPlace.address))
    replace(entryPlace, by: head, mapping, access, isAlone: isAlone)
  }

  private func replace(
    _ entryPlace: EntryPlace, by head: FrameNumber, _ mapping: Mapping, _ access: Access, isAlone: Bool
  ) {
    // Who is not alone comes again to write.
    let marks = isAlone ? mapping.marks(of: access).union(.pinnable) : mapping.marks(of: .read)
    walk.replace(entryPlace, PageEntry(.leaf, head, marks))
  }

  /// Gives up the slots that an entry names.
  func releaseSlots(_ entry: PageEntry, _ level: TableLevel, on cpu: CPUIndex) {
    let swap = SwapPlace(entry)
    for offset in 0..<shape.frames(level).rawValue { release(SwapPlace(swap.area, swap.slot + SlotCount(offset)), on: cpu) }
  }

  /// One more entry names the slots that `entry` does.
  func retainSlots(_ entry: PageEntry, _ level: TableLevel) {
    let swap = SwapPlace(entry)
    books.swap.withLock { $0[swap] }.retain(SlotRange(start: swap.slot, count: SlotCount(shape.frames(level))))
  }

  /// Takes a page that nobody maps any more out of the cache, where nobody has its slot either. The caller has a reference.
  func leaveCache(_ head: FrameNumber, on cpu: CPUIndex) {
    let isOut = books.swap.withLock { books -> Bool in
      guard let place = books.place(of: head), books[place].uses(of: place.slot) == 1 else { return false }
      books[place].removeCached(SlotRange(start: place.slot, count: SlotCount(1)), head)
      books.remove(head)
      unsafe _ = descriptor(head).pointee.remove(.swapCached)
      unsafe descriptor(head).pointee.privateWord.store(0, ordering: .releasing)
      return true
    }
    if isOut { put(head, on: cpu) }
  }

  /// Gives up an entry's use of a slot; where only the cache is left, the page leaves it.
  private func release(_ swap: SwapPlace, on cpu: CPUIndex) {
    let area = books.swap.withLock { $0[swap] }
    area.release(swap.slot)
    while area.cached(swap.slot) != nil {
      let step = books.swap.withLock { books -> (isDone: Bool, head: FrameNumber?) in
        // Somebody else's last use may have gone meanwhile, and the slot may be another's.
        guard let head = area.cached(swap.slot), area.uses(of: swap.slot) == 1 else { return (true, nil) }
        // On its way to other frames, or out: what comes of that is seen soon.
        guard unsafe descriptor(head).pointee.tryTake(.references(1)) else { return (false, nil) }
        area.removeCached(SlotRange(start: swap.slot, count: SlotCount(1)), head)
        books.remove(head)
        unsafe _ = descriptor(head).pointee.remove(.swapCached)
        return (true, head)
      }
      if let head = step.head { put(head, .references(2), on: cpu) }
      if step.isDone { return }
      pause()
    }
  }
}
