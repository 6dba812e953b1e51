public import FrameAllocator
public import FrameMap
public import HostArena
public import Megalith
public import MemoryUnits
public import PhysicalLayout

/// Why no machine was made of a host.
public enum CapturedMachineError: Error, Hashable, Sendable {
  /// A file of the host that is needed is missing, denied or damaged.
  case file(HostFileError)
  /// Zones and memory make no layout.
  case layout(BootLayoutError)
  case machine(MachineError)
  /// The frames contradict the layout.
  case frames(FrameRange, FolioError)
}

extension Machine where Storage == HostStorage {
  /// Makes a machine of a host, live or captured: the same nodes, zones, watermarks and policies, and every frame in the state that
  /// its class stands for. What can be had of the machine predicts what can be had of the host. Metadata only; the host is only read.
  ///
  /// | the host's frame | here |
  /// |---|---|
  /// | free | free |
  /// | migratable | a movable folio, naturally aligned, of a pageblock at most |
  /// | unmodified file cache | such a folio that `owner` can drop |
  /// | between lists | a movable frame that is referenced by others until these settle |
  /// | slab; the kernel's own; page tables; reserved | folios that stay: reclaimable; unmovable; by their kinds |
  /// | pool page | a folio of a pool, with its own head and order |
  /// | balloon, poisoned | claimed |
  /// | no flags | free or the kernel's, as the zone's sums tell (``ZoneReport/onCPULists``); where they leave it open, the kernel's |
  /// | not handed over yet | claimed, until `owner` hands it over |
  /// | absent, offline, device memory | no memory |
  ///
  /// All present frames count as managed, reserved ones too; the host leaves these out.
  ///
  /// - Parameters:
  ///   - root: what to read. A live host is read twice; frames may change hands in between.
  ///   - owner: gets the folios that move; one that owns nothing yet.
  ///   - model: of the machine's descriptors; decides nothing but their cost.
  /// - Throws: ``CapturedMachineError``.
  /// - Complexity: two scans of the frames; a descriptor for each block in use. Terabytes in large pieces cost little, a host whose
  ///   every other frame is held 32 bytes each.
  public init(
    capture root: Sysroot, owner: CapturedFolios, model: MemoryModel = .vmemmap
  ) throws(CapturedMachineError) {
    let survey: Survey
    do throws(HostFileError) { survey = try Survey(of: root) } catch { throw .file(error) }
    try self.init(survey, of: root, owner: owner, model: model)
  }

  /// The same of a host that was surveyed, which saves the first scan.
  ///
  /// - Parameter root: what the survey was made of.
  public init(
    _ survey: Survey, of root: Sysroot, owner: CapturedFolios, model: MemoryModel = .vmemmap
  ) throws(CapturedMachineError) {
    self = try Self.made(of: survey, root, owner, model)
  }

  private static func made(
    of survey: Survey, _ root: Sysroot, _ owner: CapturedFolios, _ model: MemoryModel
  ) throws(CapturedMachineError) -> Self {
    if let error = survey.framesError { throw .file(error) }
    let captured: CapturedLayout
    do throws(BootLayoutError) {
      captured = try CapturedLayout(survey.layout, holes: survey.holes, survey.reports)
    } catch {
      throw .layout(error)
    }
    let machine = try unfilled(captured.layout, model)
    try machine.fill(captured, survey, root, owner)
    machine.takeOver(survey.layout.zones, captured.zones)
    return machine
  }

  private static func unfilled(_ layout: BootLayout, _ model: MemoryModel) throws(CapturedMachineError) -> Self {
    do throws(MachineError) {
      return try Self(unfilled: layout, model: model, storage: HostStorage())
    } catch {
      throw .machine(error)
    }
  }

  private borrowing func fill(
    _ captured: CapturedLayout, _ survey: Survey, _ root: Sysroot, _ owner: CapturedFolios
  ) throws(CapturedMachineError) {
    let reports = survey.reports
    let policy = reports.policy
    let buffer = PieceBuffer()
    var filler: MachineFiller
    do throws(HostFileError) {
      filler = MachineFiller(
        captured, survey.judgements, try MappedCounts(root), pageblock: policy.pageblockOrder, owner, on: CPUIndex(0))
      let unit = survey.sizes.map(\.order).min().map { min($0, policy.pageblockOrder) } ?? policy.pageblockOrder
      _ = try FrameScan.run(
        try FlagSource(root), layout: survey.layout, pageblock: policy.pageblockOrder, topOrder: policy.topOrder,
        section: SurveyScan.section(reports), sizes: [unit], pieces: buffer, progress: { _ in },
        consume: { _, tally in
          filler.add(buffer.pieces, tally, to: zones)
          buffer.removeAll()
        })
    } catch {
      throw .file(error)
    }
    filler.flush(to: zones)
    if let error = filler.error { throw error }
  }

  /// The host's watermarks, and what its zones keep for requests that cannot go elsewhere.
  private borrowing func takeOver(_ reports: [ZoneReport], _ indices: [ZoneIndex?]) {
    for (report, index) in zip(reports, indices) {
      guard let index else { continue }
      zones[index].setWatermarks(
        Watermarks(min: report.minimum, low: max(report.minimum, report.low), high: max(report.minimum, report.high)))
      let kind = zones.descriptions[Int(index.rawValue)].kind
      for highest in ZoneKind.allCases {
        zones.setReserve(of: index, for: highest, highest > kind ? report.reserveForHigherZones : .zero)
      }
    }
  }
}
