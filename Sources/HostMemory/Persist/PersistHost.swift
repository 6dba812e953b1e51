public import MemoryUnits
public import PhysicalLayout

/// What decides how a host's pools are kept over a boot.
public struct PersistHost: Sendable {
  /// Sizes that it has pages of, ascending.
  public let sizes: [PageSize]
  /// Linux: `Hugepagesize` of `/proc/meminfo`.
  public let defaultSize: PageSize?
  /// Empty where they are not known; then every node is believed.
  public let nodes: [NodeID]
  /// The preset that it looks like; nil where none fits.
  public let architecture: Architecture?
  public let release: KernelRelease?
  public let memory: ByteCount?
  /// Whether the machine runs, or is set up to run, a kubelet.
  public let hasKubelet: Bool
  /// Where other files set boot parameters or sizes of pools.
  public let settings: OtherSettings
  /// Whether the plan is for a machine of another kind than the one whose files are read; these then count for nothing.
  public let isOtherMachine: Bool
  let topOrder: Order
  let baseShift: PageShift

  /// Reads below `root`.
  ///
  /// - Parameter architecture: plans for such a machine; nil for the host's own sizes.
  /// - Throws: `.missing` where the host tells no sizes and no architecture is named; `.damaged`.
  public init(of root: Sysroot, architecture wanted: Architecture? = nil) throws(HostFileError) {
    let reports = try HostReports(of: root)
    let listed = Set(reports.pools.map(\.size)).sorted()
    guard !listed.isEmpty || wanted != nil else { throw .missing(path: HugePoolFiles.folder(of: nil)) }
    let seen = listed.isEmpty ? nil : Self.preset(sizes: listed, baseShift: reports.baseShift)
    let isThisHost = !listed.isEmpty && (wanted == nil || wanted == seen)
    isOtherMachine = !listed.isEmpty && !isThisHost
    architecture = wanted ?? seen
    sizes = isThisHost ? listed : wanted?.hugeSizes ?? listed
    let given = reports.memory?.bytes("Hugepagesize").flatMap(PageSize.init(exactly:))
    defaultSize = isThisHost ? given : architecture?.defaultHugeSize
    nodes = isThisHost ? Set(reports.pools.compactMap(\.node)).sorted() : []
    release = isThisHost ? reports.release : nil
    memory = isThisHost ? reports.memory?.bytes("MemTotal") : nil
    baseShift = isThisHost ? reports.baseShift : wanted?.baseShift ?? reports.baseShift
    topOrder = isThisHost && !reports.freeLists.isEmpty ? reports.policy.topOrder : architecture?.maxOrder ?? Order(10)
    guard !isOtherMachine else {
      hasKubelet = false
      settings = OtherSettings()
      return
    }
    let folders = ["etc/kubernetes", "var/lib/kubelet", "var/lib/rancher"]
    hasKubelet = reports.processes.contains { $0.name == "kubelet" } || folders.contains(where: root.exists)
    settings = try OtherSettings(of: root, running: isThisHost ? reports.commandLine : nil)
  }

  /// Whether such pages come from contiguous ranges, which are hard to have after the boot.
  func isGigantic(_ size: PageSize) -> Bool { size.order(baseShift: baseShift) > topOrder }

  /// The preset with the same base page that has all these sizes, and the fewest others.
  static func preset(sizes: [PageSize], baseShift: PageShift) -> Architecture? {
    Architecture.allPresets
      .filter { preset in preset.baseShift == baseShift && sizes.allSatisfy(preset.hugeSizes.contains) }
      .min { $0.hugeSizes.count < $1.hugeSizes.count }
  }

  /// Whether `hugepages=` may name nodes. Linux: since 5.16, and never on powerpc (`hugetlb_node_alloc_supported`).
  var bootPagesNameNodes: Bool { (release?.isAtLeast(5, 16) ?? true) && !isPower }

  /// A host that translates by radix trees has other sizes than the preset, which is of the hash table: of 64 KiB pages only such
  /// a host has 1 GiB ones. With 4 KiB pages its sizes are those of x86_64 and do not tell it.
  var isPower: Bool {
    hasHashTable
      || architecture == nil && baseShift == Architecture.ppc64Granule64K.baseShift && sizes.contains(Self.radixGigantic)
  }

  /// Whether large pages of a partition come from its profile.
  var hasHashTable: Bool { architecture?.name == Architecture.ppc64Granule64K.name }

  private static let radixGigantic = PageSize(shift: PageShift(30))
}

extension Architecture {
  /// The size of one entry a level above the base pages, which kernels take where no size is named.
  var defaultHugeSize: PageSize? {
    guard let bits = tableBits.first else { return nil }
    let size = PageSize(shift: PageShift(baseShift.rawValue + bits))
    return hugeSizes.contains(size) ? size : hugeSizes.first
  }
}
