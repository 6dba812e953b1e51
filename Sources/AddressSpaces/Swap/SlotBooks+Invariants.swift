public import MemoryUnits

/// What the books of a swap area disagree about.
public enum SwapFault: Error, Hashable, Sendable {
  /// A slot is free and has uses, or is not and has none.
  case uses(SwapSlot, UInt32)
  /// A slot is in the cache, and is free or not the device's.
  case cached(SwapSlot)
  /// A cluster is taken for one that is free, or used in part, and is not; or the other way round.
  case cluster(SlotRange, free: SlotCount)
  /// More slots, or fewer, are free than is said.
  case free(said: SlotCount, counted: SlotCount)
}

extension SlotBooks {
  /// Recounts everything from each slot's uses.
  func checkInvariants() throws(SwapFault) {
    var counted = SlotCount.zero
    var cluster = ClusterIndex(0)
    while cluster < whole.all.end {
      let range = range(of: cluster)
      var freeHere = SlotCount.zero
      var slot = range.start
      while slot < range.end {
        let uses = uses(of: slot)
        guard free[slot] == (uses == 0) else { throw .uses(slot, uses) }
        if uses == 0 { freeHere += SlotCount(1) }
        slot += SlotCount(1)
      }
      let isWhole = freeHere == SlotCount(Self.clusterOrder)
      guard whole[cluster] == isWhole, partial[cluster] == (freeHere > .zero && !isWhole),
        uses[Int(cluster.rawValue)].isEmpty == (freeHere == range.count)
      else { throw .cluster(range, free: freeHere) }
      counted += freeHere
      cluster += ClusterCount(1)
    }
    guard counted == free.free else { throw .free(said: free.free, counted: counted) }
    var start = PageIndex(0)
    let end = PageIndex(0) + PageCount(slots.rawValue)
    var cached = PageCount.zero
    while let (page, _) = heads.first(in: UnitRange(start: start, end: end)) {
      let slot = SwapSlot(page.rawValue)
      guard !free[slot] else { throw .cached(slot) }
      cached += PageCount(1)
      start = page + PageCount(1)
    }
    guard cached == heads.count else { throw .cached(SwapSlot(slots.rawValue)) }
  }
}
