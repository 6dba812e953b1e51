import MemoryUnits
import Testing

@testable import Lab

/// What every run promises.
struct EngineRunTests {
  private static let busy = """
    machine: {memory: 128M, kernel: 16M}
    sampling: {counters: 30s, maps: 2m, sizes: [2M, 8M]}
    clients:
      slab: {mobility: unmovable, sizes: {4K: 4, 16K: 1}, rate: 60K, lifetime: {exponential: {mean: 2m}}}
      files: {sizes: [4K, 64K], cache: true, rate: 300K}
      heap: {sizes: 4K, rate: 200K, limit: 30M, lifetime: {pareto: {least: 5s, shape: 1.2, most: 1h}}}
    steps:
      - start: [slab, files, heap]
      - run: 5m
      - snapshot: after five minutes
      - pool: {size: 2M, pages: 8}
      - run: 45s
      - space: {name: a, map: 8M, transparent: true}
      - space: {name: a, pin: 2%}
    """

  private func run(seed: UInt64) throws -> RunTrace {
    var scenario = try EngineFixture.scenario(Self.busy)
    scenario.seed = seed
    return try LabRun.run(scenario)
  }

  @Test func theSeedIsAllThereIs() throws {
    let first = try run(seed: 7)
    #expect(first == (try run(seed: 7)))
    #expect(first.events != (try run(seed: 8)).events)
    #expect(first.figures != (try run(seed: 8)).figures)
  }

  @Test func rowsAreWhole() throws {
    let trace = try run(seed: 1)
    let names = RunCounter.all.flatMap { counter in
      counter.takesSize
        ? trace.machine.sizes.compactMap { PageSize(exactly: ByteCount(rawValue: $0)) }.map { counter.name($0) } : [counter.name]
    }
    #expect(trace.series.map(\.name) == names)
    #expect(trace.figures.map(\.name) == names)
    #expect(trace.times == [0, 30, 60, 90, 120, 150, 180, 210, 240, 270, 300, 330, 345])
    for series in trace.series { #expect(series.values.count == trace.times.count, "\(series.name)") }
    for (series, figure) in zip(trace.series, trace.figures) { #expect(series.values.last == figure.value) }
    #expect(trace.maps.map(\.time) == [0, 120, 240, 300, 345])
    let cells = trace.machine.ranges.reduce(0) { $0 + $1.cells }
    for map in trace.maps {
      let runs = stride(from: 1, to: map.cells.count, by: 2).reduce(UInt64(0)) { $0 + UInt64(map.cells[$1]) }
      #expect(runs == cells)
      #expect(stride(from: 0, to: map.cells.count, by: 2).allSatisfy { map.cells[$0] < trace.states.count })
    }
    #expect(trace.states.allSatisfy { trace.owners.indices.contains($0.owner) })
  }

  @Test func aStoppedRunSaysSo() throws {
    let scenario = try EngineFixture.scenario(Self.busy)
    var last: RunProgress?
    let trace = try LabRun.run(scenario) { progress in
      last = progress
      return progress.time < Seconds(60)
    }
    #expect(last?.total == Seconds(345))
    #expect(last?.time == Seconds(64))
    #expect(!trace.isGood)
    #expect(trace.events.map(\.step) == ["start slab, files, heap", "run 5m"])
    #expect(trace.events.last?.text == "stopped after 64s")
    #expect(trace.maps.last?.label == "when it was stopped")
    #expect(trace.times.last == 64)
  }

  /// Steps that do not come true, and what they say.
  @Test(arguments: [
    ("- allocate: {client: heap, amount: 1G}", "inPart", "of 1G"),
    ("- allocate: {client: heap, amount: 1G, required: true}", "failed", "of 1G"),
    ("- allocate: {client: heap, amount: 1G}\n    fails: true", "done", "fails, as it must: "),
    ("- allocate: {client: heap, amount: 4K}\n    fails: true", "failed", "was to fail, and came true: 4K"),
    ("- allocate: {client: heap, amount: 64M, size: 64M, contiguous: true}", "inPart", "0 of 64M; 512 frames memmap"),
    ("- pool: {size: 1G, pages: 1}", "inPart", "0 of 1 pages of 1G"),
    ("- pool: {size: 2M, pages: 1000}", "inPart", "of 1000 pages of 2M"),
    ("- offline: {added: 0}", "failed", "memory 0"),
    ("- add: {size: 128M}\n  - add: {size: 128M}\n  - add: {size: 128M}", "failed", "no room"),
    ("- add: {size: 128M}\n  - remove: {added: 0}", "failed", "alreadyOnline"),
    ("- add: {size: 128M}\n  - online: {added: 0}", "failed", "alreadyOnline"),
    ("- add: {size: 128M, online: later}\n  - offline: {added: 0}", "failed", "notOnline"),
    (
      "- add: {size: 128M, online: movable}\n  - space: {name: a, map: 32M}\n  - space: {name: a, pin: 1%}\n  - offline: {added: 0}",
      "failed", "is not empty"
    ),
    ("- allocate: {client: heap, amount: 1G}\n  - add: {size: 128M}", "failed", "no room for its descriptors"),
    ("- space: {name: a, map: 1G}", "inPart", "of 1G: no memory for the page at"),
    ("- space: {name: a, map: 4M, page: 2M}", "failed", "notReserved"),
    ("- space: {name: a, map: 4M}\n  - space: {name: a, pin: 1%}\n  - space: {name: a, collapse: 2M}", "inPart", "busy"),
    ("- expect: free > 1G", "failed", "free is"),
  ])
  func stepsSayWhyTheyFail(_ step: String, _ outcome: String, _ text: String) throws {
    let isAdded = step.contains("added") && !step.contains("add:")
    let steps = isAdded ? "- add: {size: 128M}\n  - offline: {added: 0}\n  - remove: {added: 0}\n  " + step : step
    let event = try EngineFixture.last(
      """
      machine: {memory: 128M, kernel: 16M, room: {size: 256M, block: 128M}}
      sampling: {counters: never, sizes: [2M]}
      clients: {heap: {sizes: 4K}}
      steps:
        \(steps)
      """)
    #expect(event.outcome.rawValue == outcome, "\(event)")
    #expect(event.text.contains(text), "\(event)")
  }

  @Test func onlyWhatMayFailIsToldTo() {
    #expect(throws: ScenarioProblems.self) { try EngineFixture.scenario("steps:\n  - run: 1h\n    fails: true\n") }
  }

  /// What a process maps moves, and is told of.
  @Test func movedPagesOfProcessesAreCounted() throws {
    let trace = try LabRun.run(
      try EngineFixture.scenario(
        """
        machine: {memory: [256M, 128M], kernel: 16M, room: {size: 128M, block: 128M}}
        sampling: {counters: never, sizes: [2M]}
        steps:
          - add: {size: 128M, node: 1, online: kernel}
          - pool: {size: 2M, pages: 64, node: 1}
          - space: {name: a, map: 128M, page: 2M}
          - offline: {added: 0}
        """))
    let last = try #require(trace.events.last)
    #expect(last.outcome == .done && !last.text.contains(" 0 moved"), "\(last.text)")
    #expect((trace.figures.first { $0.name == "migrated" }?.value ?? 0) > 0)
  }
}
