import MemoryUnits

/// The memory of a made-up machine, with the firmware map that such a machine would have.
///
/// Memory fills addresses from 0 up to the device hole and goes on at 4 GiB. On x86 640 KiB to 1 MiB belong to the legacy
/// devices, and what is below them ends at `0x9fc00`. Nodes lie one after the other.
public struct PhysicalMemory: Hashable, Sendable {
  /// Why there can be no such machine.
  public enum Problem: Error, Hashable, Sendable {
    /// Less than 2 MiB, or so much that it ends above what the architecture can address.
    case sizeOutOfRange(ByteCount)
    /// The device hole must start above 1 MiB, at or below 4 GiB, on a whole megabyte.
    case deviceHoleOutOfRange(PhysicalAddress)
    /// The nodes' sizes must add up to the machine's; each must be a whole number of frames and not zero.
    case nodesDoNotAddUp(total: ByteCount, nodes: [ByteCount])
  }

  public let architecture: Architecture
  public let firmwareMap: FirmwareMap
  /// Nil for a machine without a table of nodes.
  public let topology: NUMATopology?

  /// - Parameters:
  ///   - total: counted as machine makers do: the legacy hole is part of it, the device hole is not.
  ///   - nodes: sizes that add up to `total`; none for a machine without a table of nodes.
  ///   - deviceHole: where memory below 4 GiB ends; up to there when there is that much.
  public init(
    total: ByteCount, nodes: [ByteCount] = [], deviceHole: PhysicalAddress = PhysicalAddress(3 << 30),
    architecture: Architecture = .x86_64
  ) throws(Problem) {
    let fourGibibytes = PhysicalAddress(4 << 30)
    guard deviceHole >= PhysicalAddress(2 << 20), deviceHole <= fourGibibytes, deviceHole.isAligned(to: .mebibytes(1)) else {
      throw .deviceHoleOutOfRange(deviceHole)
    }
    let limit = architecture.addressLimit - fourGibibytes
    guard total >= .mebibytes(2), total <= limit, total.rawValue % architecture.baseShift.bytes.rawValue == 0 else {
      throw .sizeOutOfRange(total)
    }
    let places = [
      PhysicalRange(start: .zero, end: min(deviceHole, PhysicalAddress(total.rawValue))),
      PhysicalRange(start: fourGibibytes, count: total.saturatingSubtracting(deviceHole - .zero)),
    ]
    self.architecture = architecture
    firmwareMap = PhysicalMemory.map(of: places, architecture)
    topology = nodes.isEmpty ? nil : try PhysicalMemory.topology(of: nodes, total, places, architecture)
  }

  /// What a kernel is told when it starts on the machine.
  public func boot(commandLine: KernelCommandLine = KernelCommandLine(), isVirtual: Bool = true) -> BootDescription {
    BootDescription(
      architecture: architecture, firmwareMap: firmwareMap, topology: topology, commandLine: commandLine,
      isVirtual: isVirtual)
  }

  private static func map(of places: [PhysicalRange], _ architecture: Architecture) -> FirmwareMap {
    var map = FirmwareMap(places.map { FirmwareMap.Entry($0, .usable) })
    guard architecture.hasLegacyBIOSArea else { return map }
    map.set(.reserved, over: PhysicalRange(start: PhysicalAddress(0x9_fc00), end: PhysicalAddress(0xa_0000)))
    map.set(nil, over: PhysicalRange(start: PhysicalAddress(0xa_0000), end: PhysicalAddress(0xf_0000)))
    map.set(.reserved, over: PhysicalRange(start: PhysicalAddress(0xf_0000), end: PhysicalAddress(0x10_0000)))
    return map
  }

  /// Nodes take their bytes from the places in order.
  private static func topology(
    of nodes: [ByteCount], _ total: ByteCount, _ places: [PhysicalRange], _ architecture: Architecture
  ) throws(Problem) -> NUMATopology {
    var sum = ByteCount.zero
    for node in nodes {
      let isWhole = node > .zero && node.rawValue % architecture.baseShift.bytes.rawValue == 0
      guard isWhole, node <= total - sum else { throw .nodesDoNotAddUp(total: total, nodes: nodes) }
      sum += node
    }
    guard sum == total else { throw .nodesDoNotAddUp(total: total, nodes: nodes) }
    var ranges: [NodeRange] = []
    var node = 0
    var left = nodes[0]
    for var place in places {
      while !place.isEmpty {
        let part = PhysicalRange(start: place.start, count: min(left, place.count))
        ranges.append(NodeRange(part, node: NodeID(UInt32(truncatingIfNeeded: node))))
        place = PhysicalRange(start: part.end, end: place.end)
        left -= part.count
        if left == .zero, node + 1 < nodes.count {
          node += 1
          left = nodes[node]
        }
      }
    }
    return NUMATopology(ranges)
  }
}
