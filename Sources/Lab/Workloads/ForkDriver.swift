import FrameMap
import MemoryUnits
import PhysicalLayout

/// Storms of short-lived processes: every few minutes many start at once, each with page tables, kernel stacks and a few private pages,
/// and are gone within seconds to minutes.
final class ForkDriver: Driver {
  private let pages: Client
  private let tables: Client
  private let stacks: Client
  private let perStorm: UInt64
  private var random: LabRandom
  private var next: UInt64 = 0
  private var isRunning = false

  init(_ engine: LabEngine, _ workload: WorkloadSpec, _ name: String) {
    let life = Lifetime.pareto(least: Seconds(5), hundredths: 130, most: Seconds(3600))
    func client(_ part: String, _ mobility: FrameMobility, _ frames: UInt64) -> Client {
      var figures = ClientFigures(sizes: engine.sizes([(frames, 1)]))
      figures.mobility = mobility
      figures.lifetime = life
      figures.node = workload.node
      return engine.add(name + "/" + part, Flow(figures))
    }
    pages = client("private pages", .movable, 1)
    tables = client("page tables", .unmovable, 1)
    stacks = client("kernel stacks", .unmovable, 4)
    // About a thousandth of memory a storm, in processes of some 100 frames.
    perStorm = max(FrameCount(engine.share(10, workload), engine.shift, rounded: .down).rawValue / 100, 1)
    random = LabRandom(seed: engine.seed, stream: 4 << 40 + UInt64(pages.number))
  }

  func start(_ engine: LabEngine) { isRunning = true }

  func advance(_ engine: LabEngine) {
    guard isRunning, engine.now >= next else { return }
    next = engine.now + max((60 + random.below(240)) / engine.tick.rawValue, 1)
    for _ in 0..<perStorm {
      let cpu = engine.nextCPU()
      _ = engine.allocateExactly(Order(2), for: stacks, isLight: false, on: cpu)
      for _ in 0..<8 { _ = engine.allocateExactly(Order(0), for: tables, isLight: false, on: cpu) }
      for _ in 0..<88 { _ = engine.allocateExactly(Order(0), for: pages, isLight: false, on: cpu) }
    }
  }

  func stop(_ engine: LabEngine, keeps: Bool) { isRunning = false }
}
