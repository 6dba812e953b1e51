import FrameMap
import MemoryUnits
import Testing

@testable import Lab

/// What pinning takes, as scenarios tell it.
struct EnginePinTests {
  private func run(_ model: MemoryModel, _ steps: String) throws {
    let trace = try LabRun.run(
      try EngineFixture.scenario(
        """
        machine: {memory: 4G, kernel: 16M, model: \(model)}
        sampling: {counters: never, sizes: [1G]}
        steps:
        \(steps)
        """))
    for event in trace.events where event.outcome != .done { Issue.record("\(event.step): \(event.text)") }
  }

  /// S2.1, S2.2: a page's counts go up once a call, whatever the model; descriptors are looked up by runs, of 128 MiB where they are not
  /// contiguous, and the more so the more a call covers.
  @Test(arguments: MemoryModel.allCases) func gigantic(_ model: MemoryModel) throws {
    let runs = model == .sparse || model == .sparseExtreme ? 16 : 2
    try run(
      model,
      """
        - pool: {size: 1G, pages: 2}
        - space: {name: a, map: 2G, page: 1G}
        - space: {name: a, pin: {share: 100%, call: 2M}}
        - expect: pin-calls == 1024
        - expect: pin-batches == 1024
        - expect: pin-runs == 1024
        - space: {name: a, pin: {share: 100%, call: 2G}}
        - expect: pin-calls == 1025
        - expect: pin-batches == 1026
        - expect: pin-runs == \(1024 + runs)
        - expect: pinned == 2G
        - space: {name: a, unpin: all}
        - expect: pinned == 0
      """)
  }

  /// Base pages are a batch each; a transparent page is one.
  @Test func baseAndTransparentPages() throws {
    try run(
      .vmemmap,
      """
        - space: {name: a, map: 4M}
        - space: {name: a, pin: {share: 100%, call: 64K}}
        - expect: pin-calls == 64
        - expect: pin-batches == 1024
        - expect: pin-runs == 1024
        - space: {name: b, map: 4M, transparent: true}
        - space: {name: b, pin: {share: 100%, call: 1M}}
        - expect: pin-calls == 68
        - expect: pin-batches == 1028
        - space: {name: b, pin: 100%}
        - expect: pin-calls == 1092
        - space: {name: b, unpin: all}
        - space: {name: a, unpin: all}
        - expect: pinned == 0
      """)
  }
}
