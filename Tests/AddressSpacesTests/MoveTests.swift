import AddressSpaces
import FrameAllocator
import FrameMap
import HostArena
import HugePools
import Megalith
import MemoryUnits
import Mobility
import PhysicalLayout
import Testing

/// Pages that move to other frames while they are mapped.
@Suite struct MoveTests {
  @Test(arguments: MemoryModels.all) func everyoneFindsAPageThatMoved(_ at: HugeCase) throws {
    try HugeCase.runWithContents(
      """
      pool 5                  | 5 5 0 0
      file f 2                | 5 5 0 0
      file g 4 size:base      | 5 5 0 0
      space p                 | 5 5 0 0
      space q                 | 5 5 0 0
      p map a 2               | 5 5 2 0
      p share s 2 f 0         | 5 5 4 0
      q share t 2 f 0         | 5 5 4 0
      q private u 1 f 0       | 5 5 5 0
      p map b 3 size:base     | 5 5 5 0
      p share h 4 g 0         | 5 5 5 0
      q share i 2 g 2         | 5 5 5 0
      p put a 0 1             | 5 4 4 0
      p put s 0 2             | 5 3 3 0
      q see t 0 2             | 5 3 3 0
      q see u 0 2             | 5 3 3 0
      p put b 1 3             | 5 3 3 0
      p put h 2 4             | 5 3 3 0
      q see i 0 4             | 5 3 3 0
      fork p c                | 5 3 3 0
      p move a 0              | 5 3 3 0
      p move s 0              | 5 3 3 0
      p move b 1              | 5 3 3 0
      q move i 0              | 5 3 3 0
      p see a 0 1             | 5 3 3 0
      c see a 0 1             | 5 3 3 0
      q see t 0 2             | 5 3 3 0
      q see u 0 2             | 5 3 3 0
      c see b 1 3             | 5 3 3 0
      p see h 2 4             | 5 3 3 0
      q put t 0 5             | 5 3 3 0
      p see s 0 5             | 5 3 3 0
      q put u 0 6             | 5 2 2 0
      q move u 0              | 5 2 2 0
      q see u 0 6             | 5 2 2 0
      p see s 0 5             | 5 2 2 0
      pool 6                  | 6 3 2 0
      p pin l a 0 write       | 6 2 2 0
      p move a 0 !busy        | 6 2 2 0
      c move a 0              | 6 2 2 0
      c see a 0 1             | 6 2 2 0
      unpin l                 | 6 2 2 0
      truncate f 0            | 6 4 2 0
      p unmap a               | 6 5 1 0
      """, model: at.model)
  }

  @Test(arguments: HugeCase.everySize) func pagesOfEverySizeMove(_ at: HugeCase) throws {
    try at.run(
      """
      pool 3                  | 3 3 0 0
      space p                 | 3 3 0 0
      p map a 2               | 3 3 2 0
      p write a 0..2          | 3 1 0 0
      fork p c                | 3 1 0 0
      p move a 0              | 3 1 0 0
      c move a 1              | 3 1 0 0
      p write a 0             | 3 0 0 0
      p move a 0              | 3 0 0 0
      p unmap a               | 3 1 0 0
      end c                   | 3 3 0 0
      """)
  }

  @Test(arguments: MemoryModels.all) func aPageKeepsItsSubpoolWhenItMoves(_ at: HugeCase) throws {
    try at.run(
      """
      pool 4                  | 4 4 0 0 | nodes: 2 2
      subpool s 2 1 f 2       | 4 4 1 0
      space p                 | 4 4 1 0
      p share a 2 f 0 bind:1  | 4 4 2 0
      p write a 0..2          | 4 2 0 0 | nodes: 2 0
      p move a 0              | 4 2 0 0 | nodes: 2 0
      p private b 1 f 0 !notReserved.subpoolFull | 4 2 0 0
      truncate f 1            | 4 3 0 0 | nodes: 2 1
      truncate f 0            | 4 4 1 0
      """, nodes: 2)
  }

