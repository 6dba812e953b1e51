import MemoryUnits
import PhysicalLayout
import TestSupport
import Testing

private let mib: UInt64 = 1 << 20

/// Node, zone, first frame, end: enough to see how memory was divided.
private struct Part: Equatable, CustomStringConvertible {
  let node: UInt32
  let kind: ZoneKind
  let start: UInt64
  let end: UInt64

  init(_ node: UInt32, _ kind: ZoneKind, _ start: UInt64, _ end: UInt64) {
    self.node = node
    self.kind = kind
    self.start = start
    self.end = end
  }

  init(_ zone: ZoneLayout) {
    self.init(zone.node.rawValue, zone.kind, zone.span.start.rawValue, zone.span.end.rawValue)
  }

  var description: String { "\(node) \(kind) \(start)-\(end)" }
}

private func layout(_ gibibytes: UInt64, nodes: [ByteCount] = [], _ line: String = "") throws -> BootLayout {
  let machine = try PhysicalMemory(total: .gibibytes(gibibytes), nodes: nodes)
  return try BootLayout(of: machine.boot(commandLine: KernelCommandLine(parsing: Array(line.utf8))))
}

private func parts(_ gibibytes: UInt64, nodes: [ByteCount] = [], _ line: String) throws -> [Part] {
  try layout(gibibytes, nodes: nodes, line).zones.map { Part($0) }
}

/// The ranges of nodes in MiB that emulation gives.
private func nodes(_ gibibytes: UInt64, nodes: [ByteCount] = [], _ line: String) throws -> [[UInt64]] {
  try layout(gibibytes, nodes: nodes, line).nodes.map { node in
    [UInt64(node.node.rawValue), (node.span.start.rawValue + 255) / 256, node.span.end.rawValue / 256]
  }
}

@Suite struct BootLayoutTests {
  // 4 GiB: frames 1-0x9e, 0x100-0xbffff, 0x100000-0x13ffff: 158 + 786,176 + 262,144 = 1,048,478 frames.
  private let low = [Part(0, .dma, 1, 4096), Part(0, .dma32, 4096, 0x100000)]

