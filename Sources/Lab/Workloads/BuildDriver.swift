import FrameMap
import MemoryUnits
import PhysicalLayout

/// A build of a large program: compilers that live for seconds, files that are read and written, inodes that stay, and beside it
/// somebody who asks for huge pages in bursts, touches them, and gives them back.
///
/// A `start` begins a build; it is over when its time is.
final class BuildDriver: Driver {
  static let length = Seconds(200)

  private let compilers: Client
  private let tables: Client
  private let files: Client
  private let inodes: Client
  private let objects: Client
  private let bursts: Client
  private var random: LabRandom
  private var left: UInt64 = 0
  private let unit: UInt64

  init(_ engine: LabEngine, _ workload: WorkloadSpec, _ name: String) {
    func client(
      _ part: String, _ mobility: FrameMobility, _ list: [(frames: UInt64, weight: UInt32)], _ life: Lifetime,
      isCache: Bool = false
    ) -> Client {
      var figures = ClientFigures(sizes: engine.sizes(list))
      figures.mobility = mobility
      figures.lifetime = life
      figures.isCache = isCache
      figures.node = workload.node
      var flow = Flow(figures)
      flow.isLight = true
      return engine.add(name + "/" + part, flow)
    }
    compilers = client("compilers", .movable, [(1, 1)], .pareto(least: Seconds(2), hundredths: 120, most: Seconds(40)))
    tables = client("page tables", .unmovable, [(1, 1)], .pareto(least: Seconds(2), hundredths: 120, most: Seconds(40)))
    files = client("files", .movable, [(1, 6), (4, 2), (16, 1)], .forever, isCache: true)
    inodes = client("dentries and inodes", .reclaimable, [(1, 1), (2, 1), (8, 1)], .forever, isCache: true)
    objects = client(
      "kernel objects", .unmovable, [(1, 6), (2, 1), (8, 1)], .pareto(least: Seconds(20), hundredths: 60, most: Seconds(86_400)))
    bursts = client("huge pages", .movable, [(engine.hugeOrder.frames.rawValue, 1)], .uniform(Seconds(2), Seconds(6)))
    random = LabRandom(seed: engine.seed, stream: 5 << 40 + UInt64(compilers.number))
    unit = max(FrameCount(engine.share(1, workload), engine.shift, rounded: .down).rawValue, 1)
  }

  func start(_ engine: LabEngine) { left = Self.length.rawValue / engine.tick.rawValue }

  func advance(_ engine: LabEngine) {
    guard left > 0 else { return }
    left -= 1
    let scale = engine.tick.rawValue
    // In ten-thousandths of memory a second.
    feed(compilers, 300 * unit * scale, engine)
    feed(tables, 3 * unit * scale, engine)
    feed(files, 25 * unit * scale, engine)
    feed(inodes, 4 * unit * scale, engine)
    feed(objects, 3 * unit * scale, engine)
    // Bursts of a tenth of memory or so.
    guard random.below(4) == 0 else { return }
    let count = 1000 * unit * scale / engine.hugeOrder.frames.rawValue
    for _ in 0..<(count / 2 + random.below(count)) {
      _ = engine.allocateExactly(engine.hugeOrder, for: bursts, isLight: false, on: engine.nextCPU())
    }
  }

  private func feed(_ client: Client, _ frames: UInt64, _ engine: LabEngine) {
    var left = frames / 2 + random.below(frames + 1)
    while left > 0 {
      let order = client.pickOrder()
      guard let place = engine.allocate(order, for: client, on: engine.nextCPU()) else { return }
      left -= min(left, place.order.frames.rawValue)
    }
  }

  func stop(_ engine: LabEngine, keeps: Bool) { left = 0 }
}
