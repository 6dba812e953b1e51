import FrameAllocator
import FrameMap
import MemoryUnits
import Mobility

/// All clients of a run, as the owner of their folios: each head's descriptor says whose it is, and in which slot.
///
/// Folios without such a mark are `base`'s: address spaces', or those of the host that a machine was made of.
final class ClientTable: FolioOwner {
  /// In the upper 16 bits of a head's private word, where no other owner has any.
  private static let mark: UInt64 = 0x4c42 << 48

  private(set) var clients: [Client] = []
  let tally: MoveTally
  let base: any FolioOwner
  let table: FrameTable

  init(_ tally: MoveTally, base: any FolioOwner, _ table: FrameTable) {
    self.tally = tally
    self.base = base
    self.table = table
  }

  func add(_ client: Client) { clients.append(client) }

  /// Marks a folio as a client's.
  func claim(_ head: FrameNumber, _ client: Client, _ slot: UInt32) {
    // The folio is the caller's alone, and its memmap there as long as the machine.
    guard let descriptor = table.descriptor(head) else { preconditionFailure("a folio has no descriptor") }
    descriptor.pointee.privateIndex.store(slot, ordering: .relaxed)
    descriptor.pointee.privateWord.store(Self.mark | UInt64(client.number), ordering: .relaxed)
  }

  /// Whose a folio is, and in which slot.
  @inline(__always) func owner(of head: FrameNumber) -> (client: Client, slot: UInt32)? {
    guard let descriptor = table.descriptor(head) else { return nil }
    let word = descriptor.pointee.privateWord.load(ordering: .relaxed)
    guard word >> 48 == Self.mark >> 48 else { return nil }
    return (clients[Int(word & 0xffff_ffff)], descriptor.pointee.privateIndex.load(ordering: .relaxed))
  }

  func detach(_ folio: FolioPlace) -> FrameCounts? {
    guard let (client, slot) = owner(of: folio.head) else { return base.detach(folio) }
    guard client.slots.place(slot) == folio, !client.isPinned else { return nil }
    return .references(1)
  }

  func attach(_ folio: FolioPlace, to head: FrameNumber) {
    if head != folio.head { tally.moved += folio.order.frames }
    // The mark moved with the folio.
    guard let (client, slot) = owner(of: head) else { return base.attach(folio, to: head) }
    guard head != folio.head else { return }
    client.slots.move(slot, to: head)
  }

  func canDrop(_ folio: FolioPlace) -> Bool {
    guard let (client, _) = owner(of: folio.head) else { return base.canDrop(folio) }
    return client.isCache && client.mobility == .movable
  }

  func drop(_ folio: FolioPlace) {
    guard let (client, slot) = owner(of: folio.head) else { return base.drop(folio) }
    client.slots.remove(slot)
    tally.dropped += folio.order.frames
  }

  func canSplit(_ folio: FolioPlace) -> Bool { owner(of: folio.head) == nil && base.canSplit(folio) }

  func replaceFree(_ page: FolioPlace, in zones: borrowing ZoneSet, on cpu: CPUIndex) -> Bool {
    base.replaceFree(page, in: zones, on: cpu)
  }
}

/// Frames that moved, and that were given up, since a run began.
final class MoveTally {
  var moved = FrameCount.zero
  var dropped = FrameCount.zero
}