  @Test func synthesizedMachineIsTheRecordedOne() throws {
    let plain = try layout(4)
    #expect(plain.present == FrameCount(1_048_478))
    #expect(plain.zones.map(\.present) == [FrameCount(3998), FrameCount(782_336), FrameCount(262_144)])
    #expect(
      plain.holes == [
        FrameRange(start: FrameNumber(0), end: FrameNumber(1)), FrameRange(start: FrameNumber(0x9f), end: FrameNumber(0x100)),
        FrameRange(start: FrameNumber(0xc0000), end: FrameNumber(0x100000)),
      ])
    #expect(
      plain.sections == [
        SectionRange(start: SectionNumber(0), end: SectionNumber(24)),
        SectionRange(start: SectionNumber(32), end: SectionNumber(40)),
      ])
  }

  @Test(arguments: ["kernelcore=100%", "kernelcore=0", "kernelcore=8G", "movablecore=0", "kernelcore=mirror", "movable_node"])
  func noMovableZone(line: String) throws {
    #expect(try parts(4, line) == low + [Part(0, .normal, 0x100000, 0x140000)])
  }

  @Test(arguments: ["kernelcore=25%", "kernelcore=1G", "movablecore=3G", "kernelcore=1G movablecore=4096G"])
  func allOfTheHighestZoneIsMovable(line: String) throws {
    #expect(try parts(4, line) == low + [Part(0, .movable, 0x100000, 0x140000)])
  }

  @Test func partOfTheHighestZoneIsMovable() throws {
    // 896,000 frames wanted, 786,334 of them below: 109,666 into the highest zone, up to the next 1024.
    #expect(
      try parts(4, "kernelcore=3500M") == low + [Part(0, .normal, 0x100000, 1_159_168), Part(0, .movable, 1_159_168, 0x140000)])
    #expect(
      try parts(4, "movablecore=512M") == low + [Part(0, .normal, 0x100000, 1_179_648), Part(0, .movable, 1_179_648, 0x140000)])
    // The larger share of the kernel holds: what both keys leave it.
    #expect(try parts(4, "movablecore=512M kernelcore=1G") == parts(4, "movablecore=512M"))
    #expect(try parts(4, "movablecore=512M kernelcore=3500M") == parts(4, "movablecore=512M"))
  }

  @Test func withoutMemoryAbove4GiBTheZoneBelowIsDivided() throws {
    // 262,144 frames wanted, 3,998 of them in DMA: 258,146 after frame 4096, up to the next 1024.
    #expect(
      try parts(2, "kernelcore=1G") == [
        Part(0, .dma, 1, 4096), Part(0, .dma32, 4096, 263_168), Part(0, .movable, 263_168, 524_288),
      ])
  }

  @Test func limitIsAnAddressOnX86AndAnAmountElsewhere() throws {
    let high = FirmwareMap([FirmwareMap.Entry(range(1 << 30, 5 << 30), .usable)])
    let line = KernelCommandLine(parsing: Array("mem=2G".utf8))
    let x86 = try BootLayout(of: BootDescription(architecture: .x86_64, firmwareMap: high, commandLine: line))
    #expect(x86.memory == [FrameRange(start: FrameNumber(0x40000), end: FrameNumber(0x80000))])
    let arm = try BootLayout(of: BootDescription(architecture: .arm64Granule4K, firmwareMap: high, commandLine: line))
    #expect(arm.memory == [FrameRange(start: FrameNumber(0x40000), end: FrameNumber(0xc0000))])
  }

  @Test func toldBlockSizeCountsIfItMakesSense() throws {
    var boot = try PhysicalMemory(total: .gibibytes(6)).boot()
    boot.memoryBlockSize = .gibibytes(1)
    #expect(try BootLayout(of: boot).memoryBlockSize == .gibibytes(1))
    #expect(
      try BootLayout(of: boot).memoryBlocks == [
        MemoryBlockRange(start: MemoryBlockNumber(0), end: MemoryBlockNumber(3)),
        MemoryBlockRange(start: MemoryBlockNumber(4), end: MemoryBlockNumber(7)),
      ])
    boot.memoryBlockSize = .mebibytes(64)
    #expect(try BootLayout(of: boot).memoryBlockSize == .mebibytes(128))
  }

  @Test func kernelShareIsSpreadOverNodes() throws {
    // Node 0 has 786,334 frames below 4 GiB, more than its half of 1,048,576; the 262,242 left over are halved again:
    // 131,121 for node 1, the rest of 131,121 for node 0's high memory.
    #expect(
      try parts(16, nodes: [.gibibytes(8), .gibibytes(8)], "kernelcore=4G") == low + [
        Part(0, .normal, 0x100000, 1_180_672), Part(0, .movable, 1_180_672, 0x240000),
        Part(1, .normal, 0x240000, 2_491_392), Part(1, .movable, 2_491_392, 0x440000),
      ])
  }

  @Test func hotpluggableNodesAreMovable() throws {
    var boot = try PhysicalMemory(total: .gibibytes(6), nodes: [.gibibytes(4), .gibibytes(2)])
      .boot(commandLine: KernelCommandLine(parsing: Array("movable_node".utf8)))
    boot.topology = NUMATopology(
      (boot.topology?.ranges ?? []).map { NodeRange($0.range, node: $0.node, isHotpluggable: true) })
    // Node 0 holds the first megabyte and keeps its memory.
    let movable = low + [Part(0, .normal, 0x100000, 0x140000), Part(1, .movable, 0x140000, 0x1c0000)]
    #expect(try BootLayout(of: boot).zones.map { Part($0) } == movable)
    boot.loaded = [range(0x1_4000_0000, 0x1_4000_1000)]
    let fixed = low + [Part(0, .normal, 0x100000, 0x140000), Part(1, .normal, 0x140000, 0x1c0000)]
    #expect(try BootLayout(of: boot).zones.map { Part($0) } == fixed)
  }

  @Test func emulatedNodes() throws {
    let two: [ByteCount] = [.mebibytes(2304), .mebibytes(1792)]
    // 1,048,478 frames in two halves of 2016 MiB, the first one step longer; the second crosses the device hole.
    #expect(try nodes(4, "numa=fake=2") == [[0, 1, 2048], [1, 2048, 5120]])
    // Each measured without holes: 98 frames are missing in the first, a gibibyte in the last.
    #expect(try nodes(4, "numa=fake=1G") == [[0, 1, 1056], [1, 1056, 2080], [2, 2080, 5120]])
    // Two parts of each node by address; the third would leave nothing below 4 GiB.
    #expect(
      try nodes(4, nodes: two, "numa=fake=2U") == [[0, 1, 1152], [1, 1152, 2304], [2, 2304, 3072], [3, 4096, 5120]])
    // In turn over two nodes; rests too small for a node of 992 MiB stay with the one before.
    #expect(try nodes(4, nodes: two, "numa=fake=4") == [[0, 1, 1024], [1, 2304, 5120], [2, 1024, 2304]])
    #expect(try nodes(4, nodes: two, "numa=fake=0") == [[0, 1, 2304], [1, 2304, 5120]])
    #expect(try nodes(4, nodes: two, "numa=fake=16000000000G") == [[0, 1, 2304], [1, 2304, 5120]])
    #expect(try nodes(4, nodes: two, "numa=off") == [[0, 1, 5120]])
    #expect(try nodes(4, "numa=fake=999999999999") == nodes(4, ""))
  }

  @Test func topologyThatMakesNoSenseIsIgnored() throws {
    var boot = try PhysicalMemory(total: .gibibytes(4)).boot()
    let whole = range(0, 8 << 30)
    boot.topology = NUMATopology([NodeRange(whole, node: NodeID(0)), NodeRange(range(1 << 30, 2 << 30), node: NodeID(1))])
    #expect(try BootLayout(of: boot).nodes.map(\.node) == [NodeID(0)])
    boot.topology = NUMATopology([NodeRange(range(0, 1 << 30), node: NodeID(3))])
    #expect(try BootLayout(of: boot).nodes.map(\.node) == [NodeID(0)])
    boot.topology = NUMATopology([NodeRange(whole, node: NodeID(3))])
    #expect(try BootLayout(of: boot).nodes.map(\.node) == [NodeID(3)])
  }

  @Test func sizeOfMemoryBlocks() {
    func size(_ mebibytes: UInt64, _ isVirtual: Bool) -> ByteCount {
      Architecture.x86_64.memoryBlockSize(endOfMemory: PhysicalAddress(mebibytes * mib), isVirtual: isVirtual)
    }
    #expect(size(64 * 1024 - 1, false) == .mebibytes(128))
    #expect(size(64 * 1024, false) == .gibibytes(2))
    #expect(size(64 * 1024, true) == .gibibytes(2))
    #expect(size(65 * 1024, true) == .gibibytes(1))
    #expect(size(65 * 1024 + 256, true) == .mebibytes(256))
    #expect(size(65 * 1024 + 64, true) == .mebibytes(128))
    #expect(size(65 * 1024 + 64, false) == .gibibytes(2))
  }

  @Test func noMemoryIsAnError() {
    #expect(throws: BootLayoutError.noMemory) {
      try BootLayout(of: BootDescription(architecture: .x86_64, firmwareMap: FirmwareMap()))
    }
    #expect(throws: BootLayoutError.noMemory) { try layout(4, "memmap=exactmap memmap=4K@0") }
  }

  @Test(arguments: Architecture.allPresets) func everyPresetLaysOut(architecture: Architecture) throws {
    let machine = try PhysicalMemory(
      total: .gibibytes(8), nodes: [.gibibytes(5), .gibibytes(3)], architecture: architecture)
    let layout = try BootLayout(of: machine.boot())
    #expect(layout.present == layout.zones.reduce(.zero) { $0 + $1.present })
    #expect(layout.memoryBlockSize == architecture.smallestMemoryBlock)
    for size in architecture.hugeSizes { #expect(size.order(baseShift: architecture.baseShift) > Order(0)) }
    #expect(architecture.pageblockOrder <= architecture.maxOrder)
    #expect(Architecture.named(architecture.name) == architecture)
    #expect(architecture.sectionSize.rawValue % architecture.baseShift.bytes.rawValue == 0)
  }

  @Test func presetsSayWhatIsGigantic() {
    #expect(Architecture.x86_64.hugeSizes.map { Architecture.x86_64.isGigantic($0) } == [false, true])
    #expect(Architecture.arm64Granule64K.hugeSizes.map { Architecture.arm64Granule64K.isGigantic($0) } == [false, false, true])
    #expect(Architecture.ppc64Granule64K.hugeSizes.map { Architecture.ppc64Granule64K.isGigantic($0) } == [false, true])
    #expect(Architecture.named("ARM64") == .arm64Granule4K)
    #expect(Architecture.named("vax") == nil)
  }

  @Test func hugeMachinesAreCheap() throws {
    let machine = try PhysicalMemory(total: .gibibytes(60 << 10))
    let layout = try BootLayout(of: machine.boot(isVirtual: false))
    #expect(layout.memoryBlockSize == .gibibytes(2))
    #expect(layout.present == FrameCount(15 << 30) - FrameCount(98))
  }
}

