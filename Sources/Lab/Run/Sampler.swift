import FrameAllocator
import FrameMap
import MemoryUnits
import Mobility
import PhysicalLayout

/// Looks at a machine and keeps what was seen last.
struct Sampler {
  let sizes: [PageSize]
  let unit: Order
  let coarse: Order
  let places: [MachineScan.Range]
  var states = StateNumbers()
  private var values: [(name: String, unit: RunTrace.Unit, value: UInt64)] = []

  /// Cells of a trace's map at most: 1 TiB in pageblocks of 2 MiB has half as many.
  static let mostCells: UInt64 = 1 << 20

  init(_ engine: LabEngine, sizes: [PageSize]?) {
    let architecture = engine.lab.machine.layout.architecture
    self.sizes = (sizes ?? architecture.hugeSizes).sorted { $0.bytes < $1.bytes }
    let pageblock = engine.lab.machine.zones[ZoneIndex(0)].pageblockOrder
    unit = ([pageblock] + self.sizes.map { $0.order(baseShift: engine.shift) }).min() ?? pageblock
    let frames = engine.lab.machine.layout.present + engine.room.reduce(.zero) { $0 + $1.count }
    var order = max(unit, pageblock)
    while frames.rawValue >> UInt64(order.rawValue) > Self.mostCells { order = Order(order.rawValue + 1) }
    places = MachineScan.places(engine, unit: unit, aligned: order.frames)
    coarse = order
  }

  @discardableResult mutating func look(_ engine: LabEngine) -> MachineScan {
    let scan = MachineScan(engine, places: places, unit: unit)
    let shift = engine.shift
    let totals = scan.totals
    func bytes(_ frames: UInt64) -> UInt64 { frames << UInt64(shift.rawValue) }
    func owned(_ kinds: RunTrace.Owner.Kind...) -> UInt64 {
      var sum: UInt64 = 0
      for (index, owner) in owners(engine).enumerated() where kinds.contains(owner.kind) { sum += scan.byOwner[index] }
      return bytes(sum)
    }
    let pools = engine.lab.machine.memory.pools.sizes.reduce(ByteCount.zero) {
      $0 + ByteCount(rawValue: $1.bytes.rawValue * engine.poolPages($1).rawValue)
    }
    let all = totals.free + totals.cache + totals.movable + totals.fixed + totals.pool
    var found: [String: UInt64] = [
      "free": bytes(totals.free.rawValue), "used": bytes((all - totals.free).rawValue), "cache": bytes(totals.cache.rawValue),
      "movable": bytes(totals.movable.rawValue), "unmovable": owned(.unmovable), "reclaimable": owned(.reclaimable),
      "pinned": owned(.pinned), "tables": owned(.pageTable), "pools": pools.rawValue, "memmap": owned(.memmap),
      "reserved": owned(.reserved), "fixed": bytes(totals.fixed.rawValue),
      "fixed-share": share(totals.fixed.rawValue, all.rawValue),
      "failures": engine.failures, "migrated": bytes(engine.tally.moved.rawValue),
      "dropped": bytes(engine.tally.dropped.rawValue),
      "huge-asked": engine.hugeAsked, "huge-had": engine.hugeHad,
      "huge-success": engine.hugeAsked == 0 ? 10_000 : share(engine.hugeHad, engine.hugeAsked), "steps": engine.operations,
      "pin-calls": engine.pins.calls, "pin-batches": engine.pins.batches, "pin-runs": engine.pins.runs,
    ]
    let counts = engine.lab.machine.zones.indices.reduce(PageblockCounts()) { $0 + engine.lab.machine.zones[$1].pageblockCounts }
    (found["claimed"], found["stolen"], found["polluted"]) = (counts.claimed, counts.stolen, counts.polluted)
    let kept = engine.lab.machine.zones.indices.reduce(FrameCount.zero) { $0 + engine.lab.machine.zones[$1].watermarks.min }
    let spare = (totals.free + totals.cache).saturatingSubtracting(kept)
    let topOrder = engine.lab.machine.zones.topOrder
    let mapped = engine.mappedPages
    for size in sizes {
      let order = size.order(baseShift: shift)
      let rule = RangeRule(for: order, topOrder: topOrder, LabMachine.contiguous(engine.spec.policy))
      let count = scan.count(order, rule, spare: spare)
      found["mapped.\(size)"] = mapped[size, default: 0]
      found["spoilt.\(size)"] = share(count.spoilt, count.ranges)
      found["free-blocks.\(size)"] = count.free
      found["obtainable.\(size)"] = count.obtainable
      found["pool.\(size)"] = engine.poolPages(size).rawValue
    }
    values = RunCounter.all.flatMap { counter in
      (counter.takesSize ? sizes.map { counter.name($0) } : [counter.name]).map { name in
        guard let value = found[name] else { preconditionFailure("nobody counts \(name)") }
        return (name, counter.unit, value)
      }
    }
    return scan
  }

