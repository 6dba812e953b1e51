import MemoryUnits

/// What a kernel is told about physical memory when it starts.
public struct BootDescription: Hashable, Sendable {
  public var architecture: Architecture
  /// As the firmware has it, before the command line.
  public var firmwareMap: FirmwareMap
  /// Nil where the firmware has no table of nodes.
  public var topology: NUMATopology?
  public var commandLine: KernelCommandLine
  /// Whether the kernel runs on a hypervisor, which decides the size of memory blocks.
  public var isVirtual: Bool
  /// Where the kernel and its initial file system lie. Their nodes cannot be given up, so they are never wholly
  /// movable. The node of the first megabyte always counts as one of them.
  public var loaded: [PhysicalRange]
  /// Changes of the map that the kernel makes on its own, after the command line's.
  public var corrections: [MapDirective]
  /// The size of a memory block, where it is known; nil has it computed. It counts if it is a power of two of at least a
  /// section.
  public var memoryBlockSize: ByteCount?

  public init(
    architecture: Architecture, firmwareMap: FirmwareMap, topology: NUMATopology? = nil,
    commandLine: KernelCommandLine = KernelCommandLine(), isVirtual: Bool = true, loaded: [PhysicalRange] = [],
    corrections: [MapDirective] = [], memoryBlockSize: ByteCount? = nil
  ) {
    self.architecture = architecture
    self.firmwareMap = firmwareMap
    self.topology = topology
    self.commandLine = commandLine
    self.isVirtual = isVirtual
    self.loaded = loaded
    self.corrections = corrections
    self.memoryBlockSize = memoryBlockSize
  }

  /// The boot that a log tells of.
  public init(_ log: BootLog, architecture: Architecture = .x86_64) {
    self.init(
      architecture: architecture, firmwareMap: log.firmwareMap, topology: log.topology, commandLine: log.commandLine,
      isVirtual: log.hypervisor != nil, loaded: log.initialFileSystem.map { [$0] } ?? [], corrections: log.corrections,
      memoryBlockSize: log.memoryBlockSize)
  }
}

/// Why there is no layout.
public enum BootLayoutError: Error, Hashable, Sendable {
  /// Not one whole frame of memory is left.
  case noMemory
  /// The frame was named as memory twice.
  case overlappingMemory(FrameNumber)
}

/// A zone of a node.
///
/// Linux: `struct zone`.
public struct ZoneLayout: Hashable, Sendable {
  public let node: NodeID
  public let kind: ZoneKind
  /// From its first frame to its end, holes included. Linux: `zone_start_pfn`, `spanned_pages`.
  public let span: FrameRange
  /// Frames of memory. Linux: `present_pages`.
  public let present: FrameCount

  public init(node: NodeID, kind: ZoneKind, span: FrameRange, present: FrameCount) {
    self.node = node
    self.kind = kind
    self.span = span
    self.present = present
  }
}

/// A node that has memory.
///
/// Linux: `struct pglist_data`.
public struct NodeLayout: Hashable, Sendable {
  public let node: NodeID
  /// From its first frame of memory to the end of its last.
  public let span: FrameRange
  /// Its memory, lowest first.
  public let memory: [FrameRange]
  /// Zones that span frames, lowest first.
  public let zones: [ZoneLayout]

  /// - Parameters:
  ///   - memory: not empty, lowest first, apart from each other.
  ///   - zones: lowest first.
  public init(node: NodeID, memory: [FrameRange], zones: [ZoneLayout]) {
    precondition(!memory.isEmpty, "a node without memory has no span")
    self.node = node
    span = FrameRange(start: memory[0].start, end: memory[memory.count - 1].end)
    self.memory = memory
    self.zones = zones
  }

  /// Frames of memory. Linux: `node_present_pages`.
  public var present: FrameCount { memory.reduce(.zero) { $0 + $1.count } }
}

/// Nodes, zones, sections and memory blocks as a kernel makes them from a boot description.
///
/// Linux: `setup_arch`, `free_area_init`.
public struct BootLayout: Hashable, Sendable {
  public let architecture: Architecture
  /// The firmware's map after the command line and the kernel's own corrections.
  public let firmwareMap: FirmwareMap
  /// Memory by node; reservations are those of the boot description.
  public let regions: RegionSet
  /// Nodes with memory, by number.
  public let nodes: [NodeLayout]
  /// Frames that are no memory, from frame 0 to the last frame of memory.
  public let holes: [FrameRange]
  /// Sections that hold memory.
  public let sections: [SectionRange]
  /// The unit of online and offline.
  public let memoryBlockSize: ByteCount
  /// Memory blocks with at least one section that holds memory.
  public let memoryBlocks: [MemoryBlockRange]

