import FrameAllocator
import HugePools
public import MemoryUnits

extension VirtualMemory {
  /// Maps memory into a space.
  ///
  /// - Parameter size: a multiple of the page size.
  /// - Returns: its addresses.
  /// - Throws: ``MappingError``; nothing is mapped, reserved or unmapped then. With `populates`, what could not be populated is unmapped
  ///   again.
  /// - Complexity: O(log mappings), and what is reserved, populated or replaced. Linux: `mmap`.
  @discardableResult public func map(
    _ source: MappingSource, _ size: ByteCount, in space: AddressSpace, _ options: MappingOptions = MappingOptions(),
    on cpu: CPUIndex
  ) throws(MappingError) -> VirtualRange {
    var mapping = try newMapping(source, size, in: space, options)
    var doomed = DoomedTables()
    var gone: [Mapping] = []
    let range: VirtualRange
    do throws(MappingError) {
      range = try space.state.withLock { (state: inout AddressSpace.State) throws(MappingError) in
        precondition(!state.isDestroyed, "a space that was destroyed")
        // What can be refused comes before what is reserved: an object keeps its reservations.
        let range = try place(mapping.range.count, mapping.leaf.size, options.place, &state)
        if case .replacing = options.place { try checkCuts(range, state) }
        try reserve(for: &mapping, options, holding: [HeldSpace(space: space, mappings: state.mappings)], on: cpu)
        if case .replacing = options.place { gone = try cutOut(range, of: space, &state, &doomed, on: cpu) }
        insert(&mapping, at: range, into: &state, of: space, &gone)
        return range
      }
    } catch {
      discard(mapping)
      throw error
    }
    free(doomed, on: cpu)
    finish(gone, of: space, on: cpu)
    if options.populates {
      do throws(FaultError) {
        try populate(range, in: space, on: cpu)
      } catch {
        do throws(MappingError) { try unmap(range, in: space, on: cpu) } catch {
          preconditionFailure("a mapping that was just made cannot be unmapped")
        }
        throw MappingError(error, in: range)
      }
    }
    return range
  }

  /// A mapping at address 0, with a family of its own.
  private func newMapping(
    _ source: MappingSource, _ size: ByteCount, in space: AddressSpace, _ options: MappingOptions
  ) throws(MappingError) -> Mapping {
    let range = VirtualRange(start: VirtualAddress(0), count: size)
    let object: SharedObject?
    let from: PageIndex
    let leaf: TableShape.Leaf
    let isShared: Bool
    switch source {
    case .anonymous(let pageSize):
      guard let found = shape.leaf(pageSize) else { throw .noSuchSize(pageSize) }
      (object, from, leaf, isShared) = (nil, PageIndex(0), found, false)
    case .shared(let shared, let index): (object, from, leaf, isShared) = (shared, index, shared.leaf, true)
    case .privately(let shared, let index): (object, from, leaf, isShared) = (shared, index, shared.leaf, false)
    }
    guard !range.isEmpty, size % leaf.size.bytes == .zero else { throw .misaligned(range, leaf.size) }
    let pages = PageCount(size / leaf.size.bytes)
    guard pages.rawValue < 1 << 32, from.rawValue < 1 << 32 else { throw .tooLarge(pages) }
    if leaf.order > Order(0), object == nil, !pools.sizes.contains(leaf.size) { throw .noSuchSize(leaf.size) }
    let family =
      isShared
      ? nil
      : books.add { number in
        let family = AnonymousFamily(number, isAnonymous: object == nil, pause: pause)
        return (family, .family(family))
      }
    return Mapping(
      range: range, protection: options.protection, leaf: leaf, isShared: isShared, object: object, family: family, offset: from,
      placement: options.placement ?? .local(space.node), marks: [])
  }

  /// Undoes ``newMapping(_:_:in:_:)``.
  private func discard(_ mapping: Mapping) {
    if let family = mapping.family { books.remove(family.number) }
  }

  /// Sets pages of the pool aside: each page of a private mapping, and those of an object that nobody reserved yet.
  private func reserve(
    for mapping: inout Mapping, _ options: MappingOptions, holding held: [HeldSpace], on cpu: CPUIndex
  ) throws(MappingError) {
    if let object = mapping.object, object.state.withLock({ $0.isDeleted }) { throw .deleted }
    guard mapping.isHuge else { return }
    if mapping.isShared, let object = mapping.object {
      if options.reserves { try reserve(mapping.indices, of: object, holding: held, on: cpu) }
    } else if options.reserves {
      do throws(HugePoolError) {
        try pools.reserve(
          mapping.pages, mapping.leaf.size, subpool: mapping.object?.subpool, zones: zones,
          with: migration(on: cpu, holding: held))
      } catch {
        throw .notReserved(error)
      }
      mapping.marks.insert(.ownsReservations)
    }
    // A file of huge pages becomes as long as what is mapped of it for writing, privately too.
    if let object = mapping.object, options.protection.contains(.write) {
      let end = mapping.offset + mapping.pages
      object.state.withLock { $0.size = max($0.size, end - PageIndex(0)) }
    }
  }

