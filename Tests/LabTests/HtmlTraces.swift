import Lab
import TestSupport

/// Runs as a lab might have them, made up from a seed: two nodes, a hole between two ranges and one in a range, memory that comes later,
/// maps that fill up, and every unit.
enum HtmlTraces {
  static let gibibyte: UInt64 = 1 << 30
  static let cell: UInt64 = 2 << 20

  /// - Parameter gibibytes: memory of each node; at least 4.
  static func fragmenting(gibibytes: UInt64, maps: Int = 25, seed: UInt64 = 7) -> RunTrace {
    var picture = Picture(gibibytes: gibibytes, seed: seed)
    var trace = RunTrace(
      scenario: "fragmenting",
      story: """
        A database server boots, reads its files, and runs for a week. Sixteen pages of 1 GiB are asked for at the start of the second \
        day, and again at the end.

        Between the two, network buffers and the kernel's own objects spread over memory.
        """,
      lesson: "Ask for gigantic pages early: a week later a single slab page in each range is enough to lose most of them.",
      seed: UInt64.max - 1, machine: picture.machine)
    trace.owners = Picture.owners
    var numbers: [RunTrace.MapState: UInt32] = [:]
    let hours = 7 * 24
    for map in 0..<maps {
      if map > 0 { picture.age(share: map) }
      if map == maps - 2 { picture.fillPool() }
      let time = UInt64(hours * map / max(maps - 1, 1)) * 3600
      trace.maps.append(
        RunTrace.MapFrame(
          time: time, label: map == 0 ? "after boot" : map == maps - 1 ? "at the end" : nil,
          cells: runs(of: picture.states) { state in
            if let known = numbers[state] { return known }
            let number = UInt32(trace.states.count)
            trace.states.append(state)
            numbers[state] = number
            return number
          }))
    }
    addCounters(to: &trace, hours: hours, memory: picture.machine.memoryBytes, seed: seed)
    addEvents(to: &trace)
    return trace
  }

  private static func runs(of states: [RunTrace.MapState], number: (RunTrace.MapState) -> UInt32) -> [UInt32] {
    var runs: [UInt32] = []
    var last: RunTrace.MapState?
    for state in states {
      if state == last { runs[runs.count - 1] += 1 } else { runs += [number(state), 1] }
      last = state
    }
    return runs
  }

  private static func addCounters(to trace: inout RunTrace, hours: Int, memory: UInt64, seed: UInt64) {
    var random = SplitMix(seed: seed &+ 1)
    trace.times = (0...hours).map { UInt64($0) * 3600 }
    func add(_ name: String, _ unit: RunTrace.Unit, _ value: (Double) -> Double) {
      let values = (0...hours).map { hour -> UInt64 in
        let noise = 1 + Double(Int64(random.next() % 81) - 40) / 1000
        return UInt64(max(value(Double(hour) / Double(hours)) * noise, 0))
      }
      trace.series.append(RunTrace.Series(name: name, unit: unit, values: values))
    }
    let all = Double(memory)
    add("free", .bytes) { all * (0.9 - 0.8 * min($0 * 3, 1)) }
    add("file cache", .bytes) { all * 0.55 * min($0 * 3, 1) }
    add("slab", .bytes) { all * (0.01 + 0.06 * $0) }
    add("page tables", .bytes) { all * 0.004 * (1 + $0) }
    add("pinned", .bytes) { all * 0.02 * $0 }
    add("obtainable.1G", .pages) { 26 - 22 * min($0 * 1.5, 1) }
    add("obtainable.2M", .pages) { 14_000 - 6000 * $0 }
    add("compactions", .count) { 4000 * $0 * $0 }
    add("pageblocks stolen", .count) { 900 * $0 }
    add("unusable.1G", .basisPoints) { 1200 + 7900 * min($0 * 1.5, 1) }
    add("unusable.2M", .basisPoints) { 90 + 3100 * $0 }
    trace.figures = [
      RunTrace.Figure(name: "obtainable.1G", unit: .pages, value: 4),
      RunTrace.Figure(name: "largest free range", unit: .bytes, value: 412 << 20),
      RunTrace.Figure(name: "pageblocks with unmovable memory", unit: .count, value: 12_345),
      RunTrace.Figure(name: "unusable.1G", unit: .basisPoints, value: 9107),
    ]
  }

