import FrameAllocator
public import FrameMap
import HugePools
public import MemoryUnits
public import Mobility
import Synchronization

/// The mappings of a space whose lock somebody holds who has folios moved.
struct HeldSpace: Sendable {
  let space: AddressSpace
  let mappings: MappingList
}

/// Address spaces as the owner of what they map: finds every entry that leads to a folio, and makes it lead elsewhere.
///
/// Entries wait for the end of a move, and who comes to one waits with the lock of his space in his hand; so neither ``detach(_:)``
/// nor ``attach(_:to:)`` waits for such a lock: the one only tries, and the other needs none.
///
/// It must not be kept longer than the memory that it is of.
///
/// Linux: `rmap_walk`, `try_to_migrate`, `remove_migration_ptes`.
public struct SpaceOwner: FolioOwner, Sendable {
  let walk: TableWalk
  let books: Books
  let store: MemoryStore
  let held: [HeldSpace]

  public func detach(_ folio: FolioPlace) -> FrameCounts? {
    guard let descriptor = unsafe walk.frames.descriptor(folio.head) else { return nil }
    let number = unsafe OwnerNumber(rawValue: descriptor.pointee.privateWord.load(ordering: .acquiring))
    let index = unsafe descriptor.pointee.privateIndex.load(ordering: .relaxed)
    guard let owner = books.owner(number) else { return nil }
    var move = Move(head: folio.head, owner: owner, entries: [])
    var isWhole = true
    for space in spaces(of: owner) where isWhole {
      if let mine = held.first(where: { $0.space === space }) {
        detach(folio, index, in: space, mine.mappings, &move)
      } else {
        let done: Void? = space.state.tryWithLock { state in detach(folio, index, in: space, state.mappings, &move) }
        isWhole = done != nil
      }
    }
    // A mapping that was not found would go on to the old frames.
    let mappings = unsafe descriptor.pointee.mapCount.load(ordering: .acquiring)
    guard isWhole, mappings == move.mappings, isThere(folio, index, owner) else {
      settle(move, folio, at: folio.head)
      return nil
    }
    books.state.withLock { $0.moves.append(move) }
    var count = mappings
    if case .object = owner { count += 1 }
    if unsafe descriptor.pointee.flags.contains(.swapCached) { count += 1 }
    guard count > 0 else {
      attach(folio, to: folio.head)
      return nil
    }
    return .references(count)
  }

  public func attach(_ folio: FolioPlace, to head: FrameNumber) {
    let move = books.takeMove(of: folio.head)
    if head != folio.head {
      store.pools.didMove(folio, to: head, zones: store.zones)
      if case .object(let object) = move.owner, let new = unsafe walk.frames.descriptor(head) {
        let index = unsafe new.pointee.privateIndex.load(ordering: .relaxed)
        object.state.withLock { $0.pages[PageIndex(UInt64(index))] = head }
      }
      if let old = unsafe walk.frames.descriptor(folio.head), let new = unsafe walk.frames.descriptor(head) {
        // The old frames are frozen, and nobody comes to the new ones by an entry yet.
        unsafe new.pointee.mapCount.store(move.mappings, ordering: .releasing)
        unsafe old.pointee.mapCount.store(0, ordering: .releasing)
        if unsafe new.pointee.flags.contains(.swapCached) { books.didMoveCached(folio.head, to: head) }
        if unsafe old.pointee.flags.contains(.deferred) { books.deferSplit(of: head, in: walk.frames) }
      }
    }
    settle(move, folio, at: head)
  }

  public func replaceFree(_ folio: FolioPlace, in zones: borrowing ZoneSet, on cpu: CPUIndex) -> Bool {
    store.pools.replaceFree(folio, zones: zones, on: cpu)
  }

  private func spaces(of owner: PageOwner) -> [AddressSpace] {
    switch owner {
    case .family(let family): family.members.withLock { $0.spaces }
    case .object(let object): object.state.withLock { $0.members.spaces }
    }
  }

  /// Whether an object still has the page; private pages have no other place than their entries.
  private func isThere(_ folio: FolioPlace, _ index: UInt32, _ owner: PageOwner) -> Bool {
    guard case .object(let object) = owner else { return true }
    return object.state.withLock { $0.pages[PageIndex(UInt64(index))] == folio.head }
  }

  private func detach(
    _ folio: FolioPlace, _ index: UInt32, in space: AddressSpace, _ mappings: MappingList, _ move: inout Move
  ) {
    for mapping in mappings.all where isOwned(mapping, by: move.owner) {
      if mapping.isTransparent {
        walk.forEachEntry(of: folio, index, in: mapping, space.root) { place, entry in
          // What waits already is somebody else's to end.
          guard entry.isLeaf else { return }
          walk.replace(place, entry.with(.moving))
          move.entries.append((place, entry))
          move.mappings += 1
        }
        continue
      }
      guard mapping.leaf.order == folio.order, let address = mapping.address(of: index) else { continue }
      let (place, entry) = walk.find(space.root, address, downTo: mapping.leaf.level)
      guard place.level == mapping.leaf.level, entry.isLeaf, entry.frame == folio.head else { continue }
      forEachEntry(place, mapping.leaf.entries) { place, _ in
        let part = walk.load(place)
        walk.replace(place, part.with(.moving))
        move.entries.append((place, part))
      }
      move.mappings += 1
    }
  }

  private func isOwned(_ mapping: Mapping, by owner: PageOwner) -> Bool {
    switch owner {
    case .family(let family): mapping.family === family
    case .object(let object): mapping.object === object
    }
  }

  /// Makes entries lead somewhere again. The first of a page comes last: who waits looks at that.
  func settle(_ move: Move, _ folio: FolioPlace, at head: FrameNumber) {
    for (place, entry) in move.entries.reversed() {
      walk.replace(place, entry.leading(to: head + (entry.frame - folio.head)))
    }
  }

  private func forEachEntry(_ first: EntryPlace, _ count: EntryCount, _ body: (EntryPlace, FrameCount) -> Void) {
    let step = walk.shape.frames(first.level)
    for number in 0..<count.rawValue {
      body(
        EntryPlace(
          table: first.table, index: first.index + EntryCount(number), level: first.level,
          address: first.address + walk.shape.span(first.level) * number),
        step * number)
    }
  }
}