@Suite struct SyntheticTests {
  @Test func memoryIsSplitAroundTheDeviceHole() throws {
    let machine = try PhysicalMemory(total: .gibibytes(6), nodes: [.gibibytes(4), .gibibytes(2)])
    #expect(
      machine.firmwareMap.entries.map(\.description) == [
        "[0x0, 0x9fc00) usable", "[0x9fc00, 0xa0000) reserved", "[0xf0000, 0x100000) reserved",
        "[0x100000, 0xc0000000) usable", "[0x100000000, 0x1c0000000) usable",
      ])
    #expect(
      machine.topology?.ranges == [
        NodeRange(range(0, 3 << 30), node: NodeID(0)), NodeRange(range(4 << 30, 5 << 30), node: NodeID(0)),
        NodeRange(range(5 << 30, 7 << 30), node: NodeID(1)),
      ])
    let small = try PhysicalMemory(total: .mebibytes(512), deviceHole: PhysicalAddress(2 << 30))
    #expect(small.firmwareMap.endOfMemory == PhysicalAddress(512 << 20))
  }

  @Test func impossibleMachines() {
    let sizes = [ByteCount.gibibytes(4), .gibibytes(1)]
    #expect(throws: PhysicalMemory.Problem.nodesDoNotAddUp(total: .gibibytes(6), nodes: sizes)) {
      try PhysicalMemory(total: .gibibytes(6), nodes: sizes)
    }
    #expect(throws: PhysicalMemory.Problem.sizeOutOfRange(ByteCount(1 << 46))) { try PhysicalMemory(total: ByteCount(1 << 46)) }
    #expect(throws: PhysicalMemory.Problem.sizeOutOfRange(.zero)) { try PhysicalMemory(total: .zero) }
    #expect(throws: PhysicalMemory.Problem.deviceHoleOutOfRange(PhysicalAddress(5 << 30))) {
      try PhysicalMemory(total: .gibibytes(6), deviceHole: PhysicalAddress(5 << 30))
    }
  }

  @Test(arguments: UInt64(1)...20) func holesAreWhereTheyMayBe(seed: UInt64) throws {
    let map = try PhysicalMemory(total: .gibibytes(6)).firmwareMap
    let holes = try map.holes(count: HoleCount(50), size: .mebibytes(3), aligned: .mebibytes(2), seed: seed)
    #expect(try holes == map.holes(count: HoleCount(50), size: .mebibytes(3), aligned: .mebibytes(2), seed: seed))
    #expect(try holes != map.holes(count: HoleCount(50), size: .mebibytes(3), aligned: .mebibytes(2), seed: seed + 1))
    for (index, hole) in holes.enumerated() {
      #expect(hole.count == .mebibytes(3) && hole.start.isAligned(to: .mebibytes(2)), "seed \(seed)")
      #expect(!holes[..<index].contains { $0.overlaps(hole) }, "seed \(seed)")
      #expect(map.entries.contains { $0.kind == .usable && $0.range.contains(hole) }, "seed \(seed)")
    }
    let lost = ByteCount.mebibytes(150)
    for kind in [HoleKind.reserved, .absent] {
      let punched = map.punching(holes, as: kind)
      #expect(punched.size(of: .usable) + lost == map.size(of: .usable))
      #expect(punched.kind(at: holes[0].start) == (kind == .reserved ? .reserved : nil))
    }
  }

  @Test func holesThatDoNotFit() {
    let map = FirmwareMap([FirmwareMap.Entry(range(mib, 5 * mib), .usable)])
    #expect(throws: HoleError.noRoom(placed: HoleCount(4))) {
      try map.holes(count: HoleCount(9), size: .mebibytes(1), aligned: .mebibytes(1), seed: 7)
    }
    #expect(throws: HoleError.invalidShape(size: .zero, alignment: .mebibytes(1))) {
      try map.holes(count: HoleCount(1), size: .zero, aligned: .mebibytes(1), seed: 7)
    }
  }
}