  private func share(_ part: UInt64, _ whole: UInt64) -> UInt64 { whole == 0 ? 0 : (part * 10_000 + whole / 2) / whole }

  func value(of name: String) -> (unit: RunTrace.Unit, value: UInt64)? {
    values.first { $0.name == name }.map { ($0.unit, $0.value) }
  }

  var lastFigures: [RunTrace.Figure] { values.map { RunTrace.Figure(name: $0.name, unit: $0.unit, value: $0.value) } }

  /// What a reader wants to know first.
  var summary: String {
    let shown = ["free", "fixed-share"] + sizes.flatMap { ["spoilt.\($0)", "obtainable.\($0)"] }
    return shown.compactMap { name in value(of: name).map { "\(name) \($0.unit.text($0.value))" } }.joined(separator: ", ")
  }

  func append(to series: inout [RunTrace.Series]) {
    if series.isEmpty { series = values.map { RunTrace.Series(name: $0.name, unit: $0.unit) } }
    for index in values.indices { series[index].values.append(values[index].value) }
  }

  func replaceLast(of series: inout [RunTrace.Series]) {
    for index in values.indices { series[index].values[series[index].values.count - 1] = values[index].value }
  }

  mutating func map(_ scan: MachineScan) -> [UInt32] { scan.map(coarse, &states) }

  func owners(_ engine: LabEngine) -> [RunTrace.Owner] {
    MachineScan.builtIn + engine.clients.map { RunTrace.Owner(name: $0.name, kind: $0.kind) }
  }

  func facts(_ engine: LabEngine) -> RunTrace.MachineFacts {
    let layout = engine.lab.machine.layout
    let shift = engine.shift
    let pageblock = engine.lab.machine.zones[ZoneIndex(0)].pageblockOrder
    return RunTrace.MachineFacts(
      architecture: layout.architecture.name, model: "\(engine.spec.model)", memoryBytes: layout.present.bytes(shift).rawValue,
      baseBytes: shift.bytes.rawValue, pageblockBytes: pageblock.frames.bytes(shift).rawValue,
      cellBytes: coarse.frames.bytes(shift).rawValue,
      ranges: places.map {
        RunTrace.Range(
          start: PhysicalAddress($0.frames.start, shift).rawValue,
          cells: ($0.frames.count.rawValue >> UInt64(unit.rawValue) + (1 << UInt64(coarse.rawValue - unit.rawValue)) - 1)
            >> UInt64(coarse.rawValue - unit.rawValue),
          node: $0.node.rawValue, zone: "\($0.zone)")
      },
      sizes: sizes.map { $0.bytes.rawValue }, policies: engine.spec.policy.words(layout.architecture))
  }
}

extension LabEngine {
  /// Pages of the huge pool of a size; none where the machine has no such pool.
  fileprivate func poolPages(_ size: PageSize) -> PageCount {
    lab.machine.memory.pools.sizes.contains(size) ? lab.machine.memory.pools.counts(size).total : .zero
  }

