import FrameMap
import MemoryUnits
import Testing

@testable import Lab

/// What workloads promise beside their shapes.
struct EngineWorkloadTests {
  private static func guests(keep: Bool) -> String {
    """
    machine: {memory: 256M, kernel: 16M}
    clients:
      hosts: {workload: guests, amount: 150M}
    steps:
      - start: hosts
      - run: 2h
      - stop: {clients: hosts, keep: \(keep)}
    """
  }

  @Test func guestsThatAreKeptLiveOutTheirLives() throws {
    let runner = try EngineFixture.runner(Self.guests(keep: true))
    let memory = try #require(runner.engine.client("hosts/guests"))
    let held = memory.slots.frames
    #expect(held > .zero)
    for _ in 0..<3600 { runner.engine.advance() }
    let later = memory.slots.frames
    #expect(later < held)
    for _ in 0..<36_000 { runner.engine.advance() }
    #expect(memory.slots.frames < later || later == .zero)
    runner.engine.finish()
  }

  @Test func guestsThatAreNotKeptAreGone() throws {
    let runner = try EngineFixture.runner(Self.guests(keep: false))
    #expect(try #require(runner.engine.client("hosts/guests")).slots.frames == .zero)
    runner.engine.finish()
  }

  /// Two of a kind do not do the same at the same moments.
  @Test(arguments: ["guests", "forks", "build"]) func twoOfAKindDiffer(_ kind: String) throws {
    let runner = try EngineFixture.runner(
      """
      machine: {memory: 256M, kernel: 16M}
      clients:
        a: {workload: \(kind), load: 40%}
        b: {workload: \(kind), load: 40%}
      steps:
        - start: [a, b]
        - run: 2h
      """)
    func held(_ name: String) -> [UInt64] {
      runner.engine.clients.filter { $0.name.hasPrefix(name + "/") }.map { $0.slots.frames.rawValue }
    }
    #expect(held("a").count == held("b").count)
    #expect(held("a") != held("b"))
    runner.engine.finish()
  }

  /// Huge pages are the machine's own, and not of one size everywhere.
  @Test(arguments: ["arm64-64k", "ppc64-64k", "x86_64"]) func buildsAskForTheMachinesHugePages(_ preset: String) throws {
    let runner = try EngineFixture.runner(
      """
      machine: {preset: \(preset), memory: 1G, kernel: 64M}
      clients: {builds: {workload: build}}
      steps:
        - start: builds
        - run: 20s
      """)
    let engine = runner.engine
    #expect(engine.hugeAsked > 0)
    #expect(engine.hugeHad > 0)
    #expect(try #require(engine.client("builds/huge pages")).orders == [engine.hugeOrder])
    runner.engine.finish()
  }

  /// A cell of a map drawn coarsely is the same frames as in every other.
  @Test func rangesOfMapsBeginAtWholeCells() throws {
    let runner = try EngineFixture.runner(
      """
      machine: {memory: 256M, kernel: 16M}
      steps:
        - run: 1s
      """)
    let sampler = Sampler(runner.engine, sizes: [PageSize(shift: PageShift(16))])
    #expect(sampler.coarse > sampler.unit)
    #expect(!sampler.places.isEmpty)
    for place in sampler.places { #expect(place.frames.start.isAligned(to: sampler.coarse.frames)) }
    runner.engine.finish()
  }

  @Test func workloadsFreeByThemselves() throws {
    let event = try EngineFixture.last(
      """
      machine: {memory: 256M, kernel: 16M}
      clients: {web: {workload: server}}
      steps:
        - free: {client: web, share: 10%}
      """)
    #expect(event.outcome.rawValue == "failed")
    #expect(event.text == "web is a workload, whose clients free by themselves")
  }
}
