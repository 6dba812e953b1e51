import MemoryUnits
import PhysicalLayout

/// Something that could not be read, and what the survey lacks for it.
public struct Unread: Sendable, Hashable {
  public let error: HostFileError
  /// What is missing in the result, as a clause.
  public let cost: String
}

/// Everything that is read of a host except its frames.
public struct HostReports: Sendable {
  public var baseShift = PageShift(12)
  public var memory: KeyedNumbers?
  public var events: KeyedNumbers?
  public var zones: [ZoneReport] = []
  public var freeLists: [FreeLists] = []
  public var pageTypes: PageTypeReport?
  public var release: KernelRelease?
  public var commandLine: String?
  public var blocks: MemoryBlocks?
  public var pools: [HugePool] = []
  public var slabs: [SlabCache] = []
  public var processes: [ProcessMemory] = []
  /// Memory as the firmware tells it, in whole frames; nil where the kernel hides addresses.
  public var systemMemory: [FrameRange]?
  /// Linux: `/sys/kernel/mm/transparent_hugepage/enabled`: the word in brackets.
  public var transparentHugePages: String?
  /// Linux: `vm.movable_gigantic_pages`; nil where the kernel has no such setting.
  public var movesGigantic: Bool?
  public var unread: [Unread] = []

  /// Reads below `root`.
  ///
  /// - Throws: only `.damaged`; files that are missing or denied are listed in `unread`.
  public init(of root: Sysroot) throws(HostFileError) {
    let baseShift = try Self.baseShift(of: root)
    self.baseShift = baseShift
    zones =
      try attempt("no zones, so no range can be placed") { () throws(HostFileError) in
        try ZoneReport.parse(try root.read("proc/zoneinfo"), path: "proc/zoneinfo")
      } ?? []
    memory = try attempt("no totals") { () throws(HostFileError) in
      try KeyedNumbers(parsing: try root.read("proc/meminfo"), path: "proc/meminfo")
    }
    events = try attempt("pinned memory goes unnoticed") { () throws(HostFileError) in
      try KeyedNumbers(parsing: try root.read("proc/vmstat"), path: "proc/vmstat")
    }
    freeLists =
      try attempt("the allocator's top order is taken to be 10") { () throws(HostFileError) in
        try FreeLists.parse(try root.read("proc/buddyinfo"), path: "proc/buddyinfo")
      } ?? []
    pageTypes = try attempt("the pageblock size is taken to be 2M, and pageblocks are not counted") {
      () throws(HostFileError) in
      try PageTypeReport(parsing: try root.read("proc/pagetypeinfo"), path: "proc/pagetypeinfo")
    }
    release = try attempt("the kernel's version is unknown; taken to be older than 7.0") { () throws(HostFileError) in
      try KernelRelease(parsing: try root.read("proc/version"), path: "proc/version")
    }
    commandLine = try attempt("boot settings are unknown") { () throws(HostFileError) in
      try root.readLine("proc/cmdline")
    }
    blocks = try attempt("offline blocks go unnoticed") { () throws(HostFileError) in try MemoryBlocks(of: root) } ?? nil
    pools =
      try attempt("pools are unknown") { () throws(HostFileError) in try HugePool.all(of: root) } ?? []
    slabs =
      try attempt("slab caches cannot be named") { () throws(HostFileError) in
        try SlabCache.parse(try root.read("proc/slabinfo"), path: "proc/slabinfo")
      } ?? []
    processes = try ProcessMemory.all(of: root)
    systemMemory = try attempt("holes that have descriptors count as reserved") { () throws(HostFileError) in
      let path = "proc/iomem"
      let ranges = try SystemMemory.parse(try root.read(path), path: path, baseShift: baseShift)
      // The kernel lets everybody open the file, and prints zeros for addresses.
      guard let ranges else { throw .denied(path: path) }
      return ranges
    }
    try readSettings(root)
  }

  private mutating func readSettings(_ root: Sysroot) throws(HostFileError) {
    if let choices = try? root.readLine("sys/kernel/mm/transparent_hugepage/enabled"),
      let chosen = choices.split(separator: " ").first(where: { $0.hasPrefix("[") })
    {
      transparentHugePages = String(chosen.dropFirst().dropLast())
    }
    if root.exists("proc/sys/vm/movable_gigantic_pages") {
      movesGigantic = try attempt("movable zones count as unused for gigantic pages") { () throws(HostFileError) in
        try root.readNumber("proc/sys/vm/movable_gigantic_pages") != 0
      }
    }
  }

  private mutating func attempt<Value>(
    _ cost: String, _ body: () throws(HostFileError) -> Value
  ) throws(HostFileError) -> Value? {
    do {
      return try body()
    } catch .damaged(let path, let line, let reason) {
      throw .damaged(path: path, line: line, reason: reason)
    } catch {
      unread.append(Unread(error: error, cost: cost))
      return nil
    }
  }

  /// Notes that the frames themselves could not be read.
  mutating func noteUnreadFrames(_ error: HostFileError) {
    unread.append(Unread(error: error, cost: "what stands in each range is unknown"))
  }

  public var policy: KernelPolicy {
    KernelPolicy(
      topOrder: freeLists.compactMap(\.topOrder).max() ?? Order(10),
      pageblockOrder: pageTypes?.pageblockOrder ?? Order(UInt8(21 - min(baseShift.rawValue, 20))),
      usesMovableZone: movesGigantic ?? false,
      movesSmallerHugePages: movesGigantic != nil || release?.isAtLeast(7, 0) ?? false)
  }

  /// Pages that are pinned at this moment, for a device or for long; 0 where the kernel does not count them.
  public var pinnedFrames: FrameCount {
    let acquired = events?["nr_foll_pin_acquired"] ?? 0
    let released = events?["nr_foll_pin_released"] ?? 0
    return FrameCount(acquired).saturatingSubtracting(FrameCount(released))
  }

  /// Memory that the kernel counts as the allocator's and has not yet given to it.
  var handedOverLater: FrameCount? {
    guard let total = memory?.bytes("MemTotal"), !zones.isEmpty else { return nil }
    let managed = zones.reduce(FrameCount.zero) { $0 + $1.managed }
    return FrameCount(total, baseShift, rounded: .down).saturatingSubtracting(managed)
  }

  /// The sizes that this kernel has pools for; the architecture's where none are listed.
  public var sizes: [PageSize] {
    let listed = pools.filter { $0.node == nil }.map(\.size)
    return listed.isEmpty ? Self.commonSizes : listed
  }

  /// What most kernels with 4 KiB base pages have.
  static let commonSizes = [ByteCount.mebibytes(2), .gibibytes(1)].compactMap(PageSize.init(exactly:))
}
