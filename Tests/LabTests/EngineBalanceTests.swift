import FrameAllocator
import FrameMap
import MemoryUnits
import PhysicalLayout
import Testing

@testable import Lab

/// What is done in the background.
struct EngineBalanceTests {
  /// A machine that is full of small folios, of which two thirds can be dropped, with somebody beside them who takes huge pages.
  private static func crowded(_ fallback: String) -> String {
    """
    machine: {memory: 256M, kernel: 16M, policy: {fallback: \(fallback)}}
    clients:
      files: {sizes: {4K: 4, 16K: 1}, cache: true, rate: 20M}
      heap: {sizes: 4K, rate: 8M, limit: 60M, lifetime: {uniform: {least: 2s, most: 20s}}}
      slab: {mobility: unmovable, sizes: 4K, rate: 300K, limit: 10M, lifetime: {exponential: {mean: 1m}}}
      bursts: {sizes: 2M, lifetime: {uniform: {least: 3s, most: 3s}}}
    steps:
      - start: [files, heap, slab]
      - run: 30s
    """
  }

  /// Frames that are free in whole pageblocks of the largest zone, and its high mark.
  private func whole(_ engine: LabEngine) -> (free: FrameCount, mark: FrameCount) {
    let all = engine.lab.machine.zones.indices.map { index in
      (engine.lab.machine.zones[index].freeInLargeBlocks(), engine.lab.machine.zones[index].watermarks.high)
    }
    return all.max { $0.1 < $1.1 } ?? (.zero, .zero)
  }

  private func counts(_ engine: LabEngine) -> PageblockCounts {
    engine.lab.machine.zones.indices.reduce(PageblockCounts()) { $0 + engine.lab.machine.zones[$1].pageblockCounts }
  }

  /// Without fallback the high mark is met in whole pageblocks after each tick, though some are taken in each, and so nobody wants
  /// others' pageblocks.
  @Test func wholePageblocksAreKeptFree() throws {
    let runner = try EngineFixture.runner(Self.crowded("never"))
    let engine = runner.engine
    let bursts = try #require(engine.client("bursts"))
    // Else one round would do.
    #expect(whole(engine).mark >= engine.hugeOrder.frames * 4)
    for _ in 0..<20 {
      var had = 0
      for _ in 0..<4 where engine.allocateExactly(engine.hugeOrder, for: bursts, isLight: true, on: engine.nextCPU()) != nil {
        had += 1
      }
      #expect(had == 4)
      engine.advance()
      #expect(whole(engine).free >= whole(engine).mark)
    }
    #expect(counts(engine).stolen + counts(engine).polluted == 0)
    runner.engine.finish()
  }

  /// With fallback nobody keeps them, and the same load leaves fewer.
  @Test func withFallbackTheyAreNotKept() throws {
    let runner = try EngineFixture.runner(Self.crowded("steal"))
    let engine = runner.engine
    var met = 0
    for _ in 0..<20 {
      engine.advance()
      if whole(engine).free >= whole(engine).mark { met += 1 }
    }
    #expect(met < 10)
    runner.engine.finish()
  }

  /// Where pageblocks cannot become whole the attempt ends, and what is dropped for it in a tick is bounded.
  @Test func whatCannotBeWholeIsLeft() throws {
    let runner = try EngineFixture.runner(
      """
      machine: {memory: 256M, kernel: 16M, policy: {fallback: never}}
      clients:
        files: {sizes: 4K, cache: true}
        pins: {sizes: 4K, pinned: true}
      steps:
        - repeat:
            times: 1800
            steps:
              - allocate: {client: pins, amount: 64K}
              - allocate: {client: files, amount: 64K}
      """)
    let engine = runner.engine
    let mark = whole(engine).mark
    for _ in 0..<5 {
      let before = engine.tally.dropped
      engine.advance()
      #expect(engine.tally.dropped - before <= mark * 4)
      #expect(whole(engine).free < mark)
    }
    runner.engine.finish()
  }
}
