import MemoryUnits
import PhysicalLayout
import TestSupport
import Testing

@Suite struct BootLogTests {
  private func read(_ text: String) throws -> BootLog { try BootLog(parsing: Array(text.utf8)) }

  private let plain = """
    Linux version 6.1.0 (builder@host)
    Command line: quiet mem=1G
    BIOS-provided physical RAM map:
    BIOS-e820: [mem 0x0000000000000000-0x000000000009fbff] usable
    BIOS-e820: [mem 0x0000000000100000-0x000000007fffffff] usable
    BIOS-e820: [mem 0x0000000080000000-0x000000008fffffff] ACPI data
    BIOS-e820: [mem 0x0000000090000000-0x000000009fffffff] persistent (type 12)
    BIOS-e820: [mem 0x00000000a0000000-0x00000000a0000fff] type 20
    last_pfn = 0x80000 max_arch_pfn = 0x400000000
    ACPI: SRAT: Node 0 PXM 0 [mem 0x00000000-0x3fffffff]
    ACPI: SRAT: Node 1 PXM 4 [mem 0x40000000-0x7fffffff] hotplug
    Zone ranges:
    x86/mm: Memory block size: 128MB

    """

  private func check(_ log: BootLog) throws {
    #expect(log.firmwareMap.entries.count == 5)
    #expect(log.firmwareMap.kind(at: PhysicalAddress(0x9000_0000)) == .persistentLegacy)
    #expect(log.firmwareMap.kind(at: PhysicalAddress(0xa000_0000)) == .other(20))
    #expect(log.commandLine.mapDirectives == [.limit(PhysicalAddress(1 << 30))])
    #expect(
      log.topology?.ranges == [
        NodeRange(range(0, 1 << 30), node: NodeID(0)),
        NodeRange(range(1 << 30, 2 << 30), node: NodeID(1), isHotpluggable: true),
      ])
    #expect(log.memoryBlockSize == .mebibytes(128))
  }

  @Test func readsPlainMessages() throws {
    let log = try read(plain)
    try check(log)
    #expect(log.firstLine == LineNumber(4))
    #expect(log.hypervisor == nil)
  }

  @Test(arguments: [
    "[    0.000000] ", "Nov 21 09:00:00 host kernel: [    0.000000] ", "kern  :info  : [    0.000000] ", "<6>[    0.000000] ",
    "Nov 21 09:00:00 host kernel: ", "[Fri Nov 21 09:00:00 2025] ",
  ])
  func readsThroughPrefixesAndLineEnds(prefix: String) throws {
    let lines = plain.split(separator: "\n").map { prefix + $0 }
    try check(try read("noise\r\n" + lines.joined(separator: "\r\n")))
  }

  @Test func takesTheFirstCompleteBoot() throws {
    let cut = """
      Linux version 5.0
      BIOS-e820: [mem 0x0000000000000000-0x00000000
      """
    try check(try read("junk\n" + plain + plain))
    try check(try read(cut + "\n" + plain + cut))
    let other = plain.replacing("0x000000007fffffff", with: "0x000000006fffffff")
    try check(try read(plain + other))
    #expect(try read(other + plain).firmwareMap != read(plain).firmwareMap)
  }

  @Test func readsOldMessagesWithExclusiveEnds() throws {
    let text = """
      BIOS-provided physical RAM map:
       BIOS-e820: 0000000000000000 - 000000000009fc00 (usable)
       BIOS-e820: 0000000000100000 - 000000003fff0000 (usable)
       BIOS-e820: 000000003fff0000 - 0000000040000000 (ACPI NVS)
      SRAT: Node 0 PXM 0 0-a0000
      """
    let log = try read(text)
    #expect(
      log.firmwareMap.entries.map(\.range) == [range(0, 0x9fc00), range(0x10_0000, 0x3fff_0000), range(0x3fff_0000, 0x4000_0000)])
    #expect(log.firmwareMap.entries.last?.kind == .acpiNVS)
    #expect(log.topology?.ranges == [NodeRange(range(0, 0xa0000), node: NodeID(0))])
  }

  @Test func errorsNameTheLine() {
    #expect(throws: FirmwareMapError.noEntries) { try read("hello\nworld\n") }
    #expect(throws: FirmwareMapError.malformed(line: LineNumber(2), reason: .noAddress)) {
      try read("x\nBIOS-e820: [mem zz-0x1] usable\n")
    }
    #expect(throws: FirmwareMapError.malformed(line: LineNumber(1), reason: .unknownKind)) {
      try read("BIOS-e820: [mem 0x0-0x1fff] usab")
    }
    #expect(throws: FirmwareMapError.malformed(line: LineNumber(1), reason: .endsBeforeStart)) {
      try read("BIOS-e820: [mem 0x2000-0x1fff] usable")
    }
  }

  @Test func correctionsCountOnlyUntilMemoryWasSized() throws {
    let text = plain.replacing(
      "last_pfn = 0x80000", with: "e820: update [mem 0x3e000000-0x3effffff] usable ==> reserved\nlast_pfn = 0x80000")
    let log = try read(text + "e820: remove [mem 0x00100000-0x001fffff] usable\n")
    #expect(log.corrections == [.convert(range(0x3e00_0000, 0x3f00_0000), from: .usable, to: .reserved)])
    let layout = try BootLayout(of: BootDescription(log))
    #expect(layout.firmwareMap.kind(at: PhysicalAddress(0x3e00_0000)) == .reserved)
    #expect(layout.firmwareMap.kind(at: PhysicalAddress(0x10_0000)) == .usable)
  }

  @Test(
    arguments: [
      ("Hypervisor detected: KVM", true), ("DMI: QEMU Standard PC (i440FX + PIIX, 1996), BIOS 1.16", true),
      ("DMI: Amazon EC2 c5.metal/Not Specified, BIOS 1.0", false), ("DMI: Dell Inc. PowerEdge R640/0W23H8, BIOS 2.1", false),
      ("ACPI: RSDP 0x00000000000F59B0 000014 (v00 BOCHS )", true), ("DMI: VMware, Inc. VMware Virtual Platform", true),
    ])
  func hypervisorIsRecognised(line: String, isVirtual: Bool) throws {
    #expect((try read(plain + line + "\n").hypervisor != nil) == isVirtual)
  }

  @Test func aRecordedLogGivesTheSameOnceOrTwice() throws {
    for name in OracleCase.names {
      let oracle = try OracleCase(name)
      #expect(try BootLog(parsing: oracle.log + oracle.log) == BootLog(parsing: oracle.log))
    }
  }
}
