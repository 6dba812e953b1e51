import MemoryUnits

extension BootLayout {
  /// The layout of a machine whose nodes and zones are known: of one that runs already. Holes, sections and memory blocks follow from
  /// the nodes' memory; the firmware's map is what they have.
  ///
  /// - Parameters:
  ///   - nodes: each with its memory and zones.
  ///   - memoryBlockSize: nil for the architecture's smallest.
  /// - Throws: `.noMemory`, `.overlappingMemory`.
  /// - Complexity: O(n^2) for n ranges of memory, whatever their size.
  public init(
    architecture: Architecture, nodes: [NodeLayout], memoryBlockSize: ByteCount? = nil
  ) throws(BootLayoutError) {
    var regions = RegionSet()
    for node in nodes {
      for range in node.memory where !range.isEmpty {
        let bytes = PhysicalRange(range, architecture.baseShift)
        if regions.hasMemory(in: bytes) { throw .overlappingMemory(range.start) }
        regions.add(bytes, node: node.node)
      }
    }
    let frames = regions.frames(architecture.baseShift)
    guard !frames.isEmpty else { throw .noMemory }
    var map = FirmwareMap()
    for region in regions.memory { map.set(.usable, over: region.range) }
    let sections = BootLayout.units(of: architecture.sectionFrames, touchedBy: frames)
    let blockSize = max(memoryBlockSize ?? architecture.smallestMemoryBlock, architecture.sectionSize)
    self.architecture = architecture
    firmwareMap = map
    self.regions = regions
    self.nodes = nodes.sorted { $0.node < $1.node }
    holes = BootLayout.holes(between: frames)
    self.sections = sections
    self.memoryBlockSize = blockSize
    memoryBlocks = BootLayout.blocks(of: SectionCount(blockSize / architecture.sectionSize), holding: sections)
  }
}
