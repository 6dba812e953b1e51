import MemoryUnits

/// The messages of one boot while they are read, line by line.
struct BootSection {
  var entries: [FirmwareMap.Entry] = []
  var userEntries: [FirmwareMap.Entry] = []
  var nodeRanges: [NodeRange] = []
  var commandLine: [UInt8]?
  var hypervisor: HypervisorEvidence?
  var initialFileSystem: PhysicalRange?
  var memoryBlockSize: ByteCount?
  var corrections: [MapDirective] = []
  var firstLine: LineNumber?
  /// The first firmware entry that could not be read.
  var problem: FirmwareMapError?

  private var hasZones = false
  private var hasVersion = false
  private var pendingCorrections: [MapDirective] = []

  var hasEntries: Bool { firstLine != nil }
  /// Whether the boot got as far as dividing memory into zones.
  var isComplete: Bool { hasEntries && hasZones }

  /// Whether `line` is the first of another boot.
  func isFollowed(by line: ArraySlice<UInt8>) -> Bool {
    guard hasVersion || hasEntries || commandLine != nil else { return false }
    if line.after(Marker.version) != nil { return hasVersion || hasEntries }
    guard hasEntries else { return false }
    return line.after(Marker.mapHeader) != nil || (hasZones && line.after(Marker.entry) != nil)
  }

  mutating func read(_ line: ArraySlice<UInt8>, _ number: LineNumber) {
    // Most lines of a long log hold none of this; one look at what they have in common saves a dozen searches.
    guard Marker.mayBeOfInterest(line) else { return }
    if let rest = line.after(Marker.entry) { return readEntry(rest, number) }
    if let rest = line.after(Marker.userEntry) { return readUserEntry(rest) }
    if let rest = line.after(Marker.node) { return readNode(rest) }
    if let rest = line.after(Marker.update) { return readCorrection(rest, isRemoval: false) }
    if let rest = line.after(Marker.remove) { return readCorrection(rest, isRemoval: true) }
    if commandLine == nil, let rest = line.after(Marker.commandLine) { return commandLine = Array(rest) }
    if line.after(Marker.zones) != nil || line.after(Marker.oldZones) != nil { return hasZones = true }
    if line.after(Marker.version) != nil { return hasVersion = true }
    if line.after(Marker.sized) != nil {
      corrections += pendingCorrections
      return pendingCorrections = []
    }
    if initialFileSystem == nil, let rest = line.after(Marker.initialFileSystem) { return readInitialFileSystem(rest) }
    if let rest = line.after(Marker.blockSize) { return readBlockSize(rest) }
    readHypervisor(line)
  }

  private mutating func readEntry(_ text: ArraySlice<UInt8>, _ number: LineNumber) {
    firstLine = firstLine ?? number
    switch FirmwareMap.Entry.reading(text) {
    case .success(let entry): entries.append(entry)
    case .failure(let reason): problem = problem ?? .malformed(line: number, reason: reason)
    }
  }

  private mutating func readUserEntry(_ text: ArraySlice<UInt8>) {
    guard case .success(let entry) = FirmwareMap.Entry.reading(text) else { return }
    userEntries.append(entry)
  }

  /// `0 PXM 0 [mem 0x0-0x9ffff] hotplug`, or as old kernels: `0 PXM 0 0-a0000` with the end outside.
  private mutating func readNode(_ text: ArraySlice<UInt8>) {
    var scanner = Scanner(text)
    guard case .value(let number) = scanner.digits(radix: 10), let node = UInt32(exactly: number) else { return }
    guard scanner.skip(Marker.domain), case .value = scanner.digits(radix: 10) else { return }
    scanner.skipSpaces()
    let isBracketed = scanner.skip(Marker.bracket)
    guard case .success(let range) = isBracketed ? scanner.inclusiveRange() : scanner.exclusiveRange() else { return }
    nodeRanges.append(NodeRange(range, node: NodeID(node), isHotpluggable: scanner.rest.after(Marker.hotplug) != nil))
  }

  private mutating func readCorrection(_ text: ArraySlice<UInt8>, isRemoval: Bool) {
    var scanner = Scanner(text)
    guard scanner.skip(Marker.bracket), case .success(let range) = scanner.inclusiveRange(), scanner.skip(Marker.closing)
    else { return }
    if isRemoval {
      guard let kind = MemoryKind(logName: scanner.rest.trimmed) else { return }
      return pendingCorrections.append(.remove(range, kind))
    }
    guard let new = scanner.rest.after(Marker.becomes), let kind = MemoryKind(logName: new.trimmed) else { return }
    let oldName = scanner.rest.prefix(scanner.rest.count - new.count - Marker.becomes.count)
    guard let old = MemoryKind(logName: oldName.trimmed), old != kind else { return }
    pendingCorrections.append(.convert(range, from: old, to: kind))
  }

  private mutating func readInitialFileSystem(_ text: ArraySlice<UInt8>) {
    var scanner = Scanner(text)
    scanner.skipSpaces()
    guard scanner.skip(Marker.bracket), case .success(let range) = scanner.inclusiveRange() else { return }
    initialFileSystem = range
  }

