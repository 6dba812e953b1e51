public import PhysicalLayout

/// A place in a file of settings.
public struct SettingPlace: Sendable, Hashable, CustomStringConvertible {
  public let path: String
  /// Nil where the file is one setting as a whole.
  public let line: LineNumber?

  public var description: String { line.map { "\(path):\($0)" } ?? path }
}

/// Settings of boot parameters and of pools in files that are not ours, and of the kernel that runs.
public struct OtherSettings: Sendable {
  /// The names of our files; what stands in them is replaced and cannot be in the way.
  static let ownName = "60-megalith-hugepages"

  /// Boot parameters that concern memory, by place.
  public private(set) var bootParameters: [(place: SettingPlace, line: KernelCommandLine)] = []
  /// Places that set the size of the default pool. Linux: `vm.nr_hugepages`.
  public private(set) var poolSizes: [(place: SettingPlace, isLaterThanOurs: Bool)] = []
  /// What the running kernel was started with.
  public let running: KernelCommandLine?
  /// Whether GRUB's settings are read from a folder too, as Debian's and Ubuntu's are.
  public let readsGRUBFolder: Bool

  /// None.
  init() {
    running = nil
    readsGRUBFolder = false
  }

  init(of root: Sysroot, running: String?) throws(HostFileError) {
    self.running = running.map { KernelCommandLine(parsing: Array($0.utf8)) }
    readsGRUBFolder =
      root.exists("etc/default/grub.d") || root.exists("etc/default/grub") && root.exists("etc/debian_version")
    for path in ["etc/default/grub"] + (try Self.files(root, "etc/default/grub.d", ".cfg")) {
      try readGRUB(root, path)
    }
    for path in ["etc/kernel/cmdline"] + (try Self.files(root, "etc/cmdline.d", ".conf")) {
      guard let content = try Self.content(root, path) else { continue }
      for (number, line) in TextLines(content) where line.trimmed.first != 0x23 { add(line, path, number) }
    }
    for folder in ["usr/lib/sysctl.d", "run/sysctl.d", "etc/sysctl.d"] {
      for path in try Self.files(root, folder, ".conf") { try readSettings(root, path) }
    }
    try readSettings(root, "etc/sysctl.conf")
  }

  private static func files(_ root: Sysroot, _ folder: String, _ end: String) throws(HostFileError) -> [String] {
    try root.list(folder).filter { $0.hasSuffix(end) && !$0.hasPrefix(ownName) }.map { "\(folder)/\($0)" }
  }

  private static func content(_ root: Sysroot, _ path: String) throws(HostFileError) -> [UInt8]? {
    do {
      return try root.read(path, limit: 1 << 20)
    } catch .missing {
      return nil
    }
  }

  private mutating func add(_ text: ArraySlice<UInt8>, _ path: String, _ number: LineNumber?) {
    let line = KernelCommandLine(parsing: Array(text))
    guard !line.hugePages.isEmpty || line.hugePageArea != nil || line.defaultHugePageSize != nil || !line.problems.isEmpty
    else { return }
    bootParameters.append((SettingPlace(path: path, line: number), line))
  }

  /// `GRUB_CMDLINE_LINUX="..."` and its like; shell that does more than assign is not understood.
  private mutating func readGRUB(_ root: Sysroot, _ path: String) throws(HostFileError) {
    guard let content = try Self.content(root, path) else { return }
    for (number, line) in TextLines(content) {
      let line = line.trimmed
      guard line.starts(with: "GRUB_CMDLINE_LINUX"), let equals = line.firstIndex(of: 0x3d) else { continue }
      add(line[(equals + 1)...].filter { $0 != 0x22 && $0 != 0x27 }[...], path, number)
    }
  }

  private mutating func readSettings(_ root: Sysroot, _ path: String) throws(HostFileError) {
    guard let content = try Self.content(root, path) else { return }
    for (number, line) in TextLines(content) {
      guard let equals = line.firstIndex(of: 0x3d) else { continue }
      let key = line[..<equals].trimmed.text.replacing("/", with: ".")
      guard key == "vm.nr_hugepages" || key == "-vm.nr_hugepages" else { continue }
      // Files apply in the order of their names, whatever folder they are in; sysctl.conf comes last.
      let name = path.split(separator: "/").last.map(String.init) ?? path
      poolSizes.append(
        (SettingPlace(path: path, line: number), name == "sysctl.conf" || name > "\(Self.ownName).conf"))
    }
  }
}
