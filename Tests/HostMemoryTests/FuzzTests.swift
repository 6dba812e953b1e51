import MemoryUnits
import TestSupport
import Testing

@testable import HostMemory

/// Every parser gets 10,000 inputs: damaged copies of a real one, cut-off ones, and noise. It must return or throw
/// `.damaged`; a trap ends the test run.
@Suite struct FuzzTests {
  typealias Parser = @Sendable ([UInt8]) throws(HostFileError) -> Void

  struct Case: Sendable, CustomTestStringConvertible {
    let name: String
    let example: String
    let parse: Parser
    var testDescription: String { name }
  }

  static let cases: [Case] = [
    Case(name: "zoneinfo", example: ReportTests.zoneinfo) { (input) throws(HostFileError) in
      for zone in try ZoneReport.parse(input, path: "f") { _ = zone.span }
    },
    Case(name: "meminfo", example: "MemTotal:       24684092 kB\nHugePages_Total:       0\nnr_free 12\n") {
      (input) throws(HostFileError) in _ = try KeyedNumbers(parsing: input, path: "f")
    },
    Case(name: "buddyinfo", example: "Node 0, zone      DMA      0      0      1      3 \nNode 1, zone Normal 4 5\n") {
      (input) throws(HostFileError) in
      for lists in try FreeLists.parse(input, path: "f") { _ = (lists.topOrder, lists.largestOrder) }
    },
    Case(
      name: "pagetypeinfo",
      example:
        "Page block order: 9\nNumber of blocks type Unmovable Movable\nNode 0, zone Normal 5 >100000\nNode 0, zone DMA 1 7\n"
    ) { (input) throws(HostFileError) in _ = try PageTypeReport(parsing: input, path: "f") },
    Case(name: "version", example: "Linux version 6.12.95+deb12-amd64 (a@b) (gcc-12)\n") {
      (input) throws(HostFileError) in _ = try KernelRelease(parsing: input, path: "f")
    },
    Case(name: "slabinfo", example: "slabinfo - version: 2.1\n# name\nbio-312 12 12 320 12 1 : tunables 0 0 0 : slabdata 1 1 0\n")
    {
      (input) throws(HostFileError) in _ = try SlabCache.parse(input, path: "f")
    },
    Case(name: "status", example: "Name:\tsh\nVmLck:\t 12 kB\nVmPin:\t 0 kB\nVmPTE:\t 40 kB\n") {
      (input) throws(HostFileError) in _ = try ProcessMemory(parsing: input, id: 1, path: "f")
    },
    Case(
      name: "iomem", example: "00000000-00000fff : Reserved\n00001000-0009fbff : System RAM\n  01000000-02209987 : Kernel code\n"
    ) {
      (input) throws(HostFileError) in _ = try SystemMemory.parse(input, path: "f", baseShift: PageShift(12))
    },
    Case(name: "blocks.runs", example: "0-23 online 0\n32-199 offline -\nend 192\n") { (input) throws(HostFileError) in
      _ = try MemoryBlocks.parseRuns(input, size: 128 << 20)
    },
    Case(name: "numa_maps", example: PoolReportTests.maps) { (input) throws(HostFileError) in
      _ = try HugePageUser.numaMaps(input, path: "f")
    },
    Case(name: "smaps", example: PoolReportTests.mappings) { (input) throws(HostFileError) in
      _ = try HugePageUser.mappings(input, path: "f")
    },
    Case(name: "HugetlbPages", example: "Name:\tsh\nHugetlbPages:\t 2048 kB\n") { (input) throws(HostFileError) in
      _ = try HugePageUser.status(input, path: "f")
    },
    Case(name: "mounts", example: "hugetlbfs /dev/hugepages hugetlbfs rw,pagesize=2M,size=4G 0 0\n") {
      (input) throws(HostFileError) in _ = try HugePageMount.parse(input, path: "f")
    },
    Case(name: "wishes", example: "0:1G:8,1:1G:8,2M:512") { (input) throws(HostFileError) in
      _ = try? PoolWish.parse(String(decoding: input, as: UTF8.self))
    },
    Case(name: "redaction", example: "00000000-00000fff : Reserved\n  01000000-02209987 : Kernel code\nLinux version 6 x\n") {
      (input) throws(HostFileError) in
      _ = Redaction.resources(input) + Redaction.version(input) + Redaction.commandLine(input)
    },
  ]

  @Test(arguments: cases) func noInputTraps(_ fuzzed: Case) {
    var random = SplitMix(seed: 0x5eed)
    var accepted = 0
    for round in 0..<10_000 {
      let input = Self.input(round, Array(fuzzed.example.utf8), &random)
      do throws(HostFileError) {
        try fuzzed.parse(input)
        accepted += 1
      } catch {
        guard case .damaged = error else {
          Issue.record("round \(round): \(error)")
          return
        }
      }
    }
    // The unchanged example is among the inputs.
    #expect(accepted > 0)
  }

  static func input(_ round: Int, _ example: [UInt8], _ random: inout SplitMix) -> [UInt8] {
    guard round > 0 else { return example }
    switch round % 4 {
    case 0: return (0..<Int.random(in: 0...120, using: &random)).map { _ in UInt8.random(in: 0...255, using: &random) }
    case 1: return Array(example.prefix(Int.random(in: 0...example.count, using: &random)))
    case 2:
      var copy = example
      for _ in 0..<Int.random(in: 1...4, using: &random) {
        copy[Int.random(in: 0..<copy.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
      }
      return copy
    default:
      // Long numbers in place of short ones.
      var copy = example
      let place = Int.random(in: 0..<copy.count, using: &random)
      copy.insert(contentsOf: Array("99999999999999999999".utf8.prefix(Int.random(in: 1...20, using: &random))), at: place)
      return copy
    }
  }

  /// Frames in both forms: 10,000 files would wear the disk, so the whole survey gets 300 of each.
  @Test(arguments: ["proc/kpageflags", "proc/kpageflags.runs", "proc/kpagecount.runs", "megalith-capture"])
  func surveysOfDamagedFramesEnd(path: String) throws {
    let host = try HostDrawing("...m...z").write()
    let example: [UInt8] =
      switch path {
      case "proc/kpageflags": (0..<4096 * 8).map { $0 % 8 == 1 ? 4 : 0 }
      case "proc/kpageflags.runs": Array("megalith.kpageflags/1\n2048 400\n2047 1020\n1 0\nend 4096\n".utf8)
      case "proc/kpagecount.runs": Array("megalith.kpagecount/1\n400 1\n500 12\nend 2\n".utf8)
      default: Array("megalith.capture/1\nbasePage 4096\n".utf8)
      }
    var random = SplitMix(seed: 0x5eed)
    for round in 0..<300 {
      try host.write(path, Self.input(round, example, &random))
      do throws(HostFileError) {
        _ = try Survey(of: Sysroot(host.path))
      } catch {
        guard case .damaged = error else {
          Issue.record("round \(round): \(error)")
          return
        }
      }
    }
  }
}
