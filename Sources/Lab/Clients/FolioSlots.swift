import FrameAllocator
import FrameMap
import MemoryUnits

/// Where a client's folios are: a slot each, by a number that stays while the folio moves.
///
/// A slot is in one list: of the tick at which its folio dies, or of folios that stay, oldest first. One that lost its folio out of
/// turn stays in its list until the list comes to it.
///
/// **Threads.** One. **Memory.** 16 bytes a folio.
final class FolioSlots {
  private struct Slot {
    /// The head's number, with the order above it; ``empty`` without a folio.
    var entry: UInt64
    var link: UInt32
    var due: UInt32
  }

  private static let empty = UInt64.max
  private static let orderShift: UInt64 = 56
  private static let headMask: UInt64 = 1 << 56 - 1

  private var slots: [Slot] = []
  private var firstUnused = TimeWheel.none
  private var oldest = TimeWheel.none
  private var newest = TimeWheel.none
  /// Slots without folios in the list of those that stay.
  private var gone: UInt32 = 0
  private var wheel = TimeWheel()

  private(set) var count = FolioTally.zero
  private(set) var frames = FrameCount.zero

  /// Takes a folio in. - Returns: its slot.
  func insert(_ place: FolioPlace, livingFor ticks: UInt32?) -> UInt32 {
    let slot = unusedSlot()
    let entry = place.head.rawValue | UInt64(place.order.rawValue) << Self.orderShift
    if let ticks {
      let due = wheel.now &+ ticks
      let next = wheel.insert(slot, due: due)
      slots[Int(slot)] = Slot(entry: entry, link: next, due: due)
    } else {
      slots[Int(slot)] = Slot(entry: entry, link: TimeWheel.none, due: 0)
      if newest == TimeWheel.none { oldest = slot } else { slots[Int(newest)].link = slot }
      newest = slot
    }
    count += FolioTally(1)
    frames += place.order.frames
    return slot
  }

  /// Where the folio of a slot is; nil for one that has none.
  func place(_ slot: UInt32) -> FolioPlace? {
    guard slot < slots.count, slots[Int(slot)].entry != Self.empty else { return nil }
    return place(of: slots[Int(slot)])
  }

  private func place(of slot: Slot) -> FolioPlace {
    FolioPlace(head: FrameNumber(slot.entry & Self.headMask), order: Order(UInt8(slot.entry >> Self.orderShift)))
  }

  /// A folio has moved.
  func move(_ slot: UInt32, to head: FrameNumber) {
    precondition(slot < slots.count && slots[Int(slot)].entry != Self.empty, "a folio moved that its client does not have")
    slots[Int(slot)].entry = slots[Int(slot)].entry & ~Self.headMask | head.rawValue
  }

  /// A folio has gone, out of turn.
  @discardableResult func remove(_ slot: UInt32) -> FolioPlace {
    guard let place = place(slot) else { preconditionFailure("a folio went that its client does not have") }
    slots[Int(slot)].entry = Self.empty
    forget(place)
    if slots[Int(slot)].due == 0 {
      gone += 1
      // At most as many as are there wait for their turn, which for folios that stay may never come.
      if gone > 1024, UInt64(gone) > count.rawValue { dropGone() }
    }
    return place
  }

  /// Takes slots without folios out of the list of those that stay.
  private func dropGone() {
    var slot = oldest
    (oldest, newest, gone) = (TimeWheel.none, TimeWheel.none, 0)
    while slot != TimeWheel.none {
      let next = slots[Int(slot)].link
      if slots[Int(slot)].entry == Self.empty {
        putBack(slot)
      } else {
        slots[Int(slot)].link = TimeWheel.none
        if newest == TimeWheel.none { oldest = slot } else { slots[Int(newest)].link = slot }
        newest = slot
      }
      slot = next
    }
  }

  private func forget(_ place: FolioPlace) {
    count -= FolioTally(1)
    frames -= place.order.frames
  }

  /// Takes the oldest out of those that stay.
  func popOldest() -> FolioPlace? {
    while oldest != TimeWheel.none {
      let slot = oldest
      let content = slots[Int(slot)]
      oldest = content.link
      if oldest == TimeWheel.none { newest = TimeWheel.none }
      putBack(slot)
      guard content.entry != Self.empty else {
        if gone > 0 { gone -= 1 }
        continue
      }
      let place = place(of: content)
      forget(place)
      return place
    }
    return nil
  }

  /// A tick goes by: `body` gets the folios that die.
  func advance(_ body: (FolioPlace) -> Void) {
    var slot = wheel.advance { wheel, first in
      var slot = first
      while slot != TimeWheel.none {
        let next = slots[Int(slot)].link
        slots[Int(slot)].link = wheel.insert(slot, due: slots[Int(slot)].due)
        slot = next
      }
    }
    while slot != TimeWheel.none {
      let content = slots[Int(slot)]
      putBack(slot)
      if content.entry != Self.empty {
        let place = place(of: content)
        forget(place)
        body(place)
      }
      slot = content.link
    }
  }

  /// Every folio with its slot, in the order of the slots.
  func forEach(_ body: (UInt32, FolioPlace) -> Void) {
    for slot in 0..<UInt32(slots.count) {
      let content = slots[Int(slot)]
      if content.entry != Self.empty { body(slot, place(of: content)) }
    }
  }

  /// The slots of those that stay, oldest first.
  func staying() -> [UInt32] {
    var list: [UInt32] = []
    var slot = oldest
    while slot != TimeWheel.none {
      if slots[Int(slot)].entry != Self.empty { list.append(slot) }
      slot = slots[Int(slot)].link
    }
    return list
  }

  private func unusedSlot() -> UInt32 {
    if firstUnused != TimeWheel.none {
      let slot = firstUnused
      firstUnused = slots[Int(slot)].link
      return slot
    }
    precondition(slots.count < 1 << 31, "a client holds too many folios")
    slots.append(Slot(entry: Self.empty, link: TimeWheel.none, due: 0))
    return UInt32(slots.count - 1)
  }

  private func putBack(_ slot: UInt32) {
    slots[Int(slot)] = Slot(entry: Self.empty, link: firstUnused, due: 0)
    firstUnused = slot
  }
}

/// An amount of folios.
struct FolioTally: Amount {
  let rawValue: UInt64
  var description: String { String(rawValue) }
}
