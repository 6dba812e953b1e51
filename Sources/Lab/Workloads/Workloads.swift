import FrameMap
import MemoryUnits
import PhysicalLayout

// The figures of the workloads. What was fitted, and to what, is in Docs/Workloads.md.

extension LabEngine {
  /// Bytes of memory that the machine's zones have.
  var memory: ByteCount {
    lab.machine.zones.indices.reduce(FrameCount.zero) { $0 + lab.machine.zones[$1].managed }.bytes(shift)
  }

  /// Adds the clients of a workload, under its name and a slash.
  func install(_ workload: WorkloadSpec, named name: String) {
    switch workload.kind {
    case .server: installServer(WorkloadMix(server: workload) { share($0, workload) }, name)
    case .network: installNetwork(workload, name)
    case .streaming: installStreaming(workload, name)
    case .forks: add(ForkDriver(self, workload, name), named: name)
    case .guests: add(GuestDriver(self, workload, name), named: name)
    case .pins: installPins(workload, name)
    case .build: add(BuildDriver(self, workload, name), named: name)
    }
  }

  /// A share of the memory, in ten-thousandths, at the workload's load.
  func share(_ tenThousandths: UInt64, _ workload: WorkloadSpec) -> ByteCount {
    ByteCount(rawValue: memory.rawValue / 10_000 * tenThousandths / 100 * workload.load.rawValue)
  }

  /// Sizes in frames of the base page, by weight.
  func sizes(_ list: [(frames: UInt64, weight: UInt32)]) -> [WeightedSize] {
    list.map {
      WeightedSize(PageSize(shift: PageShift(shift.rawValue + UInt8($0.frames.trailingZeroBitCount))), weight: $0.weight)
    }
  }

  func flow(
    _ mobility: FrameMobility, _ list: [(frames: UInt64, weight: UInt32)], limit: ByteCount, fillsIn: Seconds, rate: ByteCount,
    _ lifetime: Lifetime, isCache: Bool = false, node: NodeID
  ) -> Flow {
    var figures = ClientFigures(sizes: sizes(list))
    figures.mobility = mobility
    figures.limit = limit
    figures.lifetime = lifetime
    figures.isCache = isCache
    figures.node = node
    figures.rate = rate
    var flow = Flow(figures)
    if fillsIn > .zero { flow.fill = (ByteCount(rawValue: max(limit.rawValue / fillsIn.rawValue, rate.rawValue)), fillsIn) }
    flow.isLight = true
    return flow
  }

