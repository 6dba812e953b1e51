import FrameMap
import MemoryUnits
import PhysicalLayout

/// Virtual machines that start and stop: each takes its memory at once, in pages of one size where these can be had, and in base
/// pages where not.
final class GuestDriver: Driver {
  private let memory: Client
  private let size: ByteCount
  private let most: UInt64
  private let order: Order
  private let fallback: Order
  private var random: LabRandom
  /// Of each running guest, the slots of its folios, and the tick of its end.
  private var guests: [(end: UInt64, slots: [UInt32])] = []
  private var isRunning = false
  private let perHour: UInt64

  init(_ engine: LabEngine, _ workload: WorkloadSpec, _ name: String) {
    let architecture = engine.lab.machine.layout.architecture
    let page =
      workload.pageSize ?? architecture.hugeSizes.filter { !architecture.isGigantic($0) }.max() ?? PageSize(shift: engine.shift)
    order = page.order(baseShift: engine.shift)
    fallback = min(Order(4), order)
    let amount = workload.amount ?? engine.share(5000, workload)
    size = max(page.bytes, ByteCount(rawValue: amount.rawValue / 12).aligned(to: page.bytes, .down))
    most = max(amount / size, 1)
    perHour = max(most / 2, 1)
    var figures = ClientFigures(sizes: [WeightedSize(page, weight: 1)])
    figures.node = workload.node
    memory = engine.add(name + "/guests", Flow(figures))
    random = LabRandom(seed: engine.seed, stream: 3 << 40 + UInt64(memory.number))
  }

  func start(_ engine: LabEngine) { isRunning = true }

  func advance(_ engine: LabEngine) {
    let cpu = engine.nextCPU()
    while let index = guests.firstIndex(where: { $0.end <= engine.now }) {
      end(guests.remove(at: index).slots, engine)
    }
    guard isRunning, guests.count < most else { return }
    // As many starts an hour as half of them, at random moments.
    guard random.below(3600) < perHour * engine.tick.rawValue else { return }
    var slots: [UInt32] = []
    var missing = FrameCount(size, engine.shift, rounded: .up)
    while missing > .zero {
      let isWhole = missing >= order.frames
      let place =
        (isWhole ? engine.allocateExactly(order, for: memory, isLight: false, on: cpu) : nil)
        ?? engine.allocateExactly(fallback, for: memory, isLight: true, on: cpu)
        ?? engine.allocateExactly(Order(0), for: memory, isLight: false, on: cpu)
      guard let place, let (_, slot) = engine.owner.owner(of: place.head) else {
        engine.failures += 1
        break
      }
      slots.append(slot)
      missing = missing.saturatingSubtracting(place.order.frames)
    }
    let life = random.draw(.exponential(mean: Seconds(2 * 3600)), tick: engine.tick) ?? 1
    guests.append((engine.now + UInt64(life), slots))
  }

  func stop(_ engine: LabEngine, keeps: Bool) {
    isRunning = false
    guard !keeps else { return }
    for guest in guests { end(guest.slots, engine) }
    guests = []
  }

  private func end(_ slots: [UInt32], _ engine: LabEngine) {
    let cpu = engine.nextCPU()
    for slot in slots { engine.release(memory.slots.remove(slot), on: cpu) }
  }
}
