import FrameAllocator
public import FrameContents
public import MemoryUnits

/// Why no slots were taken; nothing is changed.
public enum SwapError: Error, Hashable, Sendable {
  /// No block of so many slots is free. More may be free, elsewhere than side by side.
  case full(wanted: SlotCount, largestFree: SlotCount)
}

/// A swap device and the books of its slots: which are in use, by how many entries, and which folios in memory hold the same.
///
/// A slot's first use is that of who took it. Each entry of a page table that names it is one more, and so is the cache. Who holds a use may
/// transfer the slot, or have it cached; the last one given back frees it.
///
/// **Threads.** Any. Each call is one step for all others, save transfers, which are the device's: see ``SwapDevice``.
///
/// Linux: `struct swap_info_struct` with its clusters, and the swap cache.
public final class SwapArea: Sendable {
  public let slots: SlotCount
  private let write: @Sendable (FrameRange, SwapSlot, DirectMap?) throws(SwapDeviceError) -> Void
  private let read: @Sendable (SwapSlot, FrameRange, DirectMap?) throws(SwapDeviceError) -> Void
  /// Who holds its lock takes no other.
  let books: Guarded<SlotBooks>

  /// The whole of a device, every slot free. The area keeps the device.
  ///
  /// - Parameter pause: lets others run.
  /// - Complexity: O(slots / 512); what is in use, or in the cache, takes 4 or 8 bytes for each slot of its cluster.
  public convenience init<Device: SwapDevice>(_ device: Device, pause: @escaping @Sendable () -> Void) {
    self.init(
      device.slots, pause: pause,
      write: { (frames, first, contents) throws(SwapDeviceError) in try device.write(frames, to: first, in: contents) },
      read: { (first, frames, contents) throws(SwapDeviceError) in try device.read(first, into: frames, in: contents) })
  }

  // Apart from the generic one, which Embedded Swift has no place for in a class's table.
  private init(
    _ slots: SlotCount, pause: @escaping @Sendable () -> Void,
    write: @escaping @Sendable (FrameRange, SwapSlot, DirectMap?) throws(SwapDeviceError) -> Void,
    read: @escaping @Sendable (SwapSlot, FrameRange, DirectMap?) throws(SwapDeviceError) -> Void
  ) {
    self.slots = slots
    self.write = write
    self.read = read
    books = Guarded(SlotBooks(slots), pause: pause)
  }

  /// Slots that nobody uses.
  public var free: SlotCount { books.withLock { $0.free.free } }
  /// Slots that somebody uses.
  public var used: SlotCount { books.withLock { $0.slots - $0.free.free } }
  /// Slots whose contents are in memory too.
  public var cached: SlotCount { books.withLock { SlotCount($0.heads.count.rawValue) } }

  // MARK: Slots

  /// Takes 2^order slots, one after the other, the first aligned to their number. Each has one use then, the caller's.
  ///
  /// - Throws: `.full`.
  /// - Complexity: the first cluster that is used in part mostly serves an order below 9: O(1). Otherwise O(clusters used in part +
  ///   slots / 32768), or O(slots / 32768) from order 9 on; O(order * slots / 64) where it throws. Linux: `folio_alloc_swap`.
  public func take(_ order: Order) throws(SwapError) -> SwapSlot {
    try books.withLock { books throws(SwapError) in
      if let slot = books.find(order) {
        books.take(SlotRange(start: slot, count: SlotCount(order)))
        return slot
      }
      var smaller = order.rawValue
      while smaller > 0 {
        smaller -= 1
        if books.find(Order(smaller)) != nil {
          throw .full(wanted: SlotCount(order), largestFree: SlotCount(Order(smaller)))
        }
      }
      throw .full(wanted: SlotCount(order), largestFree: .zero)
    }
  }

  /// One use more of a slot. Traps where it is free. O(1). Linux: `swap_duplicate`.
  public func retain(_ slot: SwapSlot) { retain(SlotRange(start: slot, count: SlotCount(1))) }

