import MemoryUnits
import PhysicalLayout
import TestSupport
import Testing

/// A boot of a real kernel: its messages, and the zones and memory blocks it then had.
struct OracleCase: Sendable, CustomTestStringConvertible {
  static let names = FixtureFolder("oracle").names

  let log: [UInt8]
  var zones: [ZoneLayout] = []
  var blocks: [MemoryBlockRange] = []
  var blockSize = ByteCount.zero
  let testDescription: String

  init(_ name: String) throws {
    let folder = FixtureFolder("oracle/" + name)
    testDescription = name
    log = try folder.bytes("boot.log")
    for line in try folder.text("expected.txt").split(separator: "\n") {
      let words = line.split(separator: " ").map(String.init)
      switch words[0] {
      case "block-size": blockSize = ByteCount(try #require(UInt64(words[1].dropFirst(2), radix: 16)))
      case "blocks":
        let first = MemoryBlockNumber(try #require(UInt64(words[1])))
        let end = MemoryBlockNumber(try #require(UInt64(words[2])) + 1)
        if let last = blocks.last, last.end == first {
          blocks[blocks.count - 1] = MemoryBlockRange(start: last.start, end: end)
        } else {
          blocks.append(MemoryBlockRange(start: first, end: end))
        }
      default:
        let numbers = try words[3...].map { try #require(UInt64($0)) }
        zones.append(
          ZoneLayout(
            node: NodeID(try #require(UInt32(words[1]))),
            kind: try #require(ZoneKind.allCases.first { $0.description == words[2] }),
            span: FrameRange(start: FrameNumber(numbers[0]), count: FrameCount(numbers[1])), present: FrameCount(numbers[2])))
      }
    }
  }
}

@Suite struct OracleTests {
  @Test func allCasesAreThere() { #expect(OracleCase.names.count == 23) }

  @Test(arguments: OracleCase.names) func layoutIsTheKernels(name: String) throws {
    let oracle = try OracleCase(name)
    let log = try BootLog(parsing: oracle.log)
    let layout = try BootLayout(of: BootDescription(log))
    #expect(layout.zones == oracle.zones)
    #expect(layout.memoryBlocks == oracle.blocks)
    #expect(layout.memoryBlockSize == oracle.blockSize)
    #expect(log.commandLine.problems.isEmpty)
    try layout.regions.checkInvariants()
    #expect(layout.present == layout.zones.reduce(.zero) { $0 + $1.present })
    #expect(layout.holes.allSatisfy { hole in !layout.memory.contains { $0.overlaps(hole) } })
  }

  @Test(arguments: OracleCase.names) func memoryIsWhereTheKernelFoundIt(name: String) throws {
    let oracle = try OracleCase(name)
    let layout = try BootLayout(of: BootDescription(try BootLog(parsing: oracle.log)))
    // The first boot's lines `node   0: [mem 0x1000-0x9efff]`.
    let text = String(decoding: oracle.log, as: UTF8.self)
    let told = try text.components(between: "Early memory node ranges", and: "Linux version").matches(
      of: /node +(\d+): \[mem 0x([0-9a-f]+)-0x([0-9a-f]+)\]/
    ).map { match in
      MemoryRegion(
        range(try #require(UInt64(match.2, radix: 16)), try #require(UInt64(match.3, radix: 16)) + 1),
        node: NodeID(try #require(UInt32(match.1))))
    }
    #expect(!told.isEmpty)
    #expect(layout.regions.memory.map(\.range) == told.map(\.range))
    #expect(layout.regions.memory.map(\.node) == told.map(\.node))
  }

  @Test(arguments: OracleCase.names) func resourceTreeGivesTheSameLayout(name: String) throws {
    let oracle = try OracleCase(name)
    var boot = BootDescription(try BootLog(parsing: oracle.log))
    boot.firmwareMap = try FirmwareMap(resourceTree: FixtureFolder("oracle/" + name).bytes("iomem.txt"))
    let layout = try BootLayout(of: boot)
    #expect(layout.zones == oracle.zones)
    #expect(layout.memoryBlocks == oracle.blocks)
  }

  @Test(arguments: OracleCase.names) func userMapIsTheFirmwareMapAfterTheCommandLine(name: String) throws {
    let log = try BootLog(parsing: try OracleCase(name).log)
    let computed = log.firmwareMap.applying(log.commandLine)
    #expect(computed == log.userMap ?? log.firmwareMap)
    #expect((log.userMap != nil) == !log.commandLine.mapDirectives.isEmpty)
  }
}

extension String {
  func components(between start: String, and end: String) -> String {
    guard let low = self.firstRange(of: start) else { return "" }
    let rest = self[low.upperBound...]
    return String(rest[..<(rest.firstRange(of: end)?.lowerBound ?? rest.endIndex)])
  }
}

extension StringProtocol where SubSequence == Substring {
  func firstRange(of text: String) -> Swift.Range<Index>? { Substring(self).ranges(of: text).first }
}
