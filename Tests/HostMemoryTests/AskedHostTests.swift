import FrameAllocator
import HostMemory
import Megalith
import MemoryUnits
import Mobility
import PhysicalLayout
import TestSupport
import Testing

/// Recorded hosts that were asked for pages: what was predicted from the frames before, against what the kernel gave.
@Suite struct AskedHostTests {
  static let fixtures = FixtureFolder("hosts")
  static let hosts = fixtures.names.filter { $0 != "asked.txt" }.map { String($0.dropLast(4)) }

  static func open(_ host: String) throws -> TemporaryFolder { try HostFixture.write(try fixtures.text("\(host).txt")) }

  struct Request: Sendable, CustomTestStringConvertible {
    let host: String
    let size: String
    let before: UInt64
    let wanted: UInt64
    let after: UInt64

    /// What a pool grows to where so many more can be had.
    func expected(_ obtainable: UInt64) -> UInt64 { min(wanted, before + obtainable) }
    var testDescription: String { "\(host) \(size)" }
  }

  static func requests(_ size: String) throws -> [Request] {
    try fixtures.text("asked.txt").split(separator: "\n").compactMap { line in
      let fields = line.split(separator: " ")
      guard fields[2] == size, let before = UInt64(fields[3]), let wanted = UInt64(fields[4]), let after = UInt64(fields[5])
      else { return nil }
      let request = Request(
        host: "\(fields[0]).\(fields[1])", size: size, before: before, wanted: wanted, after: after)
      return hosts.contains(request.host) ? request : nil
    }
  }

  /// Of every recorded host: the survey and the machine agree, range by range.
  @Test(arguments: hosts) func theMachineGivesWhatTheSurveySays(host: String) throws {
    let folder = try Self.open(host)
    let root = Sysroot(folder.path)
    let survey = try Survey(of: root)
    let result = try #require(survey.sizes.first { $0.isGigantic })
    let prediction = try MachineTests.predict(result.size, root, survey)
    #expect(prediction.pages.sorted() == MachineTests.obtainable(result))
    #expect(prediction.count.rawValue == result.obtainable)
  }

  /// Gigantic pages: exactly what the kernel gave, save for pins, which only make the prediction uncertain.
  @Test(arguments: try requests("1G")) func giganticPages(request: Request) throws {
    let folder = try Self.open(request.host)
    let root = Sysroot(folder.path)
    let survey = try Survey(of: root)
    let result = try #require(survey.sizes.first { $0.isGigantic })
    guard survey.reports.pinnedFrames == .zero else {
      #expect(result.obtainableBy == [.unknown: result.obtainable])
      return
    }
    #expect(request.expected(result.obtainable) == request.after)
    let prediction = try MachineTests.predict(result.size, root, survey)
    #expect(request.expected(prediction.count.rawValue) == request.after)
  }

  /// Pages of the lists: a sixty-fourth at most beside what the kernel gave, most of it frames that it left on per-CPU lists.
  @Test(arguments: try requests("2M")) func hugePages(request: Request) throws {
    let folder = try Self.open(request.host)
    let root = Sysroot(folder.path)
    let survey = try Survey(of: root)
    let result = try #require(survey.sizes.first { !$0.isGigantic })
    let prediction = try MachineTests.predict(result.size, root, survey)
    for predicted in [result.obtainable, prediction.count.rawValue].map(request.expected) {
      #expect(max(predicted, request.after) - min(predicted, request.after) <= request.after / 64)
    }
  }

  /// Pins cannot be seen in a host's files. A machine in which they are named gives what the kernel gave: nothing.
  @Test func namedPinsExplainWhatTheKernelRefused() throws {
    let folder = try Self.open("e-pin-every-256m-8g.pinned")
    let root = Sysroot(folder.path)
    let survey = try Survey(of: root)
    let result = try #require(survey.sizes.last)
    #expect(survey.reports.pinnedFrames == FrameCount(26))
    let owner = CapturedFolios()
    let machine = try Machine(survey, of: root, owner: owner)
    var pinned: [FrameNumber] = []
    var frame = FrameNumber(0)
    // The recording pinned a page in every 256 MiB.
    while frame < FrameNumber(9 << 18) {
      if let place = try? machine.zones.folio(containing: frame), place.order == Order(0) {
        pinned.append(try machine.zones.tryGet(frame, on: CPUIndex(0)).head)
      }
      frame += FrameCount(1 << 16)
    }
    #expect(pinned.count == 23)
    let prediction = machine.predict(result.size, of: survey, owner: owner)
    #expect(prediction.pages.isEmpty)
    #expect(prediction.obstacles[.busy] > .zero)
    for head in pinned { machine.zones.put(head, on: CPUIndex(0)) }
    try machine.checkInvariants()
  }

  /// A case without frames, from its boot messages and zones alone: two pages from `hugetlb_cma=`, and of the rest the ranges without
  /// the kernel's own memory, which lies lowest in the zone, above the area.
  ///
  /// - Parameter unmovable: pageblocks of the kernel's own that are placed; none of them leaves one range more.
  @Test(
    arguments: [
      (73, [0x10_0000, 0x14_0000, 0x1c_0000, 0x4_0000]), (0, [0x10_0000, 0x14_0000, 0x18_0000, 0x1c_0000, 0x4_0000]),
    ] as [(UInt64, [UInt64])])
  func aContiguousAreaServesFirst(unmovable: UInt64, expected: [UInt64]) throws {
    let log = try BootLog(parsing: FixtureFolder("oracle/g-hugetlb-cma-2g").bytes("boot.log"))
    let machine = try Machine(try BootLayout(of: BootDescription(log)), model: .vmemmap)
    let normal = try #require(machine.zones.indices.last)
    // Linux: `cma: Reserved 2048 MiB at 0x0000000100000000`.
    let area = FrameRange(start: FrameNumber(1 << 20), count: FrameCount(1 << 19))
    let size = Int(FolioZone.areaStorageBytes(for: area.count).rawValue)
    // In place as long as the machine, which goes after the last line here.
    let storage = UnsafeMutableRawBufferPointer.allocate(byteCount: size, alignment: 64)
    storage.initializeMemory(as: UInt8.self, repeating: 0)
    try machine.zones[normal].makeArea(area, storage: storage)
    // Linux: `pagetypeinfo`: 73 pageblocks of the zone are unmovable.
    for _ in 0..<unmovable { _ = try machine.allocate(Order(9), FrameRequest(.unmovable)) }

    let context = machine.migration(of: FolioLedger())
    let order = Order(18)
    var pages: [FrameNumber] = []
    for start in [area.start, area.start + order.frames] {
      try machine.contiguousRange(FrameRange(blockAt: start, order: order), owner: context.owner)
      pages.append(start)
    }
    machine.zones.takeEveryBlock(
      order, in: machine.zones.list(for: FrameRequest(.movable, node: NodeID(0))), .unmovable, ContiguousPolicy(), with: context
    ) { _, folio in pages.append(folio.head) }
    try machine.checkInvariants()
    // The kernel was asked for four and gave four: three of the highest zone, one of the one below.
    #expect(pages.map(\.rawValue) == expected)
  }
}
