import MemoryUnits

/// What a host can give in large pages, and what stands in the way.
public struct Survey: Sendable {
  public let reports: HostReports
  /// One result per size, ascending; empty where the frames could not be read.
  public let sizes: [SizeResult]
  /// Why the frames could not be read, where they could not.
  public let framesError: HostFileError?
  /// How each zone's frames without flags were read, for those who explain.
  let judgements: [ZoneJudgement]
  let layout: HostLayout
  /// Frames of zones that have no descriptors, ascending: holes that no report names.
  let holes: [FrameRange]

  /// Sizes of more ranges than this are counted and not listed: 64 TiB of 1 GiB pages stay below it.
  static let listLimit: UInt64 = 1 << 16

  /// - Parameters:
  ///   - sizes: the sizes to survey; nil for all that the kernel has pools for.
  ///   - progress: told how far the scan is, in frames of the end; may throw to stop.
  /// - Throws: `.damaged` for files that contradict their format. Files that are missing or denied are listed in the
  ///   reports; the rest is surveyed.
  public init(
    of root: Sysroot, sizes wanted: [PageSize]? = nil,
    progress: (FrameNumber, FrameNumber) throws(HostFileError) -> Void = { (_, _) in }
  ) throws(HostFileError) {
    var reports = try HostReports(of: root)
    let layout = HostLayout(
      zones: reports.zones, blocks: reports.blocks, memory: reports.systemMemory, baseShift: reports.baseShift)
    self.layout = layout
    let sizes = (wanted ?? reports.sizes).sorted()
    do throws(HostFileError) {
      // Without zones no frame has a place; what kept them from being read is what is wrong.
      if let error = reports.zonesError { throw error }
      let scan = try SurveyScan(root, reports, layout, sizes: sizes, progress: progress)
      self.sizes = try scan.results(root, reports)
      judgements = scan.judgements
      holes = scan.holes
      framesError = nil
    } catch .damaged(let path, let line, let reason) {
      throw .damaged(path: path, line: line, reason: reason)
    } catch {
      if error.path != "proc/zoneinfo" { reports.noteUnreadFrames(error) }
      self.sizes = []
      judgements = []
      holes = []
      framesError = error
    }
    self.reports = reports
  }
}

/// One pass over the frames for a survey, and what it leaves to judge.
struct SurveyScan {
  let sizes: [PageSize]
  let orders: [Order]
  let layout: HostLayout
  let policy: KernelPolicy
  let judgements: [ZoneJudgement]
  let holes: [FrameRange]
  private let scan: FrameScan.Result
  private let groups: [[TallyGroup]]
  private let lists: [[RangeTally]?]
  private let hasPins: Bool

  init(
    _ root: Sysroot, _ reports: HostReports, _ layout: HostLayout, sizes: [PageSize],
    progress: (FrameNumber, FrameNumber) throws(HostFileError) -> Void
  ) throws(HostFileError) {
    let orders = sizes.map { $0.order(baseShift: reports.baseShift) }
    let policy = reports.policy
    let end = layout.end
    var lists: [[RangeTally]?] = orders.map { order in
      policy.isGigantic(order) && end.rawValue / order.frames.rawValue <= Survey.listLimit ? [] : nil
    }
    var collectors = orders.map { GroupCollector(order: $0) }
    let source = try FlagSource(root)
    let pieces = HoleRuns()
    scan = try FrameScan.run(
      source, layout: layout, pageblock: policy.pageblockOrder, topOrder: policy.topOrder,
      section: Self.section(reports), sizes: orders, pieces: pieces,
      progress: { (frame) throws(HostFileError) in try progress(frame, end) },
      consume: { index, tally in
        if lists[index] != nil { lists[index]?.append(tally) } else { collectors[index].add(tally) }
      })
    try Self.checkEnd(scan.end, source.path, layout, reports)
    let zones = try Self.withListsSince(layout.zones, root)
    judgements = zones.indices.map { [scan] in
      ZoneJudgement(zones[$0], seen: scan.zones[$0], nearUnmovable: scan.nearUnmovable[$0])
    }
    holes = pieces.runs
    self.sizes = sizes
    self.orders = orders
    self.layout = layout
    self.policy = policy
    self.lists = lists
    groups = collectors.map(\.groups)
    hasPins = reports.hasPins
  }

  func judge(for order: Order) -> RangeJudge {
    RangeJudge(zones: layout.zones, judgements: judgements, policy: policy, order: order, hasPins: hasPins)
  }