  private mutating func readBlockSize(_ text: ArraySlice<UInt8>) {
    var scanner = Scanner(text)
    guard case .value(let size) = scanner.size() else { return }
    memoryBlockSize = ByteCount(size)
  }

  private mutating func readHypervisor(_ line: ArraySlice<UInt8>) {
    if let name = line.after(Marker.hypervisor) {
      hypervisor = .announced(name: Array(name.trimmed))
      return
    }
    guard hypervisor == nil else { return }
    if let product = line.after(Marker.product) {
      guard product.after(Marker.bareCloudMachine) == nil else { return }
      for name in Marker.virtualProducts where product.after(name) != nil { hypervisor = .product(name: name) }
    } else if let table = line.after(Marker.acpi) {
      for name in Marker.virtualFirmware where table.after(name) != nil { hypervisor = .firmwareTables(vendor: name) }
    }
  }
}

/// The texts by which messages are known.
private enum Marker {
  static let version = bytes("Linux version ")
  static let mapHeader = bytes("BIOS-provided physical RAM map:")
  static let entry = bytes("BIOS-e820:")
  static let userEntry = bytes("user: [mem ")
  static let node = bytes("SRAT: Node ")
  static let domain = bytes(" PXM ")
  static let bracket = bytes("[mem ")
  static let closing = bytes("]")
  static let hotplug = bytes("hotplug")
  static let update = bytes("e820: update ")
  static let remove = bytes("e820: remove ")
  static let becomes = bytes(" ==> ")
  static let commandLine = bytes("Command line: ")
  static let zones = bytes("Zone ranges:")
  static let oldZones = bytes("Zone PFN ranges:")
  static let sized = bytes("last_pfn = ")
  static let initialFileSystem = bytes("RAMDISK:")
  static let blockSize = bytes("Memory block size: ")
  static let hypervisor = bytes("Hypervisor detected: ")
  static let product = bytes("DMI: ")
  static let acpi = bytes("ACPI: ")
  static let bareCloudMachine = bytes(".metal")
  static let virtualProducts = [
    "QEMU", "KVM", "VMware", "VirtualBox", "Bochs", "Xen", "Virtual Machine", "Google Compute Engine", "Amazon EC2",
    "OpenStack", "Parallels", "Alibaba Cloud ECS", "Cloud Hypervisor", "Firecracker",
  ].map(bytes)
  static let virtualFirmware = ["BOCHS", "VBOX", "VRTUAL", "VMWARE"].map(bytes)

  /// Every message above but the version's has a colon or an equals sign.
  static func mayBeOfInterest(_ line: ArraySlice<UInt8>) -> Bool {
    line.contains(Ascii.colon) || line.contains(Ascii.equals) || line.after(version) != nil
  }
}

enum EntryReading {
  case success(FirmwareMap.Entry)
  case failure(EntryProblem)
}

extension FirmwareMap.Entry {
  /// ` [mem 0x100000-0x1fffff] usable`, or as old kernels: ` 0000000000100000 - 0000000000200000 (usable)`.
  static func reading(_ text: ArraySlice<UInt8>) -> EntryReading {
    var scanner = Scanner(text)
    scanner.skipSpaces()
    let isOld = scanner.next != Marker.bracket.first && !scanner.rest.starts(with: [Ascii.zero, Ascii.x])
    _ = scanner.skip(Marker.bracket)
    let range: PhysicalRange
    switch isOld ? scanner.exclusiveRange() : scanner.inclusiveRange() {
    case .success(let read): range = read
    case .failure(let problem): return .failure(problem)
    }
    _ = scanner.skip(Marker.closing)
    var name = scanner.rest.trimmed
    if isOld, name.first == 0x28, name.last == 0x29 { name = name.dropFirst().dropLast() }
    guard let kind = MemoryKind(logName: name) else { return .failure(.unknownKind) }
    return .success(FirmwareMap.Entry(range, kind))
  }
}

extension MemoryKind {
  /// The kind behind the words of a message.
  init?(logName name: ArraySlice<UInt8>) {
    for (text, kind) in MemoryKind.logNames where name.elementsEqual(text) {
      self = kind
      return
    }
    var scanner = Scanner(name)
    guard scanner.skip(MemoryKind.typePrefix), case .value(let number) = scanner.digits(radix: 10), scanner.isAtEnd,
      let type = UInt32(exactly: number)
    else { return nil }
    self.init(firmwareType: type)
  }

  private static let typePrefix = bytes("type ")
  private static let logNames: [([UInt8], MemoryKind)] = [
    (bytes("usable"), .usable), (bytes("reserved"), .reserved), (bytes("ACPI data"), .acpiReclaimable),
    (bytes("ACPI NVS"), .acpiNVS), (bytes("unusable"), .unusable), (bytes("persistent (type 7)"), .persistent),
    (bytes("persistent (type 12)"), .persistentLegacy), (bytes("soft reserved"), .softReserved),
  ]
}