  /// One use more of each slot. Traps where one is free. O(slots).
  public func retain(_ range: SlotRange) { books.withLock { $0.retain(range) } }

  /// One use less of a slot; true where that was the last, and it is free now. Traps where it was free. O(1). Linux: `swap_free`.
  @discardableResult public func release(_ slot: SwapSlot) -> Bool {
    release(SlotRange(start: slot, count: SlotCount(1))) > .zero
  }

  /// One use less of each slot; returns how many are free now. Traps where one was free. O(slots).
  @discardableResult public func release(_ range: SlotRange) -> SlotCount { books.withLock { $0.release(range) } }

  /// How many name a slot; zero where it is free. O(1). Linux: `swp_swapcount`.
  public func uses(of slot: SwapSlot) -> UInt32 {
    books.withLock { books in
      precondition(books.free.all.contains(slot), "a slot that the device does not have")
      return books.uses(of: slot)
    }
  }

  // MARK: The cache

  /// The head of the folio in memory that holds what the slot holds.
  ///
  /// Nothing keeps the folio there: take a reference by trying, and look again. O(1). Linux: `swap_cache_get_folio`.
  public func cached(_ slot: SwapSlot) -> FrameNumber? { books.withLock { $0.cached(slot) } }

  /// Says that a folio in memory holds what slots hold, which is one use more of each. Traps where a slot is free.
  ///
  /// - Returns: nil; or the head of a folio that one of the slots has already, and nothing is changed.
  /// - Complexity: O(slots). Linux: `add_to_swap_cache`.
  public func setCached(_ range: SlotRange, _ head: FrameNumber) -> FrameNumber? {
    books.withLock { $0.setCached(range, head) }
  }

  /// Names another folio for slots whose folio was moved, or split. Uses stay. Traps where a slot is free.
  ///
  /// - Returns: false where a slot's folio is not `old`, and nothing is changed.
  /// - Complexity: O(slots). Linux: `__swap_cache_replace_folio`.
  public func replaceCached(_ range: SlotRange, _ old: FrameNumber, by new: FrameNumber) -> Bool {
    books.withLock { $0.replaceCached(range, old, by: new) }
  }

  /// Takes a folio out of the cache, with the uses that it was. Traps where a slot's folio is another one, or none.
  ///
  /// - Returns: how many slots are free now.
  /// - Complexity: O(slots). Linux: `delete_from_swap_cache`.
  @discardableResult public func removeCached(_ range: SlotRange, _ head: FrameNumber) -> SlotCount {
    books.withLock { $0.removeCached(range, head) }
  }

  // MARK: Contents

  /// Writes frames, one after the other, to slots of which the caller holds a use. Traps where one is free.
  ///
  /// - Throws: what the device throws; slots and frames are held as before.
  /// - Complexity: O(bytes). Linux: `swap_writepage`.
  public func write(_ frames: FrameRange, to first: SwapSlot, in contents: DirectMap?) throws(SwapDeviceError) {
    requireUsed(frames.count, first)
    try write(frames, first, contents)
  }

  /// Reads slots of which the caller holds a use, one after the other, into frames. Traps where one is free.
  ///
  /// - Throws: what the device throws; slots and frames are held as before.
  /// - Complexity: O(bytes). Linux: `swap_read_folio`.
  public func read(_ first: SwapSlot, into frames: FrameRange, in contents: DirectMap?) throws(SwapDeviceError) {
    requireUsed(frames.count, first)
    try read(first, frames, contents)
  }

  private func requireUsed(_ count: FrameCount, _ first: SwapSlot) {
    books.withLock { $0.requireUsed(SlotRange(start: first, count: SlotCount(count))) }
  }

  /// Recounts everything from each slot's uses. O(slots).
  ///
  /// - Throws: the first difference.
  public func checkInvariants() throws(SwapFault) {
    try books.withLock { books throws(SwapFault) in try books.checkInvariants() }
  }
}
