import MemoryUnits

/// What one boot's messages say about physical memory.
///
/// Made from the text of `dmesg`, a serial console's log or a system log: with or without time stamps and prefixes, with
/// anything before and after, and with several boots, or one boot several times, in it.
///
/// Linux: the messages of `e820__print_table`, `acpi_table_print_srat_entry`, `dmi_setup` and others.
public struct BootLog: Hashable, Sendable {
  /// What the firmware said, before the command line changed it. Linux: `BIOS-e820:` lines.
  public let firmwareMap: FirmwareMap
  /// The map after the command line's changes, where there were any. Linux: `user:` lines.
  public let userMap: FirmwareMap?
  /// Linux: the `Command line:` message; empty where there is none.
  public let commandLine: KernelCommandLine
  /// The command line as it stands in the log; nil where there is none.
  public let commandLineText: [UInt8]?
  /// The firmware's table of nodes, where it has one. Linux: `ACPI: SRAT:` lines.
  public let topology: NUMATopology?
  /// Why the machine is taken for a virtual one; nil where nothing says so.
  public let hypervisor: HypervisorEvidence?
  /// Where the boot loader put the initial file system. Linux: the `RAMDISK:` message.
  public let initialFileSystem: PhysicalRange?
  /// The size of a memory block, where the kernel told. Linux: the `Memory block size:` message.
  public let memoryBlockSize: ByteCount?
  /// Changes that the kernel made to the map on its own before it sized memory, in order.
  ///
  /// Linux: `e820: update` and `e820: remove` messages, which only the kernel's own buffer has.
  public let corrections: [MapDirective]
  /// The line of the first firmware entry.
  public let firstLine: LineNumber

  /// Reads the first complete boot in `text`: the first that got as far as telling its zones, or else the first that has
  /// firmware entries.
  ///
  /// - Throws: ``FirmwareMapError``: `.noEntries` where no boot has any, `.malformed` for an entry of the chosen boot that
  ///   cannot be read. What is wrong in other lines is passed over.
  /// - Complexity: O(length of the text).
  public init(parsing text: [UInt8]) throws(FirmwareMapError) {
    var chosen: BootSection?
    var fallback: BootSection?
    var current = BootSection()
    forEachLine(of: text) { line, number in
      guard chosen == nil else { return }
      if current.isFollowed(by: line) {
        if current.isComplete {
          chosen = current
          return
        }
        if current.hasEntries, fallback == nil { fallback = current }
        current = BootSection()
      }
      current.read(line, number)
    }
    let section = chosen ?? (current.isComplete ? current : fallback ?? current)
    if let problem = section.problem { throw problem }
    guard let firstLine = section.firstLine else { throw .noEntries }
    firmwareMap = FirmwareMap(section.entries)
    userMap = section.userEntries.isEmpty ? nil : FirmwareMap(section.userEntries)
    commandLineText = section.commandLine
    commandLine = section.commandLine.map { KernelCommandLine(parsing: $0) } ?? KernelCommandLine()
    topology = section.nodeRanges.isEmpty ? nil : NUMATopology(section.nodeRanges)
    hypervisor = section.hypervisor
    initialFileSystem = section.initialFileSystem
    memoryBlockSize = section.memoryBlockSize
    corrections = section.corrections
    self.firstLine = firstLine
  }
}

/// Why a machine is taken for a virtual one.
public enum HypervisorEvidence: Hashable, Sendable {
  /// The kernel found a hypervisor and told its name.
  case announced(name: [UInt8])
  /// The machine's own description names a virtual product.
  case product(name: [UInt8])
  /// ACPI tables come from a known hypervisor's firmware.
  case firmwareTables(vendor: [UInt8])
}
