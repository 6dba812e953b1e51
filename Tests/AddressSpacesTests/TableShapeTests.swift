import FrameMap
import HostArena
import Megalith
import MemoryUnits
import PhysicalLayout
import Testing

@testable import AddressSpaces

/// Shapes of page tables, written down by hand, and what is mapped in them at odd places.
@Suite struct TableShapeTests {
  struct Shape: Sendable, CustomTestStringConvertible {
    let architecture: Architecture
    /// log2 of what an entry of each level spans, lowest first, and of all addresses.
    let shifts: [UInt8]
    let end: UInt8
    /// Orders of tables, lowest level first.
    let tables: [UInt8]
    /// `size level entries order`.
    let leaves: [String]
    var testDescription: String { architecture.name }
  }

  static let shapes = [
    Shape(
      architecture: .x86_64, shifts: [12, 21, 30, 39], end: 48, tables: [0, 0, 0, 0],
      leaves: ["4K 0 1 0", "2M 1 1 9", "1G 2 1 18"]),
    Shape(architecture: .i386PAE, shifts: [12, 21, 30], end: 32, tables: [0, 0, 0], leaves: ["4K 0 1 0", "2M 1 1 9"]),
    Shape(
      architecture: .arm64Granule4K, shifts: [12, 21, 30, 39], end: 48, tables: [0, 0, 0, 0],
      leaves: ["4K 0 1 0", "64K 0 16 4", "2M 1 1 9", "32M 1 16 13", "1G 2 1 18"]),
    Shape(
      architecture: .arm64Granule16K, shifts: [14, 25, 36, 47], end: 48, tables: [0, 0, 0, 0],
      leaves: ["16K 0 1 0", "2M 0 128 7", "32M 1 1 11", "1G 1 32 16"]),
    Shape(
      architecture: .arm64Granule64K, shifts: [16, 29, 42], end: 52, tables: [0, 0, 0],
      leaves: ["64K 0 1 0", "2M 0 32 5", "512M 1 1 13", "16G 1 32 18"]),
    Shape(
      architecture: .ppc64Granule64K, shifts: [16, 24, 34, 44], end: 52, tables: [0, 0, 0, 0],
      leaves: ["64K 0 1 0", "16M 1 1 8", "16G 2 1 18"]),
    Shape(
      architecture: .s390x, shifts: [12, 20, 31, 42], end: 53, tables: [0, 2, 2, 2],
      leaves: ["4K 0 1 0", "1M 1 1 8", "2G 2 1 19"]),
    Shape(
      architecture: .riscv64, shifts: [12, 21, 30, 39], end: 48, tables: [0, 0, 0, 0],
      leaves: ["4K 0 1 0", "64K 0 16 4", "2M 1 1 9", "1G 2 1 18"]),
  ]

  @Test func everyPresetIsWrittenDown() {
    #expect(Set(Self.shapes.map { $0.architecture.name }) == Set(Architecture.allPresets.map { $0.name }))
  }

  @Test(arguments: shapes) func shapesAreAsTheArchitectureHasThem(_ wanted: Shape) {
    let shape = TableShape(wanted.architecture)
    let levels = wanted.shifts.indices.map { TableLevel(UInt8($0)) }
    #expect(shape.levels == TableLevel(UInt8(wanted.shifts.count)))
    #expect(levels.map { shape.shift($0).rawValue } == wanted.shifts)
    #expect(shape.end == VirtualAddress(1 << UInt64(wanted.end)))
    #expect(levels.map { shape.tableOrder($0).rawValue } == wanted.tables)
    #expect(shape.leaves.map { "\($0.size) \($0.level) \($0.entries) \($0.order.rawValue)" } == wanted.leaves)
    for (level, next) in zip(levels, wanted.shifts.dropFirst() + [wanted.end]) {
      #expect(shape.span(level) * shape.entries(level).rawValue == ByteCount(1 << UInt64(next)))
      #expect(ByteCount(shape.frames(level), shape.baseShift) == shape.span(level))
    }
    #expect(shape.leaf(PageSize(shift: PageShift(40))) == nil)
  }

  @Test func oneMoreLevelMakesMoreAddresses() {
    let shape = TableShape(.x86_64, extraLevel: 9)
    #expect(shape.levels == TableLevel(5) && shape.end == VirtualAddress(1 << 57))
    #expect(shape.leaves == TableShape(.x86_64).leaves)
  }

  @Test(arguments: HugeCase.everySize) func pagesAreFoundAtOddPlaces(_ at: HugeCase) throws {
    let stage = Stage(try at.world(), at.size)
    let world = stage.world
    world.grow(at.size, to: 2)
    let space = try world.space()
    let shape = world.machine.memory.shape
    for size in [PageSize(shift: shape.baseShift), at.size] {
      let leaf = try #require(shape.leaf(size))
      let level = leaf.level
      // The first page there is, the last two, and two on both sides of a table's border, on every level above.
      var starts = [size.bytes.rawValue, shape.end.rawValue - 2 * size.bytes.rawValue]
      for upper in (level.rawValue + 1)..<shape.levels.rawValue {
        starts.append(shape.span(TableLevel(upper)).rawValue - size.bytes.rawValue)
      }
      for start in starts where start > 0 {
        let range = try world.map(.anonymous(size), size.bytes * 2, in: space) {
          $0.place = .at(VirtualAddress(start))
          $0.populates = true
        }
        try world.checkStep()
        for page in [range.start, range.start + size.bytes] { expect(page, leaf, in: space, stage) }
        var bytes = ByteCount.zero
        world.machine.memory.walk.forEachLeaf(space.root, in: range, unit: size.bytes) { place, _ in
          #expect(place.address == range.start + bytes)
          bytes += size.bytes
        }
        #expect(bytes == range.count)
        try world.unmap(VirtualRange(start: range.start, count: size.bytes), in: space)
        #expect(stage.frame(at: range.start, in: space) == nil)
        expect(range.start + size.bytes, leaf, in: space, stage)
        try world.unmap(range, in: space)
        #expect(world.machine.memory.tableFrames(of: space) == shape.tableOrder(shape.levels.below).frames)
        try world.checkStep()
      }
    }
    world.end(space)
    try world.finish()
  }

  /// The run of entries of a page leads to frames one after the other, and counts as so many entries of its table.
  private func expect(
    _ page: VirtualAddress, _ leaf: TableShape.Leaf, in space: AddressSpace, _ stage: Stage<HostStorage>,
    sourceLocation: SourceLocation = #_sourceLocation
  ) {
    let walk = stage.world.machine.memory.walk
    let (first, entry) = walk.find(space.root, page, downTo: TableLevel(0))
    #expect(first.level == leaf.level && entry.isLeaf, sourceLocation: sourceLocation)
    #expect(entry.frame.isAligned(to: leaf.order.frames), sourceLocation: sourceLocation)
    #expect(walk.used(first.table) >= leaf.entries, sourceLocation: sourceLocation)
    let frames = leaf.order.frames.rawValue
    for offset in Set([0, 1, frames / 2, frames / 3, frames - 1]) where offset < frames {
      let address = page + stage.world.base * offset
      #expect(stage.frame(at: address, in: space) == entry.frame + FrameCount(offset), sourceLocation: sourceLocation)
    }
    for number in 0..<leaf.entries.rawValue {
      let place = EntryPlace(
        table: first.table, index: first.index + EntryCount(number), level: leaf.level, address: page)
      let marks = walk.load(place).marks
      #expect(marks.contains(.inRun) == (leaf.entries > EntryCount(1)), sourceLocation: sourceLocation)
    }
  }
}