  private static func addEvents(to trace: inout RunTrace) {
    func add(
      _ hours: UInt64, _ line: Int, _ step: String, _ outcome: RunTrace.Event.Outcome, _ text: String, _ note: String? = nil
    ) {
      trace.events.append(
        RunTrace.Event(time: hours * 3600, line: line, step: step, note: note, outcome: outcome, text: text))
    }
    add(0, 14, "start server, network", .done, "2 clients")
    add(24, 15, "run 1d", .done, "86,400 ticks")
    add(24, 16, "pool 1G:16", .done, "16 of 16 pages", "before much has run")
    add(25, 18, "free pool", .done, "16 GiB")
    add(96, 19, "run 3d", .done, "259,200 ticks")
    add(96, 20, "add 4G node 1", .done, "offline: [0x840000000, 0x940000000)")
    add(160, 22, "compact 1G", .inPart, "3 of 9 ranges; 6 have memory that cannot move")
    add(161, 23, "pool 1G:16", .inPart, "5 of 16 pages; 11 ranges blocked by slab, network")
    add(168, 24, "expect obtainable.1G >= 8", .failed, "4 pages")
  }

  /// A run of which nothing is known but its machine.
  static func empty() -> RunTrace {
    RunTrace(
      scenario: "fragmenting", story: "", lesson: "", seed: 1, machine: fragmenting(gibibytes: 4, maps: 1).machine)
  }

  /// A machine of one map, whose cells take turns in what they hold.
  static func odd(cellBytes: UInt64, pageblockBytes: UInt64, sizes: [UInt64], ranges: [RunTrace.Range]) -> RunTrace {
    let amount = ranges.reduce(0) { $0 + $1.cells }
    var trace = empty()
    trace.machine = RunTrace.MachineFacts(
      architecture: "odd", model: "sparse", memoryBytes: amount * cellBytes, baseBytes: 4096, pageblockBytes: pageblockBytes,
      cellBytes: cellBytes, ranges: ranges, sizes: sizes, policies: [])
    trace.owners = [RunTrace.Owner(name: "free", kind: .free), RunTrace.Owner(name: "slab", kind: .unmovable)]
    trace.states = [
      RunTrace.MapState(owner: 0, free: 255, movable: 0, unmovable: 0),
      RunTrace.MapState(owner: 1, free: 200, movable: 0, unmovable: 55),
    ]
    trace.maps = [RunTrace.MapFrame(time: 0, label: nil, cells: (0..<UInt32(amount)).flatMap { [$0 % 7 == 3 ? 1 : 0, 1] })]
    return trace
  }

  /// Text in every place that a scenario has a say in, none of which may become part of the page.
  static func hostile() -> RunTrace {
    let attack = "</script><script>window.broken = 1</script><img src=x onerror=\"window.broken = 2\">' \" & <!-- \u{2028} \\"
    var trace = fragmenting(gibibytes: 4, maps: 3)
    trace.scenario = attack
    trace.story = attack
    trace.lesson = attack
    trace.machine.architecture = attack
    trace.machine.model = attack
    trace.machine.policies = [attack]
    for index in trace.machine.ranges.indices { trace.machine.ranges[index].zone = attack }
    for index in trace.owners.indices { trace.owners[index].name = attack }
    for index in trace.series.indices { trace.series[index].name = attack }
    for index in trace.figures.indices { trace.figures[index].name = attack }
    for index in trace.maps.indices { trace.maps[index].label = attack }
    for index in trace.events.indices {
      trace.events[index].step = attack
      trace.events[index].note = attack
      trace.events[index].text = attack
    }
    return trace
  }
}

/// Cells of a machine that grows older.
private struct Picture {
  private enum Who: Int, CaseIterable {
    case free, cache, database, dentries, slab, network, device, tables, pool, kernel, memmap, offline
  }

  static let owners: [RunTrace.Owner] = [
    RunTrace.Owner(name: "free", kind: .free), RunTrace.Owner(name: "file cache", kind: .cache),
    RunTrace.Owner(name: "database", kind: .movable), RunTrace.Owner(name: "dentries", kind: .reclaimable),
    RunTrace.Owner(name: "slab", kind: .unmovable), RunTrace.Owner(name: "network", kind: .unmovable),
    RunTrace.Owner(name: "device", kind: .pinned), RunTrace.Owner(name: "page tables", kind: .pageTable),
    RunTrace.Owner(name: "pool 1G", kind: .pool), RunTrace.Owner(name: "kernel", kind: .reserved),
    RunTrace.Owner(name: "memmap", kind: .memmap), RunTrace.Owner(name: "offline", kind: .offline),
  ]

