import MemoryUnits
import PhysicalLayout
import TestSupport
import Testing

@testable import HostMemory

func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

@Suite struct ReportTests {
  static let zoneinfo = """
    Node 0, zone      DMA
      per-node stats
          nr_inactive_anon 409
      pages free     3840
            boost    0
            min      64
            low      80
            spanned  4095
            present  3998
            managed  3840
            cma      0
            protection: (0, 3019, 3915, 3915, 3915)
          nr_free_pages 3840
      pagesets
        cpu: 0
                  count:    7
                  high:     0
        cpu: 1
                  count:    5
      node_unreclaimable:  0
      start_pfn:           1
    Node 0, zone   Movable
      pages free     0
            spanned  0
            present  0
            managed  0
    Node 1, zone   Normal
      pages free     10
            min      2
            spanned  512
            present  512
            managed  500
            cma      8
      start_pfn:           8192

    """

  @Test func zonesWithFramesAreRead() throws {
    let zones = try ZoneReport.parse(bytes(Self.zoneinfo), path: "proc/zoneinfo")
    #expect(zones.map(\.name) == ["DMA", "Normal"])
    let dma = try #require(zones.first)
    #expect(dma.span == FrameRange(start: FrameNumber(1), end: FrameNumber(4096)))
    #expect(dma.onCPULists == FrameCount(12) && dma.minimum == FrameCount(64))
    #expect(dma.reserveForHigherZones == FrameCount(3915))
    #expect(zones[1].onCPULists == nil && zones[1].contiguousArea == FrameCount(8) && zones[1].node == NodeID(1))
  }

  @Test(arguments: [
    (zoneinfo.replacing("start_pfn:           1\n", with: "\n"), "zone DMA has no start_pfn"),
    (zoneinfo.replacing("present  3998", with: "present  5000"), "zone DMA: spanned, present and managed contradict"),
    (zoneinfo.replacing("managed  3840", with: "managed  x"), "not a count of frames: x"),
    (zoneinfo.replacing("Node 1,", with: "Node -1,"), "not a node number"),
    (zoneinfo.replacing("count:    5", with: "count:    18446744073709551615"), "not a count of frames: 18446744073709551615"),
  ])
  func contradictionsAreDamage(text: String, reason: String) {
    do {
      _ = try ZoneReport.parse(bytes(text), path: "z")
      Issue.record("accepted")
    } catch {
      guard case .damaged("z", let line, reason) = error else {
        Issue.record("\(error)")
        return
      }
      #expect(line != nil)
    }
  }

  @Test func longFreeListsPrintAsMoreThanATenthOfAMillion() throws {
    let text = """
      Page block order: 9
      Pages per block:  512

      Free pages count per migrate type at order       0      1
      Node    0, zone   Normal, type      Movable >100000      3

      Number of blocks type     Unmovable      Movable  Reclaimable
      Node 0, zone   Normal           50          390            8
      """
    let report = try PageTypeReport(parsing: bytes(text), path: "p")
    #expect(report.pageblockOrder == Order(9))
    #expect(report.zones.first?.count("Movable") == 390 && report.zones.first?.count("Unmovable") == 50)
  }

  @Test func freeListsTellTheTopOrder() throws {
    let lists = try FreeLists.parse(bytes("Node 0, zone   Normal      1      0      4 \n"), path: "b")
    #expect(lists.first?.topOrder == Order(2) && lists.first?.largestOrder == Order(2))
    #expect(lists.first?.blocks == [1, 0, 4])
  }

  @Test func kilobytesBecomeBytes() throws {
    let numbers = try KeyedNumbers(parsing: bytes("MemTotal:  24 kB\nHugePages_Total:  3\nnr_free 7\n"), path: "m")
    #expect(numbers.bytes("MemTotal") == .kibibytes(24))
    #expect(numbers["HugePages_Total"] == 3 && numbers["nr_free"] == 7 && numbers["none"] == nil)
  }

  @Test func releasesCompareByNumber() throws {
    let release = try KernelRelease(parsing: bytes("Linux version 6.12.95+deb12-amd64 (a@b) (gcc)\n"), path: "v")
    #expect(release.text == "6.12.95+deb12-amd64" && release.isAtLeast(6, 9) && !release.isAtLeast(7, 0))
    let short = try KernelRelease(parsing: bytes("Linux version 6.18.44-fc\n"), path: "v")
    #expect(short.text == "6.18.44-fc")
  }

