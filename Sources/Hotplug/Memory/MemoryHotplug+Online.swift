public import FrameAllocator
import FrameMap
public import MemoryUnits
import Mobility
import PhysicalLayout

extension MemoryHotplug {
  /// Puts memory online: a zone has it from then on, but for frames that hold descriptors or failed. All or nothing.
  ///
  /// - Parameters:
  ///   - range: whole blocks, all offline, of one node.
  ///   - wanted: which zone; for an automatic choice the whole range counts.
  /// - Returns: the zone.
  /// - Throws: `.notPluggable`, `.misaligned`, `.noSuchBlock`, `.alreadyOnline`, `.isDevice`, `.mixedNodes`, `.noZone`, `.beyondLimit`,
  ///   `.vetoed`.
  /// - Complexity: O(blocks + units), whatever the number of frames that hold descriptors. Threads: any.
  ///   Linux: `memory_block_online`, `online_pages`.
  @discardableResult public borrowing func online(
    _ range: FrameRange, _ wanted: OnlineZone, zones: borrowing ZoneSet
  ) throws(HotplugError) -> ZoneIndex {
    try requireWholeBlocks(range)
    return try state.withLock { (state) throws(HotplugError) in try online(range, wanted, [], &state, zones: zones) }
  }

  /// - Parameter withheld: parts that the zone does not get, lowest first.
  borrowing func online(
    _ range: FrameRange, _ wanted: OnlineZone, _ withheld: [FrameRange], _ state: inout HotplugState, zones: borrowing ZoneSet
  ) throws(HotplugError) -> ZoneIndex {
    guard let late = zones.late else { throw .notPluggable }
    let places = try state.wholePlaces(of: range, geometry.blockFrames)
    let node = state.blocks[places.lowerBound].node
    for block in state.blocks[places] {
      switch block.state {
      case .offline: break
      case .online: throw .alreadyOnline(block.range)
      case .device, .holdingMemmap: throw .isDevice(block.range)
      }
      guard block.node == node else { throw .mixedNodes(range) }
    }
    let index = try zone(for: range, node, wanted, state, zones)
    guard zones[index].zone.contains(range) else { throw .beyondLimit(range, limit: zones[index].zone.end) }
    try state.ask(.goingOnline, orTell: .onlineCancelled, range, index)
    // Nothing can fail from here on. Frames are the zone's before they are free in it.
    late.setZone(index, of: range)
    zones[index].setPageblocks(of: range, to: .movable)
    let poisoned = state.poisoned(in: range).filter { frame in !withheld.contains { $0.contains(frame) } }
    for usable in state.blocks[places].map({ $0.usable }).joined() {
      for part in usable.subtracting(withheld).flatMap({ $0.subtracting(poisoned) }) {
        do throws(FreeTreeError) { try zones[index].manage(part) } catch { preconditionFailure("memory was put online twice") }
      }
    }
    zones[index].manageClaimed(FrameCount(UInt64(poisoned.count)))
    zones[index].changePresent(by: Int64(range.count.rawValue))
    for place in places { state.blocks[place].state = .online(index) }
    state.withheld = (state.withheld + withheld).sorted { $0.start < $1.start }
    rebalance(zones)
    state.tell(.online, range, index)
    return index
  }

  /// The zone that a range of a node goes to. Linux: `zone_for_pfn_range`, which forgets where a zone was that lost its memory.
  private func zone(
    for range: FrameRange, _ node: NodeID, _ wanted: OnlineZone, _ state: HotplugState, _ zones: borrowing ZoneSet
  ) throws(HotplugError) -> ZoneIndex {
    let isMovable: Bool =
      switch wanted {
      case .kernel: false
      case .movable: true
      case .automatic(let share): prefersMovable(range.count, upTo: share, zones)
      }
    var kernel: ZoneIndex?
    for index in zones.indices {
      let zone = zones.descriptions[Int(index.rawValue)]
      guard zone.node == node else { continue }
      if isMovable {
        if zone.kind == .movable { return index }
      } else if zone.kind <= .normal {
        // A zone that lies around it, or booted with memory there, else the highest.
        if !zone.memory.isEmpty, zone.spanned.overlaps(range) { return index }
        if let span = spanned(by: index, state, zones), span.overlaps(range) { return index }
        kernel = index
      }
    }
    guard let kernel else { throw .noZone(node) }
    return kernel
  }

  /// Linux: `auto_movable_zone_for_pfn`, for the whole machine.
  private func prefersMovable(_ frames: FrameCount, upTo share: Percent, _ zones: borrowing ZoneSet) -> Bool {
    var kernel = FrameCount.zero
    var movable = frames
    for index in zones.indices {
      let zone = zones.descriptions[Int(index.rawValue)]
      let boot = zone.memory.reduce(FrameCount.zero) { $0 + $1.count }
      if zone.kind == .movable {
        movable += FrameCount(UInt64(Int64(boot.rawValue) + zones[index].presentChange))
      } else {
        kernel += boot
      }
    }
    return movable <= share.of(kernel)
  }
}

extension MemoryHotplug {
  /// From the first to the last frame of a zone that is present; nil for a zone without memory.
  ///
  /// - Complexity: O(blocks + ranges of the zone's memory). Linux: `zone_start_pfn`, `spanned_pages`.
  public borrowing func spanned(by index: ZoneIndex, zones: borrowing ZoneSet) -> FrameRange? {
    state.withLock { spanned(by: index, $0, zones) }
  }

  func spanned(by index: ZoneIndex, _ state: HotplugState, _ zones: borrowing ZoneSet) -> FrameRange? {
    let zone = zones.descriptions[Int(index.rawValue)]
    var ranges: [FrameRange] = []
    let left = state.leftBoot.filter { $0.zone == index }.map { $0.range }
    if left.isEmpty {
      if !zone.memory.isEmpty { ranges.append(zone.spanned) }
    } else {
      let gone = left.sorted { $0.start < $1.start }
      for memory in zone.memory { ranges += memory.subtracting(gone) }
    }
    // Blocks lie in rising order, so that the outermost of the zone are enough.
    if let low = state.blocks.first(where: { $0.state == .online(index) }) { ranges.append(low.range) }
    if let high = state.blocks.last(where: { $0.state == .online(index) }) { ranges.append(high.range) }
    guard let start = ranges.map({ $0.start }).min(), let end = ranges.map({ $0.end }).max() else { return nil }
    return FrameRange(start: start, end: end)
  }
}
