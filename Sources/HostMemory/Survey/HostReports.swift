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
  /// The boot parameters that concern memory.
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
        try ZoneReport.parse(try root.readText("proc/zoneinfo"), path: "proc/zoneinfo")
      } ?? []
    memory = try attempt("no totals") { () throws(HostFileError) in
      try KeyedNumbers(parsing: try root.readText("proc/meminfo"), path: "proc/meminfo")
    }
    events = try attempt("pinned memory goes unnoticed") { () throws(HostFileError) in
      try KeyedNumbers(parsing: try root.readText("proc/vmstat"), path: "proc/vmstat")
    }
    freeLists =
      try attempt("the allocator's top order is taken to be 10") { () throws(HostFileError) in
        try FreeLists.parse(try root.readText("proc/buddyinfo"), path: "proc/buddyinfo")
      } ?? []
    pageTypes = try attempt("the pageblock size is taken to be 2M, and pageblocks are not counted") {
      () throws(HostFileError) in
      try PageTypeReport(parsing: try root.readText("proc/pagetypeinfo"), path: "proc/pagetypeinfo")
    }
    release = try attempt("the kernel's version is unknown; taken to be older than 7.0") { () throws(HostFileError) in
      try KernelRelease(parsing: try root.readText("proc/version"), path: "proc/version")
    }
    commandLine = try attempt("boot settings are unknown") { () throws(HostFileError) in
      String(decoding: KernelCommandLine(parsing: Array(try root.readLine("proc/cmdline").utf8)).memoryKeysOnly, as: UTF8.self)
    }
    blocks = try attempt("offline blocks go unnoticed") { () throws(HostFileError) in try MemoryBlocks(of: root) } ?? nil
    pools =
      try attempt("pools are unknown") { () throws(HostFileError) in try HugePool.all(of: root, baseShift: baseShift) } ?? []
    slabs =
      try attempt("slab caches cannot be named") { () throws(HostFileError) in
        try SlabCache.parse(try root.readText("proc/slabinfo"), path: "proc/slabinfo")
      } ?? []
    processes =
      try attempt("processes cannot be named") { () throws(HostFileError) in try ProcessMemory.all(of: root) } ?? []
    if !root.exists(MappedCounts.runsPath) {
      _ = try attempt("frames without flags that processes map go unnoticed") { () throws(HostFileError) in
        try root.open(MappedCounts.wordsPath)
      }
    }
    systemMemory = try attempt("holes that have descriptors count as reserved") { () throws(HostFileError) in
      let path = "proc/iomem"
      let ranges = try SystemMemory.parse(try root.readText(path), path: path, baseShift: baseShift)
      // The kernel lets everybody open the file, and prints zeros for addresses.
      guard let ranges else { throw .denied(path: path) }
      return ranges
    }
    try readSettings(root)
    if !root.isLive { try checkAgreement() }
  }

  /// A capture's reports describe the same memory: a file that was cut at a line's end shows here.
  private func checkAgreement() throws(HostFileError) {
    guard let systemMemory, !zones.isEmpty else { return }
    var memory = FrameCount.zero
    let blockRanges = blocks.map { blocks in
      blocks.blocks.filter(\.isOnline).map { blocks.frames(of: $0, baseShift: baseShift) }
    }
    for range in systemMemory {
      guard let blockRanges else {
        memory += range.count
        continue
      }
      var index = blockRanges.firstIndex(endingAbove: range.start)
      while index < blockRanges.count, blockRanges[index].start < range.end {
        memory += blockRanges[index].intersection(range).count
        index += 1
      }
    }
    let present = zones.reduce(FrameCount.zero) { $0 + $1.present }
    let difference = max(memory, present) - min(memory, present)
    // Kernels round and reserve differently at the edges; a missing zone, range or block is far more.
    guard difference.rawValue > max(memory, present).rawValue / 50 else { return }
    throw .damaged(
      path: present < memory ? "proc/zoneinfo" : "proc/iomem", line: nil,
      reason: "zones have \(present) frames, the ranges and online blocks of memory \(memory): cut off")
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

  /// Why there are no zones.
  var zonesError: HostFileError? { unread.first { $0.error.path == "proc/zoneinfo" }?.error }

  /// Whether some frames are pinned somewhere.
  public var hasPins: Bool { pinnedFrames > .zero || processes.contains { $0.pinned > .zero } }

  /// The sizes that this kernel has pools for; the architecture's where none are listed.
  public var sizes: [PageSize] {
    let listed = pools.filter { $0.node == nil }.map(\.size)
    return listed.isEmpty ? Self.commonSizes : listed
  }

  /// What most kernels with 4 KiB base pages have.
  static let commonSizes = [ByteCount.mebibytes(2), .gibibytes(1)].compactMap(PageSize.init(exactly:))
}