  /// The zones of all nodes, node by node.
  public var zones: [ZoneLayout] { nodes.flatMap { $0.zones } }

  /// All memory, lowest first; ranges of different nodes are apart.
  public var memory: [FrameRange] { regions.frames(architecture.baseShift) }

  /// Frames of memory.
  public var present: FrameCount { nodes.reduce(.zero) { $0 + $1.present } }

  /// Lays memory out.
  ///
  /// - Complexity: O(n^2) for n ranges of memory, whatever their size.
  public init(of boot: BootDescription) throws(BootLayoutError) {
    let architecture = boot.architecture
    let map = BootLayout.effectiveMap(boot)
    var regions = BootLayout.memory(map, boot)
    guard let span = regions.span else { throw .noMemory }

    let topology = boot.effectiveTopology(regions, end: span.end)
    for block in topology.ranges { regions.setNode(block.node, over: block.range) }
    for block in boot.topology?.ranges ?? [] where block.isHotpluggable { regions.setKind(.hotpluggable, over: block.range) }
    for range in boot.loaded { regions.reserve(range) }
    regions.keepKernelNodes(architecture)

    let plan = ZonePlan(regions, architecture, boot.commandLine)
    let nodes = plan.nodes()
    guard !nodes.isEmpty else { throw .noMemory }

    let blockSize = boot.blockSize(endOfMemory: span.end)
    let frames = regions.frames(architecture.baseShift)
    self.architecture = architecture
    firmwareMap = map
    self.regions = regions
    self.nodes = nodes
    holes = BootLayout.holes(between: frames)
    sections = BootLayout.units(of: architecture.sectionFrames, touchedBy: frames)
    memoryBlockSize = blockSize
    memoryBlocks = BootLayout.blocks(
      of: SectionCount(max(1, blockSize / architecture.sectionSize)), holding: sections)
  }

  /// The map that memory is made from.
  private static func effectiveMap(_ boot: BootDescription) -> FirmwareMap {
    let directives = boot.commandLine.mapDirectives.filter { !boot.limitsAmount || $0.limit == nil }
    var map = boot.firmwareMap.applying(directives).applying(boot.corrections)
    guard boot.architecture.hasLegacyBIOSArea else { return map }
    map.replace(.usable, with: .reserved, over: PhysicalRange(start: .zero, count: .kibibytes(4)))
    map.replace(
      .usable, with: nil, over: PhysicalRange(start: PhysicalAddress(0xa_0000), end: PhysicalAddress(0x10_0000)))
    return map
  }

  /// Whole frames of what is usable.
  private static func memory(_ map: FirmwareMap, _ boot: BootDescription) -> RegionSet {
    let architecture = boot.architecture
    var regions = RegionSet()
    for entry in map.entries where entry.kind == .usable { regions.add(entry.range) }
    regions.cap(to: PhysicalRange(start: .zero, end: architecture.addressLimit))
    if boot.limitsAmount, let limit = boot.commandLine.mapDirectives.compactMap({ $0.limit }).last {
      regions.limit(to: limit - .zero)
    }
    regions.trim(to: architecture.baseShift.bytes)
    return regions
  }
}

extension BootDescription {
  /// `mem=` is an address on x86, whose memory starts at 0, and an amount of memory elsewhere.
  fileprivate var limitsAmount: Bool { !architecture.hasLegacyBIOSArea }

  fileprivate func blockSize(endOfMemory: PhysicalAddress) -> ByteCount {
    if let size = memoryBlockSize, size >= architecture.sectionSize, size.rawValue.nonzeroBitCount == 1 { return size }
    return architecture.memoryBlockSize(endOfMemory: endOfMemory, isVirtual: isVirtual)
  }
}

extension MapDirective {
  fileprivate var limit: PhysicalAddress? {
    guard case .limit(let limit) = self else { return nil }
    return limit
  }
}

extension RegionSet {
  /// Memory as frames, whether it belongs to a node or not.
  func frames(_ shift: PageShift) -> [FrameRange] { memory.map { FrameRange($0.range, shift, rounded: .down) } }

  /// Memory of a node that holds what the kernel cannot do without is no longer hot-pluggable.
  ///
  /// Linux: `numa_clear_kernel_node_hotplug`.
  fileprivate mutating func keepKernelNodes(_ architecture: Architecture) {
    var kept = architecture.hasLegacyBIOSArea ? [PhysicalRange(start: .zero, count: .mebibytes(1))] : []
    kept += reserved.map { $0.range }
    for range in kept {
      for interval in memoryMap.intervals(in: range) {
        for region in memory where region.node == interval.value.node && region.kind == .hotpluggable {
          setKind(.ordinary, over: region.range)
        }
      }
    }
  }
}
