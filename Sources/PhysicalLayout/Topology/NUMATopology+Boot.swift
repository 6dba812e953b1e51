import MemoryUnits

extension BootDescription {
  /// The nodes that the kernel will use: the firmware's where they make sense, else one; divided where emulation was asked
  /// for and works out.
  ///
  /// Linux: `x86_numa_init`, `numa_emulation`.
  func effectiveTopology(_ memory: RegionSet, end: PhysicalAddress) -> NUMATopology {
    let machine = PhysicalRange(start: .zero, end: end)
    let whole = NUMATopology([NodeRange(machine, node: NodeID(0))])
    let isFirmwareIgnored = commandLine.nodeOption == .off || commandLine.nodeOption == .ignoresFirmware
    let physical = (isFirmwareIgnored ? nil : topology?.cleaned(for: memory, machine)) ?? whole
    guard case .emulated(let emulation) = commandLine.nodeOption else { return physical }
    var emulator = NodeEmulator(physical, memory, end: end)
    return emulator.run(emulation)?.cleaned(for: memory, machine, mustCover: false) ?? physical
  }
}

extension NUMATopology {
  /// Ranges with memory, cut to the machine, joined within a node where no other node lies between. Nil where ranges of
  /// different nodes overlap, or where a megabyte of memory or more belongs to no node.
  ///
  /// Linux: `numa_cleanup_meminfo`, `numa_meminfo_cover_memory`.
  func cleaned(for memory: RegionSet, _ machine: PhysicalRange, mustCover: Bool = true) -> NUMATopology? {
    var blocks = ranges.map { NodeRange($0.range.intersection(machine), node: $0.node, isHotpluggable: $0.isHotpluggable) }
      .filter { !$0.range.isEmpty && memory.hasMemory(in: $0.range) }
    for (index, block) in blocks.enumerated() {
      for other in blocks[(index + 1)...] where other.node != block.node && other.range.overlaps(block.range) { return nil }
    }
    blocks.joinWithinNodes()
    let cleaned = NUMATopology(blocks)
    guard !blocks.isEmpty, !mustCover || cleaned.covers(memory) else { return nil }
    return cleaned
  }

  private func covers(_ memory: RegionSet) -> Bool {
    var uncovered = memory
    for block in ranges { uncovered.remove(block.range) }
    return uncovered.memorySize < .mebibytes(1)
  }
}

extension [NodeRange] {
  fileprivate mutating func joinWithinNodes() {
    var index = 0
    while index < count {
      var other = index + 1
      while other < count {
        let low = Swift.min(self[index].range.start, self[other].range.start)
        let high = Swift.max(self[index].range.end, self[other].range.end)
        let joined = PhysicalRange(start: low, end: high)
        let node = self[index].node
        guard self[other].node == node, !contains(where: { $0.node != node && $0.range.overlaps(joined) }) else {
          other += 1
          continue
        }
        self[index] = NodeRange(joined, node: node)
        remove(at: other)
      }
      index += 1
    }
  }
}