  /// Frames above 6G, below the machine's own descriptors: while they are held, what is movable lies below them, and page tables
  /// lie at 4G.
  private func top<Storage>(_ world: World<Storage>) throws -> (zone: ZoneIndex, range: FrameRange) {
    let start = FrameNumber(PhysicalAddress(6 << 30), PageShift(12), rounded: .down)
    let found = world.machine.zones.zone(of: start)
    let zone = try #require(found)
    let above = world.machine.boot.memmap.map { $0.start }.filter { $0 > start }.min()
    return (zone, FrameRange(start: start, end: try #require(above)))
  }

  /// A gigantic range is taken out from under base and huge pages that are mapped; free pages of the pool leave it too.
  @Test(arguments: MemoryModel.allCases) func aGiganticRangeIsTakenFromUnderMappings(model: MemoryModel) throws {
    let stage = Stage(try World(contents: .gibibytes(6), model: model) { $0.processors = CPUIndexLimit(1) }, .huge)
    let world = stage.world
    let top = try top(world)
    try world.machine.zones[top.zone].claim(top.range)
    try stage.run(
      """
      pool 12                  | 12 12 0 0
      space p                  | 12 12 0 0
      p map a 4                | 12 12 4 0
      p map b 600 size:base    | 12 12 4 0
      p write b 0..600         | 12 12 4 0
      p put a 0 1              | 12 11 3 0
      p put a 3 2              | 12 10 2 0
      p put b 0 3              | 12 10 2 0
      p put b 599 4            | 12 10 2 0
      fork p c                 | 12 10 2 0
      """)
    try world.machine.zones[top.zone].release(top.range)
    let start = try stage.place("b").range.start
    let old = try #require(stage.frame(at: start, in: try stage.space("p")))
    let block = FrameRange(blockAt: old.aligned(to: Order(18).frames, .down), order: Order(18))
    try world.machine.contiguousRange(block, owner: world.machine.memory.owner)
    for (name, pages) in [("a", [UInt64(0), 3]), ("b", [0, 599])] {
      let place = try stage.place(name)
      for page in pages {
        let new = try #require(stage.frame(at: place.range.start + place.page.bytes * page, in: try stage.space("c")))
        #expect(!block.contains(new))
      }
    }
    try stage.run(
      """
      p see a 0 1              | 12 10 2 0
      c see a 3 2              | 12 10 2 0
      p see b 0 3              | 12 10 2 0
      c see b 599 4            | 12 10 2 0
      c put b 599 5            | 12 10 2 0
      p see b 599 4            | 12 10 2 0
      p write a 1..3           | 12 8 0 0
      """)
    try world.machine.zones[top.zone].release(block)
    try stage.finish()
  }

  /// The same by way of a folio of the range that costs least.
  @Test(arguments: MemoryModel.allCases) func aGiganticBlockIsHadFromUnderMappings(model: MemoryModel) throws {
    let stage = Stage(try World(.x86_64, .gibibytes(6), model: model) { $0.processors = CPUIndexLimit(1) }, .huge)
    let world = stage.world
    let top = try top(world)
    // Only tables find room below 5G, and nothing above 6G.
    let low = FrameRange(start: FrameNumber(0x10_0200), end: FrameNumber(0x14_0000))
    for range in [low, top.range] { try world.machine.zones[top.zone].claim(range) }
    try stage.run(
      """
      space p                  | 0 0 0 0
      pool 4                   | 4 4 0 0
      p map b 3                | 4 4 3 0
      p write b 0..3           | 4 1 0 0
      fork p c                 | 4 1 0 0
      """)
    let start = try stage.place("b").range.start
    let old = try #require(stage.frame(at: start, in: try stage.space("p")))
    let folio = try world.machine.contiguousBlock(
      Order(18), FrameRequest(.unmovable), owner: world.machine.memory.owner, on: world.cpu)
    let taken = FrameRange(blockAt: folio.head, order: Order(18))
    #expect(taken.contains(old))
    for name in ["p", "c"] {
      for page in 0..<UInt64(3) {
        let frame = try #require(stage.frame(at: start + .mebibytes(2) * page, in: try stage.space(name)))
        #expect(!taken.contains(frame))
      }
    }
    world.machine.free(folio, on: world.cpu)
    for range in [low, top.range] { try world.machine.zones[top.zone].release(range) }
    try stage.run("c write b 0 | 4 0 0 0\np write b 0..3 | 4 0 0 0")
    try stage.finish()
  }
}