  func results(_ root: Sysroot, _ reports: HostReports) throws(HostFileError) -> [SizeResult] {
    let counts = try MappedCounts(root)
    let obtainability = Obtainability(
      zones: layout.zones, judgements: judgements, seen: scan.zones, policy: policy,
      handedOverLater: reports.handedOverLater)
    var results: [SizeResult] = []
    for index in sizes.indices {
      var result = SizeResult(size: sizes[index], order: orders[index], isGigantic: policy.isGigantic(orders[index]))
      let judge = judge(for: orders[index])
      if let tallies = lists[index] {
        var verdicts: [RangeVerdict] = []
        verdicts.reserveCapacity(tallies.count)
        for tally in tallies { verdicts.append(try self.verdict(on: tally, judge, counts)) }
        obtainability.takeContiguous(&verdicts, &result)
        result.verdicts = verdicts
      } else {
        obtainability.takeFromLists(groups[index], judge: judge, &result)
      }
      results.append(result)
    }
    return results
  }

  /// Judges a range, and asks how often its frames without flags are mapped where the verdict hangs on them.
  private func verdict(
    on tally: RangeTally, _ judge: RangeJudge, _ counts: MappedCounts
  ) throws(HostFileError) -> RangeVerdict {
    let verdict = judge.judge(tally)
    guard RangeJudge.hangs(verdict, tally) else { return verdict }
    var finding = MappedCounts.Finding()
    for doubt in scan.doubts(in: verdict.range) { try counts.look(in: doubt, &finding) }
    return finding.first == nil ? verdict : judge.judge(tally, mapped: finding)
  }

  /// Zones with the fuller of their per-CPU lists before and after the scan, during which these fill and drain.
  private static func withListsSince(_ zones: [ZoneReport], _ root: Sysroot) throws(HostFileError) -> [ZoneReport] {
    guard root.isLive else { return zones }
    let since = try ZoneReport.parse(try root.read("proc/zoneinfo"), path: "proc/zoneinfo")
    return zones.map { zone in
      var zone = zone
      let later = since.first { $0.node == zone.node && $0.name == zone.name }?.onCPULists
      if let earlier = zone.onCPULists, let later { zone.onCPULists = max(earlier, later) }
      return zone
    }
  }

  /// The unit in which a kernel hands memory over.
  static func section(_ reports: HostReports) -> Order {
    Order(exactly: FrameCount(.mebibytes(128), reports.baseShift, rounded: .down)) ?? Order(15)
  }

  /// Kernels describe frames up to a section's end; data that stop below the end of memory were cut off.
  private static func checkEnd(
    _ end: FrameNumber, _ path: String, _ layout: HostLayout, _ reports: HostReports
  ) throws(HostFileError) {
    if end == FrameNumber(0) { throw .damaged(path: path, line: nil, reason: "holds no frames: cut off") }
    let online = layout.segments.last { if case .zone = $0.state { true } else { false } }?.range.end
    guard let online else { return }
    // A zone's span may end in a hole where neither blocks nor the firmware's map tell.
    guard reports.blocks != nil || reports.systemMemory != nil else { return }
    if end < online {
      throw .damaged(
        path: path, line: nil, reason: "ends at frame \(end) and memory at frame \(online): cut off")
    }
  }
}

/// Collects the holes inside zones that only the frames themselves show.
final class HoleRuns: FramePieces {
  private(set) var runs: [FrameRange] = []

  func add(_ range: FrameRange, _ kind: FrameClass, _ state: HostLayout.State, hugePage: FrameCount) {
    guard kind == .absent, case .zone = state else { return }
    if let last = runs.last, last.end == range.start {
      runs[runs.count - 1] = FrameRange(start: last.start, end: range.end)
    } else {
      runs.append(range)
    }
  }
}

extension FrameScan.Result {
  /// The undecided runs that lie in a range.
  func doubts(in range: FrameRange) -> [FrameRange] {
    if !hasAllDoubts, range.end > doubts.last?.start ?? FrameNumber(0) { return [range] }
    let low = doubts.firstIndex(endingAbove: range.start)
    var end = low
    while end < doubts.count, doubts[end].start < range.end { end += 1 }
    return doubts[low..<end].map { $0.intersection(range) }
  }
}

/// Gathers ranges into groups of equal signatures.
struct GroupCollector {
  let order: Order
  private(set) var groups: [TallyGroup] = []
  private var positions: [RangeSignature: Int] = [:]
  private var last: (signature: RangeSignature, position: Int)?

  init(order: Order) { self.order = order }

  mutating func add(_ tally: RangeTally) {
    let signature = RangeSignature(tally, order: order)
    if let last, last.signature == signature {
      groups[last.position].amounts.addAmounts(of: tally)
      groups[last.position].ranges += 1
      return
    }
    if let position = positions[signature] {
      groups[position].amounts.addAmounts(of: tally)
      groups[position].ranges += 1
      last = (signature, position)
      return
    }
    positions[signature] = groups.count
    last = (signature, groups.count)
    groups.append(TallyGroup(example: tally, amounts: tally))
  }
}
