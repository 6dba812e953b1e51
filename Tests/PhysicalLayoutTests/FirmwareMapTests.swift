import MemoryUnits
import PhysicalLayout
import TestSupport
import Testing

private func map(_ entries: (PhysicalRange, MemoryKind)...) -> FirmwareMap {
  FirmwareMap(entries.map { FirmwareMap.Entry($0.0, $0.1) })
}

private func line(_ text: String) -> KernelCommandLine { KernelCommandLine(parsing: Array(text.utf8)) }

private let gib: UInt64 = 1 << 30
private let mib: UInt64 = 1 << 20

@Suite struct FirmwareMapTests {
  @Test func theHigherTypeWinsWhereEntriesOverlap() {
    // usable:   ....AAAAAAAA
    // reserved: ......BB....
    // ACPI:     .......CC...
    let mixed = map((range(7, 9), .acpiReclaimable), (range(4, 12), .usable), (range(6, 8), .reserved), (range(3, 3), .unusable))
    #expect(
      mixed
        == map(
          (range(4, 6), .usable), (range(6, 7), .reserved), (range(7, 9), .acpiReclaimable), (range(9, 12), .usable)))
    #expect(mixed.entries.count == 4)
    #expect(mixed.endOfMemory == PhysicalAddress(12))
    #expect(mixed.size(of: .usable) == ByteCount(5))
    #expect(mixed.kind(at: PhysicalAddress(8)) == .acpiReclaimable)
    #expect(mixed.kind(at: PhysicalAddress(12)) == nil)
  }

  @Test func neighboursOfAKindAreOne() {
    #expect(map((range(4, 8), .usable), (range(0, 4), .usable)).entries == [FirmwareMap.Entry(range(0, 8), .usable)])
  }

  @Test(
    arguments: [
      ("memmap=1M@4G", [(0, gib, MemoryKind.usable), (4 * gib, 4 * gib + mib, .usable)]),
      ("memmap=1M$512M", [(0, 512 * mib, .usable), (512 * mib, 513 * mib, .reserved), (513 * mib, gib, .usable)]),
      ("memmap=1M#512M", [(0, 512 * mib, .usable), (512 * mib, 513 * mib, .acpiReclaimable), (513 * mib, gib, .usable)]),
      ("memmap=512M!512M", [(0, 512 * mib, .usable), (512 * mib, gib, .persistentLegacy)]),
      ("memmap=256M", [(0, 256 * mib, .usable)]),
      ("mem=256M", [(0, 256 * mib, .usable)]),
      ("mem=0x10000000", [(0, 256 * mib, .usable)]),
      ("mem=02000000000", [(0, 256 * mib, .usable)]),
      ("memmap=exactmap memmap=1M@0,2M@2M", [(0, mib, .usable), (2 * mib, 4 * mib, .usable)]),
      ("memmap=256M%512M-1+2", [(0, 512 * mib, .usable), (512 * mib, 768 * mib, .reserved), (768 * mib, gib, .usable)]),
      ("memmap=256M%512M-2+1", [(0, gib, .usable)]),
      ("memmap=256M%512M-1", [(0, 512 * mib, .usable), (768 * mib, gib, .usable)]),
      (
        "memmap=256M%512M+0xefffffff",
        [(0, 512 * mib, .usable), (512 * mib, 768 * mib, .softReserved), (768 * mib, gib, .usable)]
      ),
      ("memmap=256M%512M", [(0, 512 * mib, .usable), (768 * mib, gib, .usable)]),
      // What reservations hide comes back when they go: the list is made consistent last.
      ("memmap=1M$512M memmap=1M%512M-2", [(0, gib, .usable)]),
      // A limit takes what is usable only.
      ("memmap=1M$512M mem=256M", [(0, 256 * mib, .usable), (512 * mib, 513 * mib, .reserved)]),
      (
        "memmap=64K$1M,64K$2M",
        [
          (0, mib, .usable), (mib, mib + 65536, .reserved), (mib + 65536, 2 * mib, .usable),
          (2 * mib, 2 * mib + 65536, .reserved), (2 * mib + 65536, gib, .usable),
        ]
      ),
    ] as [(String, [(UInt64, UInt64, MemoryKind)])])
  func commandLineChangesTheMap(text: String, expected: [(UInt64, UInt64, MemoryKind)]) {
    let parsed = line(text)
    #expect(parsed.problems.isEmpty)
    let wanted = FirmwareMap(expected.map { FirmwareMap.Entry(range($0.0, $0.1), $0.2) })
    #expect(map((range(0, gib), .usable)).applying(parsed) == wanted)
  }

  @Test func resourceTreeGivesItsTopLevel() throws {
    let text = """
      00000000-00000fff : Reserved
      00001000-0009fbff : System RAM
      000a0000-000fffff : Reserved
        000f0000-000fffff : System ROM
      00100000-bffdffff : System RAM
        01000000-01dfffff : Kernel code
      bffe0000-bfffffff : ACPI Tables
      c0000000-febfffff : PCI Bus 0000:00
        e0000000-efffffff : Reserved
      100000000-13fffffff : Persistent Memory
      140000000-17fffffff : Soft Reserved
        140000000-17fffffff : dax0.0
          140000000-17fffffff : System RAM (kmem)

      """
    let read = try FirmwareMap(resourceTree: Array(text.utf8))
    #expect(
      read
        == map(
          (range(0, 0x1000), .reserved), (range(0x1000, 0x9fc00), .usable), (range(0xa0000, 0x10_0000), .reserved),
          (range(0x10_0000, 0xbffe_0000), .usable), (range(0xbffe_0000, 0xc000_0000), .acpiReclaimable),
          (range(4 * gib, 5 * gib), .persistent), (range(5 * gib, 6 * gib), .softReserved)))
  }

  @Test(
    arguments: [
      ("00000000-00000000 : Reserved\n00000000-00000000 : System RAM\n", FirmwareMapError.addressesHidden),
      ("", .noEntries),
      ("e0000000-efffffff : PCI Bus\n", .noEntries),
      ("00001000-00001fff : System RAM\nhello\n", .malformed(line: LineNumber(2), reason: .noAddress)),
      ("00001000 System RAM\n", .malformed(line: LineNumber(1), reason: .noSeparator)),
      ("00001000-00000000 : System RAM\n", .malformed(line: LineNumber(1), reason: .endsBeforeStart)),
      ("00001000-10000000000000000 : x\n", .malformed(line: LineNumber(1), reason: .addressTooLarge)),
      ("00001000-00001fff System RAM\n", .malformed(line: LineNumber(1), reason: .noSeparator)),
    ] as [(String, FirmwareMapError)])
  func badResourceTrees(text: String, error: FirmwareMapError) {
    #expect(throws: error) { try FirmwareMap(resourceTree: Array(text.utf8)) }
  }

  @Test func deviceTreeRegisters() throws {
    let reg: [UInt8] = [0, 0, 0, 0, 0x80, 0, 0, 0, 0, 0, 0, 0, 0x40, 0, 0, 0]
    let high: [UInt8] = [0, 0, 0, 8, 0x80, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0]
    let nodes = [
      DeviceTreeMemory(path: Array("/memory@80000000".utf8), reg: reg, node: NodeID(0)),
      DeviceTreeMemory(path: Array("/memory@880000000".utf8), reg: high, node: NodeID(1), isHotpluggable: true),
    ]
    #expect(
      try FirmwareMap(deviceTree: nodes, addressCells: .two, sizeCells: .two)
        == map((range(2 * gib, 3 * gib), .usable), (range(0x8_8000_0000, 0x9_8000_0000), .usable)))
    let topology = try #require(try NUMATopology(deviceTree: nodes, addressCells: .two, sizeCells: .two))
    #expect(topology.ranges.map(\.node) == [NodeID(0), NodeID(1)])
    #expect(topology.ranges.map(\.isHotpluggable) == [false, true])
    let narrow = DeviceTreeMemory(path: [], reg: [0x40, 0, 0, 0, 0x10, 0, 0, 0])
    #expect(try narrow.ranges(addressCells: .one, sizeCells: .one) == [range(gib, gib + 256 * mib)])
    #expect(throws: FirmwareMapError.truncatedProperty(length: ByteCount(8), entry: ByteCount(12))) {
      try narrow.ranges(addressCells: .two, sizeCells: .one)
    }
    let wrapping = DeviceTreeMemory(path: [], reg: Array(repeating: 0xff, count: 16))
    #expect(throws: FirmwareMapError.addressTooLarge(start: PhysicalAddress(.max), size: ByteCount(.max))) {
      try wrapping.ranges(addressCells: .two, sizeCells: .two)
    }
  }
}