  /// Adds the clients of a server's life that holds so much.
  func installServer(_ mix: WorkloadMix, _ name: String) {
    let node = mix.node
    // Files: read in as fast as disks give, until memory is full, then a steady stream.
    add(
      name + "/files",
      flow(
        .movable, cacheSizes([(1, 4), (4, 4), (16, 4), (32, 4), (64, 2)]), limit: mix.files ?? memory, fillsIn: Seconds(3000),
        rate: mix.filesRate, mix.filesLifetime, isCache: true, node: node))
    // Processes: services stay, jobs come and go.
    add(
      name + "/services",
      flow(
        .movable, [(512, 1), (16, 4), (4, 4), (1, 6)], limit: mix.services, fillsIn: Seconds(1200), rate: .zero,
        .forever,
        node: node))
    let jobs = mix.jobs
    add(
      name + "/jobs",
      flow(
        .movable, [(512, 1), (16, 4), (4, 4), (1, 6)], limit: jobs, fillsIn: .zero,
        rate: ByteCount(rawValue: jobs.rawValue / 28_800),
        .exponential(mean: Seconds(28_800)), node: node))
    for part in ["/services", "/jobs"] {
      var tables = flow(
        .unmovable, [(1, 1)], limit: mix.tables, fillsIn: .zero, rate: .zero, .exponential(mean: Seconds(7200)),
        node: node)
      tables.follows = (name + part, mix.tableShare)
      tables.kind = .pageTable
      add(name + part + "' page tables", tables)
    }
    // A start reads very many file names and inodes. Most are not needed for long; some are in use as long as the server runs, and
    // these lie among the others.
    let first: [(frames: UInt64, weight: UInt32)] = [(1, 1), (2, 1), (4, 2), (8, 4)]
    add(
      name + "/first inodes",
      flow(
        .reclaimable, first, limit: mix.firstInodes, fillsIn: Seconds(1500), rate: .zero,
        .uniform(Seconds(1200), Seconds(2400)), node: node))
    add(
      name + "/inodes in use",
      flow(.reclaimable, first, limit: mix.inodesInUse, fillsIn: Seconds(1500), rate: .zero, .forever, node: node))
    let inodes = mix.inodes
    add(
      name + "/dentries and inodes",
      flow(
        .reclaimable, [(1, 1), (2, 1), (4, 2), (8, 4)], limit: inodes, fillsIn: .zero,
        rate: ByteCount(rawValue: inodes.rawValue / 7200), .exponential(mean: Seconds(7200)), node: node))
    let objects = mix.objects
    add(
      name + "/kernel objects",
      flow(
        .unmovable, [(1, 2), (4, 1), (8, 1)], limit: objects, fillsIn: Seconds(2400),
        rate: ByteCount(rawValue: objects.rawValue / 3600),
        .pareto(least: Seconds(300), hundredths: 105, most: Seconds(30 * 86_400)),
        node: node))
    let buffers = mix.buffers
    add(
      name + "/network buffers",
      flow(
        .unmovable, [(1, 2), (8, 1)], limit: buffers, fillsIn: .zero, rate: ByteCount(rawValue: buffers.rawValue / 1800),
        .pareto(least: Seconds(60), hundredths: 120, most: Seconds(86_400)), node: node))
    guard mix.other > .zero else { return }
    add(
      name + "/other kernel memory",
      flow(.unmovable, [(1, 4), (8, 1)], limit: mix.other, fillsIn: Seconds(60), rate: .zero, .forever, node: node))
  }

  /// Leaves out folios that are larger than files may be read in.
  private func cacheSizes(_ list: [(frames: UInt64, weight: UInt32)]) -> [(frames: UInt64, weight: UInt32)] {
    guard let largest = spec.policy.largestCacheFolio else { return list }
    let frames = FrameCount(largest.bytes, shift, rounded: .down).rawValue
    let kept = list.filter { $0.frames <= frames }
    return kept.isEmpty ? [(1, 1)] : kept
  }

  private func installNetwork(_ workload: WorkloadSpec, _ name: String) {
    let limit = workload.amount ?? share(200, workload)
    add(
      name + "/rings",
      flow(
        .unmovable, [(1, 2), (8, 1)], limit: ByteCount(rawValue: limit.rawValue / 2), fillsIn: Seconds(10), rate: .zero, .forever,
        node: workload.node))
    add(
      name + "/packets",
      flow(
        .unmovable, [(1, 6), (8, 1)], limit: ByteCount(rawValue: limit.rawValue / 2), fillsIn: .zero,
        rate: ByteCount(rawValue: limit.rawValue / 8), .pareto(least: Seconds(1), hundredths: 120, most: Seconds(3600)),
        node: workload.node))
  }

  private func installStreaming(_ workload: WorkloadSpec, _ name: String) {
    add(
      name + "/files",
      flow(
        .movable, cacheSizes([(32, 1), (64, 1)]), limit: memory, fillsIn: Seconds(1800),
        rate: ByteCount(rawValue: share(100, workload).rawValue / 60),
        .forever, isCache: true, node: workload.node))
  }

  private func installPins(_ workload: WorkloadSpec, _ name: String) {
    var pinned = flow(
      .movable, [(1, 3), (16, 1)], limit: workload.amount ?? share(200, workload), fillsIn: Seconds(1800), rate: .zero, .forever,
      node: workload.node)
    pinned.figures.isPinned = true
    add(name + "/registered buffers", pinned)
  }
}
