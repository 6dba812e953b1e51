public import FrameAllocator
public import FrameMap
public import MemoryUnits

extension MemoryHotplug {
  /// Adds memory of a device: its frames have descriptors, and never a zone. The head of each aligned piece is marked as the device's.
  ///
  /// - Parameters:
  ///   - range: whole memory blocks.
  ///   - memmap: `fromRange` puts the descriptors on the device.
  ///   - lend: as with ``add(_:node:memmap:map:zones:on:lend:)``.
  /// - Throws: ``HotplugError``; nothing has changed then. Taken away by ``remove(_:map:zones:on:)``.
  /// - Complexity: O(sections + units). Threads: any. Linux: `memremap_pages`, `ZONE_DEVICE`.
  @discardableResult public borrowing func addDevice<Storage>(
    _ range: FrameRange, node: NodeID, memmap: MemmapPlace, map: borrowing FrameMap<Storage>, zones: borrowing ZoneSet,
    on cpu: CPUIndex, lend: ([FrameRange]) -> Void = { _ in }
  ) throws(HotplugError) -> AddPlan {
    let plan = try plan(adding: range, node: node, memmap: memmap, model: map.model)
    try state.withLock { (state) throws(HotplugError) in
      try add(plan, as: .device, &state, map: map, zones: zones, on: cpu, lend: lend)
      for usable in state.blocks[state.places(in: range)].map({ $0.usable }).joined() { mark(usable, .device, zones) }
    }
    return plan
  }
}
