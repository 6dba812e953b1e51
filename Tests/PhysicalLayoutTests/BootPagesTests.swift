import MemoryUnits
import PhysicalLayout
import TestSupport
import Testing

@Suite struct BootPagesTests {
  static let recorded = OracleCase.names.filter { FixtureFolder("oracle/" + $0).names.contains("pages.txt") }

  private func frame(_ text: Substring) throws -> FrameNumber {
    FrameNumber(try #require(UInt64(text.dropFirst(2), radix: 16)))
  }

  @Test func fiveBootsHadPages() { #expect(Self.recorded.count == 5) }

  /// The same frames as the kernel took, given what it had reserved. Runs reserved later are among these (hash tables,
  /// bounce buffers); they do not stand in any gigabyte that is free otherwise.
  @Test(arguments: recorded) func pagesAreTheKernels(name: String) throws {
    let folder = FixtureFolder("oracle/" + name)
    let reserved = try folder.text("reserved.txt").split(separator: "\n").map { line in
      let ends = line.split(separator: "-")
      return FrameRange(start: try frame(ends[0]), end: try frame(ends[1]))
    }
    let expected = try folder.text("pages.txt").split(separator: "\n").map { try frame($0) }
    let log = try BootLog(parsing: try folder.bytes("boot.log"))
    let boot = BootDescription(log)
    let loaded = boot.loaded.map { FrameRange($0, boot.architecture.baseShift, rounded: .up) }
    let layout = try BootLayout(of: boot)
    let pages = layout.bootPages(log.commandLine, reserved: reserved + loaded)
    #expect(pages.flatMap(\.frames).sorted() == expected)
    for page in pages {
      let node = try #require(layout.nodes.first { $0.node == page.node })
      for frame in page.frames { #expect(node.memory.contains { $0.contains(FrameRange(blockAt: frame, order: Order(18))) }) }
    }
  }

  private func pages(_ commandLine: String, _ nodes: [ByteCount]) throws -> [BootPages] {
    let total = nodes.reduce(.zero, +)
    let boot = try PhysicalMemory(total: total, nodes: nodes.count > 1 ? nodes : [])
      .boot(commandLine: KernelCommandLine(parsing: Array(commandLine.utf8)))
    return try BootLayout(of: boot).bootPages(boot.commandLine, reserved: [])
  }

  @Test func countsWithoutNodesGoRound() throws {
    // Memory: [0, 3G) and [4G, 9G); nodes meet at 5G.
    let pages = try pages("hugepagesz=1G hugepages=3", [.gibibytes(4), .gibibytes(4)])
    #expect(pages.map(\.node) == [NodeID(0), NodeID(1)])
    #expect(pages.map(\.frames) == [[FrameNumber(0x80000), FrameNumber(0x100000)], [FrameNumber(0x200000)]])
  }

  @Test func aNodesOwnCountStaysThere() throws {
    let pages = try pages("hugepagesz=1G hugepages=1:9", [.gibibytes(4), .gibibytes(4)])
    #expect(pages.map(\.node) == [NodeID(1)] && pages[0].frames.count == 4)
  }

  @Test func pagesOfTheAllocatorAndOfContiguousAreasAreNotTakenAtBoot() throws {
    #expect(try pages("hugepagesz=2M hugepages=8", [.gibibytes(4)]).isEmpty)
    #expect(try pages("hugepages=8", [.gibibytes(4)]).isEmpty)
    #expect(try pages("hugetlb_cma=1G hugepagesz=1G hugepages=1", [.gibibytes(4)]).isEmpty)
    #expect(try pages("default_hugepagesz=1G hugepages=1", [.gibibytes(4)]).map(\.frames.count) == [1])
  }
}