  let machine: RunTrace.MachineFacts
  private(set) var states: [RunTrace.MapState]
  private let online: Int
  private let holeCell: Int
  private var random: SplitMix

  init(gibibytes: UInt64, seed: UInt64) {
    let perGibibyte = HtmlTraces.gibibyte / HtmlTraces.cell
    let first = 3 * perGibibyte
    let cut = perGibibyte / 4
    let second = gibibytes * perGibibyte - first - cut
    let third = gibibytes * perGibibyte
    let later = 4 * perGibibyte
    func range(_ start: UInt64, _ cells: UInt64, _ node: UInt32, _ zone: String) -> RunTrace.Range {
      RunTrace.Range(start: start * HtmlTraces.cell, cells: cells, node: node, zone: zone)
    }
    let high = 8 * perGibibyte
    let end = high + cut + second
    machine = RunTrace.MachineFacts(
      architecture: "x86_64", model: "vmemmap", memoryBytes: (first + second + third) * HtmlTraces.cell, baseBytes: 4096,
      pageblockBytes: HtmlTraces.cell, cellBytes: HtmlTraces.cell,
      ranges: [
        range(0, first, 0, "DMA32"), range(high, second / 2, 0, "Normal"),
        range(high + second / 2 + cut, second - second / 2, 0, "Normal"),
        range(end, third, 1, "Normal"), range(end + third, later, 1, "Normal"),
      ],
      sizes: [2 << 20, 1 << 30], policies: ["fallback never takes from other kinds", "descriptors are the machine's own frames"])
    online = Int(first + second + third)
    holeCell = Int(first + second / 2)
    states = Array(repeating: Self.state(.free, 0, 0), count: online + Int(later))
    random = SplitMix(seed: seed)
    for cell in online..<states.count { states[cell] = Self.state(.offline, 255, 0) }
    for cell in 0..<24 { states[cell] = Self.state(.kernel, 255, 0) }
    for cell in 24..<(24 + online / 100) { states[cell] = Self.state(.memmap, 255, 0) }
  }

  private static func state(_ who: Who, _ unmovable: UInt8, _ movable: UInt8) -> RunTrace.MapState {
    RunTrace.MapState(owner: who.rawValue, free: 255 - max(unmovable, movable), movable: movable, unmovable: unmovable)
  }

  /// What the next stretch of time leaves behind: cache in long runs, the database in places, unmovable memory in single cells.
  mutating func age(share: Int) {
    for _ in 0..<(online / 400) {
      let start = Int(random.next() % UInt64(online))
      let isDatabase = random.next() % 4 == 0
      for cell in start..<min(start + 8 + Int(random.next() % 56), online) where states[cell].unmovable == 0 && isFree(cell) {
        states[cell] = Self.state(isDatabase ? .database : .cache, 0, 80 + UInt8(random.next() % 176))
      }
    }
    let makers: [Who] = [.slab, .slab, .slab, .network, .network, .dentries, .tables, .device]
    for _ in 0..<(online / 900 + 2) {
      // The lower part of each node fills first.
      let reach = UInt64(max(online * min(share + 3, 25) / 25, 1))
      let cell = Int(min(random.next() % reach, random.next() % reach))
      guard states[cell].owner != Who.kernel.rawValue, states[cell].owner != Who.memmap.rawValue else { continue }
      let who = makers[Int(random.next() % UInt64(makers.count))]
      let unmovable = UInt8(min(1 + random.next() % 8 * (random.next() % 30), 200))
      states[cell] = Self.state(who, unmovable, min(states[cell].movable, 255 - unmovable))
    }
  }

  private func isFree(_ cell: Int) -> Bool { states[cell].owner == Who.free.rawValue }

  /// Whole ranges at the top of the last node become pages of a pool.
  mutating func fillPool() {
    for cell in (online - 5 * 512)..<online { states[cell] = Self.state(.pool, 255, 0) }
  }
}
