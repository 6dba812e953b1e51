import MemoryUnits

/// Divides a machine's nodes into made-up ones.
///
/// It walks the physical nodes in turn and cuts one made-up node off each, until nothing is left. Sizes are measured
/// without holes and come in steps of 32 MiB; a rest too small for another node goes to the one before it.
///
/// Linux: `numa_emulation`.
struct NodeEmulator {
  /// How far a cut goes.
  private enum Cut {
    /// As many steps as it takes for `size` of memory; the first `larger` nodes start one step longer.
    case memory(size: UInt64, larger: UInt64)
    /// So many bytes, holes or not.
    case bytes(UInt64)
  }

  private var left: [NodeRange]
  private let memory: RegionSet
  private let end: PhysicalAddress
  private var made: [NodeRange] = []

  private static let step: UInt64 = 32 << 20
  private static let frame: UInt64 = 4096
  /// The most nodes of a kernel as distributions build it. Linux: `MAX_NUMNODES`.
  private static let mostNodes: UInt64 = 1024
  private static let dma32End = PhysicalAddress(1 << 32)

  init(_ physical: NUMATopology, _ memory: RegionSet, end: PhysicalAddress) {
    left = physical.ranges
    self.memory = memory
    self.end = end
  }

  /// Nil where the request cannot be met; the physical nodes stay then.
  mutating func run(_ emulation: NodeEmulation) -> NUMATopology? {
    let total = memorySize(.zero, end)
    switch emulation {
    case .count(let wanted):
      let count = min(wanted.rawValue, NodeEmulator.mostNodes)
      guard count > 0 else { return nil }
      let even = total / NodeEmulator.frame / count * NodeEmulator.frame
      let size = even / NodeEmulator.step * NodeEmulator.step
      guard size > 0 else { return nil }
      cutAll(.memory(size: size, larger: (even % NodeEmulator.step) * count / NodeEmulator.step), nodes: nil, modulo: count)
    case .size(let wanted):
      guard wanted > .zero else { return nil }
      let least = roundedUp(max(total / NodeEmulator.frame / NodeEmulator.mostNodes * NodeEmulator.frame, NodeEmulator.step))
      // More than there is changes nothing, and sums stay in range.
      let size = roundedUp(min(max(wanted.rawValue / NodeEmulator.step * NodeEmulator.step, least), end.rawValue))
      cutAll(.memory(size: size, larger: 0), nodes: nil, modulo: NodeEmulator.mostNodes)
    case .perNode(let wanted): return runPerNode(wanted.rawValue)
    }
    return NUMATopology(made)
  }

  private mutating func runPerNode(_ count: UInt64) -> NUMATopology? {
    guard count > 0, count <= NodeEmulator.mostNodes else { return nil }
    for _ in nodesLeft() {
      // Each pass uses up the node of the first range that is left.
      guard let first = left.first else { return nil }
      let before = made.count
      let frames = first.range.end.rawValue / NodeEmulator.frame - first.range.start.rawValue / NodeEmulator.frame
      let size = roundedUp(max(frames / count * NodeEmulator.frame, NodeEmulator.step))
      cutAll(.bytes(size), nodes: [first.node], modulo: NodeEmulator.mostNodes)
      guard UInt64(made.count - before) >= count else { return nil }
    }
    return NUMATopology(made)
  }

  private mutating func cutAll(_ cut: Cut, nodes: [NodeID]?, modulo: UInt64) {
    var open = nodes ?? nodesLeft()
    while !open.isEmpty {
      for node in open {
        guard let index = left.firstIndex(where: { $0.node == node }) else {
          open.removeAll { $0 == node }
          continue
        }
        let range = left[index].range
        let number = UInt64(made.count)
        let cutEnd = endOfNode(range, cut, number)
        let id = NodeID(UInt32(truncatingIfNeeded: number % modulo))
        made.append(NodeRange(PhysicalRange(start: range.start, end: cutEnd), node: id))
        if cutEnd == range.end {
          left.remove(at: index)
        } else {
          left[index] = NodeRange(PhysicalRange(start: cutEnd, end: range.end), node: node)
        }
      }
    }
  }

  private func endOfNode(_ range: PhysicalRange, _ cut: Cut, _ number: UInt64) -> PhysicalAddress {
    let size: UInt64
    var end: PhysicalAddress
    switch cut {
    case .memory(let wanted, let larger):
      size = wanted
      end = range.start + ByteCount(size + (number < larger ? NodeEmulator.step : 0))
      while memorySize(range.start, end) < size {
        guard end + ByteCount(NodeEmulator.step) <= range.end else {
          end = range.end
          break
        }
        end += ByteCount(NodeEmulator.step)
      }
    case .bytes(let wanted):
      size = wanted
      end = range.start + ByteCount(size)
    }
    if end < NodeEmulator.dma32End, memorySize(end, NodeEmulator.dma32End) < NodeEmulator.step { end = NodeEmulator.dma32End }
    if case .memory = cut, end < range.end, memorySize(end, range.end) < size { end = range.end }
    return min(end, range.end)
  }

  private func nodesLeft() -> [NodeID] {
    var nodes: [NodeID] = []
    for range in left where !nodes.contains(range.node) { nodes.append(range.node) }
    return nodes.sorted()
  }

  private func roundedUp(_ bytes: UInt64) -> UInt64 { (bytes + NodeEmulator.step - 1) / NodeEmulator.step * NodeEmulator.step }

  private func memorySize(_ start: PhysicalAddress, _ end: PhysicalAddress) -> UInt64 {
    guard start < end else { return 0 }
    return memory.memoryMap.intervals(in: PhysicalRange(start: start, end: end)).reduce(0) { $0 + $1.range.count.rawValue }
  }
}