  private func reserve(
    _ pages: UnitRange<PageIndex>, of object: SharedObject, holding held: [HeldSpace], on cpu: CPUIndex
  ) throws(MappingError) {
    while true {
      let missing = object.state.withLock { $0.reservations.missing(in: pages) }
      guard missing > .zero else { return }
      do throws(HugePoolError) {
        try pools.reserve(
          missing, object.pageSize, subpool: object.subpool, zones: zones, with: migration(on: cpu, holding: held))
      } catch {
        throw .notReserved(error)
      }
      // Somebody else may have reserved some of them meanwhile.
      let isSame = object.state.withLock { state in
        guard state.reservations.missing(in: pages) == missing else { return false }
        state.reservations.add(pages)
        return true
      }
      if isSame { return }
      pools.unreserve(missing, object.pageSize, subpool: object.subpool, zones: zones, on: cpu)
    }
  }

  /// Gives back what a mapping that goes still had reserved. Objects keep theirs.
  func unreserve(_ mapping: Mapping, on cpu: CPUIndex) {
    guard mapping.marks.contains(.ownsReservations) else { return }
    let left = mapping.pages - mapping.consumed.count(in: mapping.indices)
    guard left > .zero else { return }
    pools.unreserve(left, mapping.leaf.size, subpool: mapping.object?.subpool, zones: zones, on: cpu)
  }

  func place(
    _ size: ByteCount, _ pageSize: PageSize, _ place: MappingPlace, _ state: inout AddressSpace.State
  ) throws(MappingError) -> VirtualRange {
    // Address zero stays unmapped, so that it means nothing everywhere.
    let bounds = VirtualRange(start: VirtualAddress(0) + shape.baseShift.bytes, end: shape.end)
    switch place {
    case .anywhere:
      guard let gap = state.mappings.gap(size, alignment: pageSize.bytes, in: bounds) else {
        throw .noAddresses(wanted: size)
      }
      return gap
    case .at(let start), .replacing(let start):
      guard start < bounds.end, bounds.end - start >= size, start >= bounds.start else {
        throw .outOfBounds(VirtualRange(start: start, end: max(start, bounds.end)))
      }
      let range = VirtualRange(start: start, count: size)
      guard start.isAligned(to: pageSize.bytes) else { throw .misaligned(range, pageSize) }
      if case .at = place, !state.mappings.overlapping(range).isEmpty { throw .occupied(range) }
      return range
    }
  }

  /// Puts a mapping into its space, as a part of a neighbour where it continues one.
  private func insert(
    _ mapping: inout Mapping, at range: VirtualRange, into state: inout AddressSpace.State, of space: AddressSpace,
    _ gone: inout [Mapping]
  ) {
    mapping.range = range
    if mapping.object == nil { mapping.offset = PageIndex(range.start.rawValue >> UInt64(mapping.leaf.size.shift.rawValue)) }
    // A new mapping joins a neighbour's family, where the two could be one: nothing is in it yet.
    let place = state.mappings.position(of: range.start)
    let neighbours = [place - 1, place].filter { $0 >= 0 && $0 < state.mappings.all.count }
    for neighbour in neighbours {
      let other = state.mappings[neighbour]
      guard mapping.object == nil, let theirs = other.family, let own = mapping.family, theirs !== own else { continue }
      var adopted = mapping.with(theirs)
      let isBelow = other.range.end == range.start
      guard isBelow ? other.continues(into: adopted) : adopted.continues(into: other) else { continue }
      books.remove(own.number)
      adopted.consumed = mapping.consumed
      mapping = adopted
      break
    }
    enter(mapping, space)
    state.mappings.insert(mapping)
    gone += joined(&state, around: range)
  }

  /// Makes a mapping's space known to who looks for pages of its family or object.
  func enter(_ mapping: Mapping, _ space: AddressSpace) {
    if let family = mapping.family { family.members.withLock { $0.join(space) } }
    if let object = mapping.object { object.state.withLock { $0.members.join(space) } }
  }

  /// Joins mappings around `range`; what was taken in is told to leave, and keeps nothing.
  func joined(_ state: inout AddressSpace.State, around range: VirtualRange) -> [Mapping] {
    var gone = state.mappings.join(around: range)
    for place in gone.indices { gone[place].marks.remove(.ownsReservations) }
    return gone
  }

  /// Ends mappings that are in no list any more: their reservations, and their places with families and objects.
  func finish(_ mappings: [Mapping], of space: AddressSpace, on cpu: CPUIndex) {
    for mapping in mappings {
      unreserve(mapping, on: cpu)
      if let family = mapping.family, family.members.withLock({ $0.leave(space) }) { books.remove(family.number) }
      if let object = mapping.object {
        let isLast = object.state.withLock { $0.members.leave(space) && $0.isDeleted }
        if isLast { empty(object, on: cpu) }
      }
    }
  }
}

extension Mapping {
  /// The same of another family.
  func with(_ family: AnonymousFamily) -> Mapping {
    var copy = Mapping(
      range: range, protection: protection, leaf: leaf, isShared: isShared, object: object, family: family, offset: offset,
      placement: placement, marks: marks)
    copy.consumed = consumed
    return copy
  }
}
