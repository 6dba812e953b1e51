import FrameMap
import HostArena
import Megalith
import MemoryUnits
import PhysicalLayout
import TestSupport
import Testing

@testable import AddressSpaces

/// What translations cost, by the rule and as spaces have it.
@Suite struct WalkCostTests {
  private static func leaf(_ size: PageSize, _ shape: TableShape) throws -> TableShape.Leaf { try #require(shape.leaf(size)) }

  /// A row for each size of the guest, a column for each of the host.
  private static func table(_ shape: TableShape) throws -> String {
    let hosts = shape.leaves.map { HostWalk(shape, $0) }
    var text = "| pages | native |" + shape.leaves.map { " on \($0.size) |" }.joined() + "\n"
    text += "|---|---|" + hosts.map { _ in "---|" }.joined() + "\n"
    for leaf in shape.leaves {
      let walk = shape.walk(to: leaf)
      text += "| \(leaf.size) | \(walk.nested(in: .none).references) |"
      text += hosts.map { " \(walk.nested(in: $0.cost).references) |" }.joined() + "\n"
    }
    return text
  }

  /// By the heading in the document: bits of a level on top, and references by guest and host.
  static let tables: [(heading: String, extraLevel: UInt8?, rows: [String])] = [
    ("four levels", nil, ["4K | 4 | 24 | 19 | 14", "2M | 3 | 19 | 15 | 11", "1G | 2 | 14 | 11 | 8"]),
    ("five levels", 9, ["4K | 5 | 35 | 29 | 23", "2M | 4 | 29 | 24 | 19", "1G | 3 | 23 | 19 | 15"]),
  ]

  // S4.5
  @Test(arguments: tables) func nestedWalksCostWhatTheRuleSays(_ at: (heading: String, extraLevel: UInt8?, rows: [String])) throws
  {
    let head = "| pages | native | on 4K | on 2M | on 1G |\n|---|---|---|---|---|\n"
    let wanted = head + at.rows.map { "| \($0) |\n" }.joined()
    #expect(try Self.table(TableShape(.x86_64, extraLevel: at.extraLevel)) == wanted)
    let document = try FixtureFolder("../../Docs").text("TransparentHugePages.md")
    #expect(document.contains("\(at.heading) in guest and host:\n\n" + wanted))
  }

  struct Native: Sendable, CustomTestStringConvertible {
    let architecture: Architecture
    let extraLevel: UInt8?
    let costs: String
    var testDescription: String { architecture.name }
    init(_ architecture: Architecture, extraLevel: UInt8? = nil, _ costs: String) {
      self.architecture = architecture
      self.extraLevel = extraLevel
      self.costs = costs
    }
  }

  static let natives = [
    Native(.x86_64, "4K 4, 2M 3, 1G 2"),
    Native(.x86_64, extraLevel: 9, "4K 5, 2M 4, 1G 3"),
    Native(.arm64Granule4K, "4K 4, 64K 4, 2M 3, 32M 3, 1G 2"),
    Native(.arm64Granule16K, "16K 4, 2M 4, 32M 3, 1G 3"),
    Native(.arm64Granule64K, "64K 3, 2M 3, 512M 2, 16G 2"),
    Native(.riscv64, "4K 4, 64K 4, 2M 3, 1G 2"),
    Native(.riscv64, extraLevel: 9, "4K 5, 64K 5, 2M 4, 1G 3"),
  ]

  @Test(arguments: natives) func runsCostWhatTheirEntriesDo(_ wanted: Native) {
    let shape = TableShape(wanted.architecture, extraLevel: wanted.extraLevel)
    #expect(shape.leaves.map { "\($0.size) \(shape.walk(to: $0).references)" }.joined(separator: ", ") == wanted.costs)
  }

  @Test func guestAndHostMayDiffer() throws {
    let guest = TableShape(.riscv64)
    let host = TableShape(.x86_64, extraLevel: 9)
    let walk = guest.walk(to: try Self.leaf(.huge, guest))
    let below = host.walk(to: try Self.leaf(.gigantic, host))
    #expect(walk.nested(in: below).references == ReferenceCount(15))
    // A guest of a guest, nested from either end.
    #expect(walk.nested(in: below).nested(in: below) == walk.nested(in: below.nested(in: below)))
  }

  @Test func aSpaceOfThreeSizesIsAdded() throws {
    let world = try World()
    world.grow(.huge, to: 3)
    world.grow(.gigantic, to: 1)
    let shape = world.machine.memory.shape
    let space = try world.space()
    #expect(world.machine.memory.walkCost(of: space).referencesPerThousand == nil)
    let small = try world.map(.anonymous(.small), .kibibytes(64), in: space) { $0.populates = true }
    let huge = try world.map(.anonymous(.huge), .mebibytes(6), in: space)
    for page in [huge.start, huge.start + .mebibytes(4)] { try world.touch(page, .write, in: space) }
    try world.map(.anonymous(.gigantic), .gibibytes(1), in: space) { $0.populates = true }

    let cost = world.machine.memory.walkCost(of: space)
    #expect(cost.parts.map { "\($0.leaf.size) \($0.frames) \($0.buffered)" } == ["4K 16 16", "2M 1024 2", "1G 262144 1"])
    #expect(cost.frames == FrameCount(263_184) && cost.buffered == EntryCount(19))
    #expect(cost.frames(at: TableLevel(1)) == FrameCount(1024))
    #expect(cost.references == ReferenceCount(16 * 4 + 1024 * 3 + 262_144 * 2))
    #expect(cost.referencesPerThousand == ReferenceCount(2004))

    let host = HostWalk(shape, try Self.leaf(.huge, shape))
    let nested = world.machine.memory.walkCost(of: space, host: host)
    #expect(nested.references == ReferenceCount(16 * 19 + 1024 * 15 + 262_144 * 11))
    #expect(nested.parts.map { $0.buffered } == [EntryCount(16), EntryCount(2), EntryCount(512)])

    // A part that begins and ends inside base pages, and one inside huge pages.
    let inside = VirtualRange(start: small.start + ByteCount(4097), count: ByteCount(4096))
    #expect(world.machine.memory.walkCost(inside, in: space).frames == FrameCount(2))
    let middle = VirtualRange(start: huge.start + .mebibytes(1), end: huge.end - .mebibytes(1))
    let part = world.machine.memory.walkCost(middle, in: space)
    #expect(part.frames == FrameCount(512) && part.buffered == EntryCount(2))
    #expect(part.referencesPerThousand == ReferenceCount(3000))
    world.end(space)
    try world.finish()
  }

  @Test(arguments: HugeCase.everySize) func aRunTakesOneEntryOfABuffer(_ at: HugeCase) throws {
    let world = try at.world()
    world.grow(at.size, to: 2)
    let space = try world.space()
    let shape = world.machine.memory.shape
    let leaf = try Self.leaf(at.size, shape)
    let range = try world.map(.anonymous(at.size), at.size.bytes * 2, in: space) { $0.populates = true }
    let half = ByteCount(at.size.bytes.rawValue / 2)
    let middle = VirtualRange(start: range.start + half, end: range.end - half)
    for (part, frames) in [(range, leaf.order.frames * 2), (middle, leaf.order.frames)] {
      let cost = world.machine.memory.walkCost(part, in: space)
      #expect(cost.frames == frames && cost.buffered == EntryCount(2))
      #expect(cost.references == shape.walk(to: leaf).references * frames.rawValue)
      // Below, each base page is translated apart.
      let host = HostWalk(shape, shape.leaves[0])
      #expect(world.machine.memory.walkCost(part, in: space, host: host).buffered == EntryCount(frames.rawValue))
    }
    #expect(world.machine.memory.walkCost(of: space) == world.machine.memory.walkCost(range, in: space))
    world.end(space)
    try world.finish()
  }

  @Test func aPageOnItsWayCounts() throws {
    let world = try World()
    let space = try world.space()
    let range = try world.map(.anonymous(.small), .kibibytes(8), in: space) { $0.populates = true }
    let walk = world.machine.memory.walk
    let (place, entry) = walk.find(space.root, range.start, downTo: TableLevel(0))
    walk.replace(place, entry.with(.moving))
    #expect(world.machine.memory.walkCost(of: space).frames == FrameCount(2))
    walk.replace(place, entry)
    world.end(space)
    try world.finish()
  }
}