  /// Pages that processes have in their tables, by size; one that two processes have counts twice.
  fileprivate var mappedPages: [PageSize: UInt64] {
    var counts: [PageSize: UInt64] = [:]
    for holder in spaces.values {
      for (range, _) in holder.mapped {
        lab.machine.memory.forEachPage(in: range, of: holder.space, as: .asMapped) { counts[$0.size, default: 0] += 1 }
      }
    }
    return counts
  }
}

extension PolicySpec {
  /// What differs from the architecture's own, for a reader.
  func words(_ architecture: Architecture) -> [String] {
    var words: [String] = []
    switch maxOrder {
    case .order(let order): words.append("blocks of at most order \(order)")
    case .unlimited: words.append("blocks of any order")
    case nil: break
    }
    if let pageblockOrder { words.append("pageblocks of order \(pageblockOrder)") }
    if let group { words.append("unmovable memory in groups of \(group)") }
    if fallback == .never { words.append("no request takes from another kind's pageblocks") }
    if memmap == .elsewhere { words.append("descriptors lie elsewhere") }
    if hugePagesInRange == .refuse { words.append("ranges with huge pages in them are passed over") }
    if !searchesMovableZones { words.append("movable zones are not searched for contiguous ranges") }
    if let isolationOrder { words.append("ranges are isolated by order \(isolationOrder)") }
    if let minimumFree { words.append("\(minimumFree) kept free") }
    if let largestCacheFolio { words.append("files are read in folios of at most \(largestCacheFolio)") }
    return words
  }
}

extension Step.Action {
  /// The step in a few words.
  var title: String {
    switch self {
    case .start(let names): "start " + names.joined(separator: ", ")
    case .stop(let names, _): "stop " + names.joined(separator: ", ")
    case .run(let time): "run \(time)"
    case .allocate(let step): "allocate \(step.amount)" + (step.size.map { " in \($0)" } ?? "") + " for \(step.client)"
    case .free(let client, let share, let pick): "free \(share) of \(client), \(pick.rawValue)"
    case .pool(let step): "pool \(step.size):\(step.pages)" + (step.node.map { " on node \($0)" } ?? "")
    case .compact(let size): size.map { "compact for \($0)" } ?? "compact"
    case .drop(let amount): amount.map { "drop \($0)" } ?? "drop caches"
    case .hotplug(let step): step.title
    case .space(let step): "process \(step.space): \(step.operation.title)"
    case .expect(let expectation):
      "expect \(expectation.counter) \(expectation.comparison.rawValue) "
        + (RunCounter.named(expectation.counter)?.counter.unit.text(expectation.value) ?? "\(expectation.value)")
    case .snapshot(let label): "look \(label)"
    case .repeated(let times, _): "repeat \(times) times"
    }
  }
}

extension Step.HotplugStep {
  fileprivate var title: String {
    switch self {
    case .add(let size, let node, _, _): "add \(size) to node \(node)"
    case .online(let number, _): "online memory \(number)"
    case .offline(let number): "offline memory \(number)"
    case .remove(let number): "remove memory \(number)"
    }
  }
}

extension Step.SpaceStep.Operation {
  fileprivate var title: String {
    switch self {
    case .map(let size, let transparent, let page):
      "map \(size)" + (page.map { " in \($0)" } ?? (transparent ? ", transparent" : ""))
    case .fork(let name): "fork to \(name)"
    case .write(let share): "write \(share)"
    case .pin(let share, let isLongTerm, let call):
      "pin \(share)" + (isLongTerm ? " for long" : "") + (call.map { " in calls of \($0)" } ?? "")
    case .unpin: "unpin"
    case .unmap(let share): "unmap \(share)"
    case .collapse(let size): "collapse to \(size)"
    case .split: "split"
    case .exit: "exit"
    }
  }
}
