import FrameMap
import MemoryUnits
import Mobility
import PhysicalLayout
import Testing

@testable import Lab

/// What a run says of its machine, against counting frame by frame.
///
/// That a run ends empty is left to the other suites: a recount of every section of all these machines takes minutes in a debug build.
struct EngineScanTests {
  struct Preset: Sendable, CustomTestStringConvertible {
    let name: String
    let base: UInt64
    let memory: String
    let huge: String
    /// Page sizes that are counted, smallest first.
    let sizes: [String]
    var testDescription: String { name }
  }

  static let presets = [
    Preset(name: "x86_64", base: 4, memory: "128M", huge: "2M", sizes: ["2M", "8M", "32M"]),
    Preset(name: "arm64-64k", base: 64, memory: "3G", huge: "2M", sizes: ["2M", "16M", "512M"]),
    Preset(name: "ppc64-64k", base: 64, memory: "2G", huge: "16M", sizes: ["16M", "64M", "256M"]),
    Preset(name: "riscv64", base: 4, memory: "128M", huge: "2M", sizes: ["64K", "2M", "16M"]),
  ]

  static func text(_ preset: Preset, _ model: MemoryModel, _ policy: String = "{}") -> String {
    let base = preset.base
    let canGrow = preset.name != "riscv64" && (model == .vmemmap || model == .sparse || model == .sparseExtreme)
    let room = canGrow ? "\n  room: {size: \(preset.huge == "16M" || base == 64 ? "2G" : "256M")}" : ""
    let grows =
      canGrow && preset.name == "x86_64"
      ? "\n  - add: {size: 128M, memmap: from-range}\n  - add: {size: 128M, online: later}\n  - allocate: {client: heap, amount: 40M}"
      : ""
    return """
      scenario: Oracle
      seed: 5
      machine:
        preset: \(preset.name)
        memory: \(preset.memory)
        model: \(model)
        kernel: 16M
        policy: \(policy)
        holes: {count: 3, size: 64K, aligned: 64K, kind: absent}\(room)
      sampling: {sizes: [\(preset.sizes.joined(separator: ", "))]}
      clients:
        files: {sizes: [\(base)K, \(base * 4)K], cache: true}
        slab: {mobility: unmovable, sizes: \(base)K}
        inodes: {mobility: reclaimable, sizes: [\(base)K, \(base * 2)K], lifetime: {exponential: {mean: 1m}}}
        buffers: {sizes: \(base)K, pinned: true}
        heap: {sizes: {\(base)K: 8, \(base * 16)K: 1}, lifetime: {pareto: {least: 2s, shape: 1.1, most: 1h}}}
      steps:
        - pool: {size: \(preset.huge), pages: 6}
        - allocate: {client: heap, amount: \(base * 3000)K}
        - allocate: {client: slab, amount: \(base * 400)K}
        - allocate: {client: files, amount: \(base * 6000)K}
        - allocate: {client: inodes, amount: \(base * 250)K}
        - allocate: {client: buffers, amount: \(base * 60)K}
        - free: {client: slab, share: 70%}
        - free: {client: files, share: 50%, pick: oldest}
        - space: {name: a, map: \(base * 1500)K, transparent: true}
        - space: {name: b, map: \(preset.huge), page: \(preset.huge)}
        - space: {name: a, fork: c}
        - space: {name: b, pin: 1%}
        - run: 30s
        - space: {name: a, pin: 1%}
        - compact: zone
        - drop: \(base * 500)K\(grows)
      """
  }

  @Test(arguments: MemoryModel.allCases)
  func everyFrameIsCounted(_ model: MemoryModel) throws { try check(Self.text(Self.presets[0], model), Self.presets[0]) }

  // A map of riscv64 in sections wants more address space than a process has.
  @Test(arguments: presets.dropFirst(), [MemoryModel.flat])
  func everyFrameIsCounted(_ preset: Preset, _ model: MemoryModel) throws {
    try check(Self.text(preset, model), preset)
  }

  @Test(arguments: [
    "{huge-pages-in-range: refuse}", "{max-order: unlimited}", "{search-movable-zones: false}", "{memmap: elsewhere}",
  ])
  func policiesAreKnown(_ policy: String) throws {
    try check(Self.text(Self.presets[0], .vmemmap, policy), Self.presets[0])
  }

  private func check(_ text: String, _ preset: Preset, _ location: SourceLocation = #_sourceLocation) throws {
    let scenario = try ScenarioFile.read(text)
    let runner = Runner(scenario, try LabMachine(scenario.machine, seed: scenario.seed))
    runner.perform(scenario.steps) { _ in true }
    for event in runner.trace.events where event.outcome == .failed {
      Issue.record("\(event.step): \(event.text)", sourceLocation: location)
    }
    let engine = runner.engine
    let oracle = EngineOracle(engine)
    let samples = Sampler(engine, sizes: scenario.sampling.sizes)
    let scan = MachineScan(engine, places: samples.places, unit: samples.unit)
    var wrong = 0
    for range in scan.ranges {
      let cells = Int(range.frames.count.rawValue >> UInt64(scan.unit.rawValue))
      for number in 0..<cells {
        let cell = scan.cells[range.first + number]
        let start = range.frames.start + scan.unit.frames * UInt64(number)
        let frames = FrameRange(start: start, count: scan.unit.frames)
        let found = [cell.free, cell.cache, cell.movable, cell.fixed, cell.pool, cell.absent].map { UInt64($0) }
        let expected = oracle.counts(frames)
        if found != expected {
          wrong += 1
          if wrong < 4 { Issue.record("cell at \(start): \(found), and not \(expected)", sourceLocation: location) }
        }
      }
    }
    #expect(wrong == 0, sourceLocation: location)
    let totals = scan.totals
    let all = oracle.uses.count { $0 != EngineOracle.absent }
    let sum = totals.free + totals.cache + totals.movable + totals.fixed + totals.pool
    #expect(sum == FrameCount(UInt64(all)), sourceLocation: location)
    #expect(scan.byOwner.reduce(0, +) == UInt64(all), sourceLocation: location)
    for size in samples.sizes {
      let order = size.order(baseShift: engine.shift)
      let rule = RangeRule(for: order, topOrder: engine.lab.machine.zones.topOrder, LabMachine.contiguous(engine.spec.policy))
      for spare in [FrameCount(1 << 30), totals.free] {
        let found = scan.count(order, rule, spare: spare)
        let expected = oracle.count(order, rule, spare: spare)
        #expect(found == expected, "\(size)", sourceLocation: location)
      }
    }
  }
}
