import MemoryUnits

extension Survey {
  /// Which ranges to explain.
  public struct Selection: Sendable {
    public var node: NodeID?
    public var range: FrameRange?
    public var limit: UInt64?

    public init(node: NodeID? = nil, range: FrameRange? = nil, limit: UInt64? = nil) {
      self.node = node
      self.range = range
      self.limit = limit
    }
  }

  /// The zone of a range: the one that its frames belong to, for holes the one that spans them; nil for several.
  public func zone(of verdict: RangeVerdict) -> ZoneReport? {
    if let zone = verdict.zone { return reports.zones[zone] }
    let spanning = reports.zones.filter { $0.span.overlaps(verdict.range) }
    return spanning.count == 1 ? spanning.first : nil
  }

  /// The node of a range, nil for ranges between nodes.
  public func node(of verdict: RangeVerdict) -> NodeID? {
    if let zone = verdict.zone { return reports.zones[zone].node }
    let nodes = Set(reports.zones.filter { $0.span.overlaps(verdict.range) }.map(\.node))
    return nodes.count == 1 ? nodes.first : nil
  }

  /// Calls `body` with the verdict on each selected range of a surveyed size, in ascending order.
  ///
  /// Sizes that the survey only counted are scanned a second time, in constant memory; on a live host frames may have
  /// changed hands since the first. As in the survey of such sizes, `kpagecount` is not asked about frames without flags.
  public func explain(
    _ result: SizeResult, of root: Sysroot, _ selection: Selection, _ body: (RangeVerdict) -> Void
  ) throws(HostFileError) {
    var left = selection.limit ?? .max
    func emit(_ verdict: RangeVerdict) {
      guard left > 0 else { return }
      if let range = selection.range, !range.overlaps(verdict.range) { return }
      if let node = selection.node, self.node(of: verdict) != node { return }
      left -= 1
      body(verdict)
    }
    guard result.verdicts.isEmpty else { return result.verdicts.forEach(emit) }
    let policy = reports.policy
    let judge = RangeJudge(
      zones: reports.zones, judgements: judgements, policy: policy, order: result.order, hasPins: reports.hasPins)

    _ = try FrameScan.run(
      try FlagSource(root), layout: layout, pageblock: policy.pageblockOrder, topOrder: policy.topOrder,
      section: SurveyScan.section(reports), sizes: [result.order], pieces: HoleRuns(),
      progress: { _ in },
      consume: { _, tally in emit(judge.judge(tally)) })
  }
}

/// Who may be behind what blocks ranges. The kernel does not say who owns a frame; these are the likeliest of the host.
public struct Suspects: Sendable {
  /// Processes with pinned memory, the most first.
  public let pinning: [ProcessMemory]
  /// Processes with locked memory, the most first. Locked memory moves, unless a device pins it too.
  public let locking: [ProcessMemory]
  /// Processes with page tables, the most first.
  public let mapping: [ProcessMemory]
  /// Slab caches, the largest first.
  public let slabs: [SlabCache]

  public init(_ reports: HostReports) {
    pinning = Self.most(reports.processes, \.pinned)
    locking = Self.most(reports.processes, \.locked)
    mapping = Self.most(reports.processes, \.pageTables)
    slabs = reports.slabs.filter { $0.frames > .zero }
  }

  private static func most(_ processes: [ProcessMemory], _ amount: KeyPath<ProcessMemory, ByteCount>) -> [ProcessMemory] {
    processes.filter { $0[keyPath: amount] > .zero }
      .sorted { ($1[keyPath: amount], $0.id) < ($0[keyPath: amount], $1.id) }
  }

  /// At most `limit` names for one range.
  public func names(for verdict: RangeVerdict, limit: Int = 3) -> [String] {
    var names: [String] = []
    func add(_ processes: [ProcessMemory]) { names += processes.prefix(limit).map { "\($0.name)(\($0.id))" } }
    if verdict.reasons[.slab] != nil { names += slabs.prefix(limit).map(\.name) }
    if verdict.reasons[.pageTables] != nil { add(mapping) }
    if verdict.toMove > .zero, verdict.verdict != .excluded {
      add(pinning)
      // Some drivers account what they pin as locked.
      add(locking.filter { process in !pinning.contains(process) })
    }
    return names
  }
}

extension Survey {
  /// The sizes that a host has pages of, without a survey.
  public static func sizes(of root: Sysroot) throws(HostFileError) -> [PageSize] {
    do {
      let shift = try HostReports.baseShift(of: root)
      let listed = try HugePool.all(of: root, baseShift: shift).filter { $0.node == nil }.map(\.size)
      if !listed.isEmpty { return listed }
    } catch .damaged(let path, let line, let reason) {
      throw .damaged(path: path, line: line, reason: reason)
    } catch {}
    return HostReports.commonSizes
  }
}
