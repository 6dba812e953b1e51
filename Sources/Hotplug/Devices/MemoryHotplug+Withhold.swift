public import FrameAllocator
import FrameMap
public import HugePools
public import MemoryUnits
public import Mobility

// Parts of online blocks that come and go by themselves, for devices whose units are smaller than memory blocks.
//
// Linux: `generic_online_page` and `virtio_mem_fake_offline`.

extension MemoryHotplug {
  /// Takes a part of an online block from its zone; the block stays online, and its frames present.
  ///
  /// - Parameter range: whole pageblocks of one block, none of it withheld, none of it descriptors.
  /// - Throws: `.noSuchBlock`, `.notOnline`, `.busy`, `.promised`, `.cancelled`; nothing has changed then.
  /// - Complexity: as that of an offline of the part.
  public borrowing func withhold<Owner, Mover>(
    _ range: FrameRange, zones: borrowing ZoneSet, pools: borrowing HugePools, with context: MigrationContext<Owner, Mover>,
    shouldGoOn: () -> Bool = { true }
  ) throws(HotplugError) {
    try state.withLock { (state) throws(HotplugError) in
      let index = try onlineZone(ofPart: range, state)
      guard state.withheld(in: range).isEmpty else { throw .notOnline(range) }
      let failed = state.poisoned(in: range)
      let plan = try empty(range, of: index, skipping: failed, zones: zones, pools: pools, with: context, shouldGoOn)
      for taken in plan.taken { zones[index].forgetClaimed(taken.count) }
      zones[index].forgetClaimed(FrameCount(UInt64(failed.count)))
      state.withheld.insert(range, at: state.withheld.firstIndex { $0.start > range.start } ?? state.withheld.count)
      rebalance(zones)
    }
  }

  /// Gives a part that was withheld to the zone of its block.
  ///
  /// - Parameter range: as it was withheld, or a part of that.
  /// - Throws: `.noSuchBlock`, `.notOnline`; `.alreadyOnline` where a part of it is not withheld.
  public borrowing func supply(_ range: FrameRange, zones: borrowing ZoneSet) throws(HotplugError) {
    try state.withLock { (state) throws(HotplugError) in
      let index = try onlineZone(ofPart: range, state)
      guard let place = state.withheld.firstIndex(where: { $0.contains(range) }) else { throw .alreadyOnline(range) }
      let failed = state.poisoned(in: range)
      for part in range.subtracting(failed) {
        do throws(FreeTreeError) { try zones[index].manage(part) } catch { preconditionFailure("memory was put online twice") }
      }
      zones[index].manageClaimed(FrameCount(UInt64(failed.count)))
      let rest = state.withheld[place].subtracting([range])
      state.withheld.replaceSubrange(place...place, with: rest)
      rebalance(zones)
    }
  }

  /// Parts of online blocks that their zone does not have, lowest first.
  public borrowing func withheld(in range: FrameRange) -> [FrameRange] { state.withLock { $0.withheld(in: range) } }

  private func onlineZone(ofPart range: FrameRange, _ state: HotplugState) throws(HotplugError) -> ZoneIndex {
    let places = state.places(in: range)
    guard places.count == 1, state.blocks[places.lowerBound].usable.contains(range), !range.isEmpty else {
      throw .noSuchBlock(range.start)
    }
    guard case .online(let index) = state.blocks[places.lowerBound].state else { throw .notOnline(range) }
    return index
  }
}