  @Test func cachesAreSortedBySize() throws {
    let text = """
      slabinfo - version: 2.1
      # name            <active_objs> ...
      small 12 12 320 12 1 : tunables 0 0 0 : slabdata 1 1 0
      large 12 12 320 12 4 : tunables 0 0 0 : slabdata 1 100 0
      """
    #expect(
      try SlabCache.parse(bytes(text), path: "s") == [
        SlabCache(name: "large", frames: FrameCount(400)), SlabCache(name: "small", frames: FrameCount(1)),
      ])
  }

  @Test func kernelThreadsHaveNoMemory() throws {
    #expect(try ProcessMemory(parsing: bytes("Name:\tkthreadd\nPid: 2\n"), id: 2, path: "p") == nil)
    let status = "Name:\ta b\nVmLck:\t      12 kB\nVmPin:\t       4 kB\nVmPTE:\t      40 kB\n"
    let process = try #require(try ProcessMemory(parsing: bytes(status), id: 7, path: "p"))
    #expect(process.name == "a b" && process.locked == .kibibytes(12) && process.pinned == .kibibytes(4))
  }

  @Test func systemMemoryIsReadAtEveryLevel() throws {
    let text = """
      00000000-00000fff : Reserved
      00001000-0009fbff : System RAM
      00100000-bfffffff : System RAM
        01000000-02209987 : Kernel code
      100000000-1ffffffff : virtio0
        100000000-13fffffff : System RAM (virtio_mem)
      """
    let ranges = try SystemMemory.parse(bytes(text), path: "i", baseShift: PageShift(12))
    #expect(ranges?.map(\.description) == ["[0x1, 0x9f)", "[0x100, 0xc0000)", "[0x100000, 0x140000)"])
    let hidden = "00000000-00000000 : System RAM\n  00000000-00000000 : Kernel code\n"
    #expect(try SystemMemory.parse(bytes(hidden), path: "i", baseShift: PageShift(12)) == nil)
  }

  @Test func blocksKeepTheirRunsThroughText() throws {
    let blocks = MemoryBlocks(
      size: .mebibytes(128),
      blocks: [0, 1, 2, 5, 6].map {
        MemoryBlocks.Block(index: MemoryBlockNumber($0), isOnline: $0 != 2, node: $0 == 6 ? nil : NodeID(0))
      })
    let text = blocks.runs()
    #expect(text == "0-1 online 0\n2-2 offline 0\n5-5 online 0\n6-6 online -\nend 5\n")
    #expect(try MemoryBlocks.parseRuns(bytes(text), size: 128 << 20) == blocks.blocks)
  }

  @Test func blocksOfALiveTreeMayLackTheFirst() throws {
    let folder = try TemporaryFolder()
    try folder.write("sys/devices/system/memory/block_size_bytes", "8000000\n")
    try folder.write("sys/devices/system/memory/memory1/state", "online\n")
    try folder.write("sys/devices/system/memory/memory10/state", "offline\n")
    try folder.write("sys/devices/system/node/node0/memory1/x", "")
    let blocks = try #require(try MemoryBlocks(of: Sysroot(folder.path)))
    #expect(blocks.blocks.map(\.index.rawValue) == [1, 10] && blocks.blocks.map(\.isOnline) == [true, false])
    #expect(blocks.blocks.map(\.node) == [NodeID(0), nil])
  }
}

@Suite struct ClassifierTests {
  func classes(_ flags: FrameFlags...) -> [FrameClass] {
    var classifier = FrameClassifier()
    return flags.map { classifier.classify($0) }
  }

  @Test func tailsAreWhatTheirHeadIs() {
    #expect(classes([.slab, .head], .tail, .tail, [.head], .tail) == [.slab, .slab, .slab, .kernel, .kernel])
    #expect(classes([.onLRU, .anonymous, .head, .largeFolio], [.tail, .largeFolio]) == [.migratable, .migratable])
    #expect(classes([.huge, .head], [.huge, .tail]) == [.huge, .huge])
  }

  @Test func aLargeFolioIsNotAHugePage() {
    #expect(classes([.onLRU, .largeFolio, .tail, .upToDate]) == [.droppable])
  }

  @Test func staleFlagsDoNotHideFreeOrLostFrames() {
    #expect(
      classes([.buddy, .upToDate], [.poisoned, .onLRU], [.offline, .reserved], .noPage) == [.free, .poisoned, .offline, .absent])
  }

  @Test func cacheIsDroppableOnlyUnmodified() {
    #expect(
      classes([.onLRU, .upToDate, .mapped], [.onLRU, .dirty], [.onLRU, .swapBacked], [.onLRU, .unevictable]) == [
        .droppable, .migratable, .migratable, .migratable,
      ])
  }

  @Test func framesBetweenListsAreNotTheKernels() {
    #expect(classes([.anonymous, .mapped], [.upToDate], [.mapped], []) == [.unsettled, .unsettled, .kernel, .undecided])
  }
}
