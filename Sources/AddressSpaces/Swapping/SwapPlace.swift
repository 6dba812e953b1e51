import FrameAllocator
import MemoryUnits

/// The number of a swap area of a memory.
struct SwapIndex: Hashable, Sendable {
  let rawValue: Int
}

/// A slot of one of the areas, as entries name it.
struct SwapPlace: Hashable, Sendable {
  let area: SwapIndex
  let slot: SwapSlot

  private static let slotBits: UInt64 = 44

  init(_ area: SwapIndex, _ slot: SwapSlot) {
    precondition(slot.rawValue < 1 << Self.slotBits && area.rawValue < 256, "a swap slot beyond an entry's bits")
    self.area = area
    self.slot = slot
  }

  init(_ entry: PageEntry) {
    area = SwapIndex(rawValue: Int(entry.frame.rawValue >> Self.slotBits))
    slot = SwapSlot(entry.frame.rawValue & (1 << Self.slotBits - 1))
  }

  /// As an entry has it, where others have a frame: slots one after the other are numbers one after the other.
  var number: FrameNumber { FrameNumber(UInt64(area.rawValue) << Self.slotBits | slot.rawValue) }
}

/// The swap areas of a memory, and which folios are what slots hold too.
struct SwapBooks: Sendable {
  var areas: [SwapArea] = []
  /// Folios in the cache, by head: base pages of which other spaces still have the slot.
  var cached: [(head: FrameNumber, place: SwapPlace)] = []

  private func position(_ head: FrameNumber) -> Int {
    var low = 0
    var high = cached.count
    while low < high {
      let middle = (low + high) / 2
      if cached[middle].head < head { low = middle + 1 } else { high = middle }
    }
    return low
  }

  func place(of head: FrameNumber) -> SwapPlace? {
    let position = position(head)
    return position < cached.count && cached[position].head == head ? cached[position].place : nil
  }

  mutating func add(_ head: FrameNumber, _ place: SwapPlace) { cached.insert((head, place), at: position(head)) }

  @discardableResult mutating func remove(_ head: FrameNumber) -> SwapPlace? {
    let position = position(head)
    guard position < cached.count, cached[position].head == head else { return nil }
    return cached.remove(at: position).place
  }

  subscript(_ place: SwapPlace) -> SwapArea { areas[place.area.rawValue] }
}

extension Books {
  /// A folio in the swap cache has gone to other frames.
  func didMoveCached(_ old: FrameNumber, to new: FrameNumber) {
    swap.withLock { swap in
      guard let place = swap.remove(old) else { preconditionFailure("a folio said to be in the swap cache is not") }
      let range = SlotRange(start: place.slot, count: SlotCount(1))
      let isDone = swap[place].replaceCached(range, old, by: new)
      precondition(isDone, "a slot's folio is another one")
      swap.add(new, place)
    }
  }
}
