import MemoryUnits

extension SlotBooks {
  func cached(_ slot: SwapSlot) -> FrameNumber? {
    precondition(free.all.contains(slot), "a slot that the device does not have")
    return heads[Self.page(slot)]
  }

  /// Puts a folio into the cache of slots, as one use more of each; or returns whose are there, and changes nothing.
  mutating func setCached(_ range: SlotRange, _ head: FrameNumber) -> FrameNumber? {
    requireUsed(range)
    let pages = Self.pages(range)
    if let there = heads.first(in: pages) { return there.head }
    forEachPage(pages) { books, page in books.heads[page] = head }
    retain(range)
    return nil
  }

  /// Names another folio; false where one of the slots has another one than `old`, and nothing is changed.
  mutating func replaceCached(_ range: SlotRange, _ old: FrameNumber, by new: FrameNumber) -> Bool {
    requireUsed(range)
    guard isCached(range, old) else { return false }
    forEachPage(Self.pages(range)) { books, page in books.heads[page] = new }
    return true
  }

  /// Takes a folio out, with the uses that it was; returns how many slots are free now. Traps where another one is there, or none.
  mutating func removeCached(_ range: SlotRange, _ head: FrameNumber) -> SlotCount {
    precondition(isCached(range, head), "a folio that is not in the cache was taken out")
    forEachPage(Self.pages(range)) { books, page in books.heads[page] = nil }
    return release(range)
  }

  private static func pages(_ range: SlotRange) -> UnitRange<PageIndex> {
    UnitRange(start: page(range.start), end: page(range.end))
  }

  private func isCached(_ range: SlotRange, _ head: FrameNumber) -> Bool {
    var page = Self.page(range.start)
    while page < Self.page(range.end) {
      guard heads[page] == head else { return false }
      page += PageCount(1)
    }
    return true
  }

  private mutating func forEachPage(_ pages: UnitRange<PageIndex>, _ body: (inout SlotBooks, PageIndex) -> Void) {
    var page = pages.start
    while page < pages.end {
      body(&self, page)
      page += PageCount(1)
    }
  }
}
