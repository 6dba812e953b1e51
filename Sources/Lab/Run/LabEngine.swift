import AddressSpaces
import FrameAllocator
import FrameMap
import HostArena
import Megalith
import MemoryUnits
import Mobility
import PhysicalLayout

/// A machine with clients at work on it, tick by tick.
///
/// **Threads.** One. Everything that happens hangs on the scenario and its seed alone.
final class LabEngine {
  let lab: LabMachine
  let spec: MachineSpec
  let seed: UInt64
  let tick: Seconds
  let shift: PageShift
  /// From this order on a folio counts as a huge page.
  let hugeOrder: Order
  let owner: ClientTable
  let tally = MoveTally()
  /// Ticks since the beginning.
  private(set) var now: UInt64 = 0
  private(set) var drivers: [String: Driver] = [:]
  /// Folios allocated and freed, whoever did so.
  var operations: UInt64 = 0
  /// Requests that were not served at all.
  var failures: UInt64 = 0
  /// What has been asked for as huge pages in passing, and had.
  var hugeAsked: UInt64 = 0
  var hugeHad: UInt64 = 0
  /// Where the next compaction of each zone begins.
  var compactionPlaces: [FrameNumber?]
  /// Failed compactions to wait through, and how many of these have passed. Linux: `compact_defer_shift`.
  var deferrals: (shift: UInt32, passed: UInt32) = (0, 0)
  /// For each mobility, in the byte of its number, the smallest order that was sought in vain since something was freed last.
  private var missing = SIMD4<UInt8>(repeating: 63)
  /// The largest order above the costly ones that was sought in vain since the last tick.
  var wanted = Order(0)
  var spaces: [String: SpaceHolder] = [:]
  /// What pinning took so far.
  var pins = PinTally()
  var added: [AddedMemory] = []
  /// Folios that are about to be freed together.
  private var leaving: [FolioPlace] = []
  private let cpuCount: UInt64
  private var cpuTurn: UInt64 = 0

  init(_ lab: consuming LabMachine, _ spec: MachineSpec, seed: UInt64, tick: Seconds) {
    self.spec = spec
    self.seed = seed
    self.tick = tick
    shift = lab.machine.layout.architecture.baseShift
    hugeOrder = lab.machine.layout.architecture.hugeSizes.min().map { [shift] in $0.order(baseShift: shift) } ?? Order(9)
    cpuCount = UInt64(max(spec.processors, 1))
    owner = ClientTable(tally, base: lab.base, lab.machine.zones.table)
    compactionPlaces = lab.machine.zones.indices.map { _ in nil }
    self.lab = lab
  }

  /// Time since the beginning.
  var time: Seconds { Seconds(now * tick.rawValue) }

  /// Takes another client in.
  @discardableResult func add(_ name: String, _ flow: Flow) -> Client {
    let client = Client(name, flow, number: UInt32(clients.count), seed: seed, shift: shift)
    owner.add(client)
    return client
  }

  var clients: [Client] { owner.clients }

  func client(_ name: String) -> Client? { clients.first { $0.name == name } }

  func add(_ driver: some Driver, named name: String) { drivers[name] = driver }

  /// In whose name the next piece of work is done.
  func nextCPU() -> CPUIndex {
    cpuTurn = (cpuTurn + 1) % cpuCount
    return CPUIndex(UInt32(cpuTurn))
  }

  var context: MigrationContext<ClientTable, HostMover> { lab.machine.migration(of: owner) }

  /// A tick goes by.
  func advance() {
    now += 1
    for client in clients where client.slots.count > .zero || client.isRunning {
      client.slots.advance { leaving.append($0) }
      releaseLeaving(on: nextCPU(), in: lab.machine.zones)
    }
    for name in drivers.keys.sorted() { drivers[name]?.advance(self) }
    feed(in: lab.machine.zones)
    balance()
  }

  /// Lets the running clients allocate what is due, in small pieces by turns, as processes would.
  private func feed(in zones: borrowing ZoneSet) {
    var open: [Client] = []
    for client in clients where client.isRunning {
      client.age += 1
      client.owed += due(client)
      if client.owed > 0 { open.append(client) }
    }
    var index = 0
    while !open.isEmpty {
      if feed(open[index], in: zones) { index += 1 } else { open.remove(at: index) }
      if index >= open.count { index = 0 }
    }
  }

  /// Lets a client allocate up to 16 folios. False where it has what is due to it.
  private func feed(_ client: Client, in zones: borrowing ZoneSet) -> Bool {
    let cpu = nextCPU()
    for _ in 0..<16 {
      let order = client.pickOrder()
      let bytes = order.frames.bytes(shift)
      guard bytes.rawValue <= client.owed else { return false }
      guard let got = allocate(order, for: client, on: cpu, in: zones) else {
        client.owed = 0
        return false
      }
      client.owed -= min(client.owed, got.order.frames.bytes(shift).rawValue)
    }
    return true
  }

  /// Bytes that become due in a tick.
  private func due(_ client: Client) -> UInt64 {
    let flow = client.flow
    let held = client.slots.frames.bytes(shift).rawValue
    let limit = flow.figures.limit?.rawValue ?? UInt64.max
    if let (name, share) = flow.follows {
      let followed = clients.reduce(UInt64(0)) { $1.name == name ? $0 + $1.slots.frames.bytes(shift).rawValue : $0 }
      let wanted = min(followed / 4096 * share, limit)
      return wanted > held + client.owed ? wanted - held - client.owed : 0
    }
    guard held + client.owed < limit else { return 0 }
    let isFilling = flow.fill.map { client.age * tick.rawValue <= $0.time.rawValue } ?? false
    let rate = isFilling ? flow.fill?.rate ?? .zero : flow.figures.rate
    return min(rate.rawValue * tick.rawValue, limit - held - client.owed)
  }

  func forgetMissing() { missing = SIMD4(repeating: 63) }

  func isMissing(_ order: Order, _ mobility: FrameMobility) -> Bool { order.rawValue >= missing[Int(mobility.rawValue)] }

  func noteMissing(_ order: Order, _ mobility: FrameMobility) { missing[Int(mobility.rawValue)] = order.rawValue }

  private static let leavingTogether = 64

  /// Gives back folios that leave at once. Their descriptors lie far apart: looked at one after the other first, they come from memory
  /// together, and not each while the one before it is being freed. A tenth of a run's time (`megalith-bench lab --memory 64G --hours 3`).
  private func releaseLeaving(on cpu: CPUIndex, in zones: borrowing ZoneSet) {
    var first = 0
    while first < leaving.count {
      let end = min(first + Self.leavingTogether, leaving.count)
      for place in leaving[first..<end] {
        // No folio's memmap goes before the folio.
        if let descriptor = zones.table.descriptor(place.head) { _ = zones.isFolio(place, descriptor) }
      }
      for index in first..<end { release(leaving[index], on: cpu, in: zones) }
      first = end
    }
    leaving.removeAll(keepingCapacity: true)
  }

  /// Gives a folio back.
  func release(_ place: FolioPlace, on cpu: CPUIndex) { release(place, on: cpu, in: lab.machine.zones) }

  private func release(_ place: FolioPlace, on cpu: CPUIndex, in zones: borrowing ZoneSet) {
    operations += 1
    forgetMissing()
    do throws(FolioError) {
      try zones.free(at: place.head, order: place.order, on: cpu)
    } catch {
      preconditionFailure("a client's folio at \(place.head) is not there: \(error)")
    }
  }
}

/// What has more to do at a tick than to allocate at a rate.
protocol Driver: AnyObject {
  func start(_ engine: LabEngine)
  func advance(_ engine: LabEngine)
  /// Starts nothing more. What it has its clients hold is freed, or, where it `keeps`, lives out its life.
  func stop(_ engine: LabEngine, keeps: Bool)
}

extension LabEngine {
  /// Frees all that clients and processes hold, and has the machine recount itself. Traps where it contradicts itself.
  func finish() {
    for name in drivers.keys.sorted() { drivers[name]?.stop(self, keeps: false) }
    for name in spaces.keys.sorted() { end(name, on: CPUIndex(0)) }
    for client in clients {
      var list: [UInt32] = []
      client.slots.forEach { slot, _ in list.append(slot) }
      for slot in list {
        leaving.append(client.slots.remove(slot))
        if leaving.count >= Self.leavingTogether { releaseLeaving(on: CPUIndex(0), in: lab.machine.zones) }
      }
      releaseLeaving(on: CPUIndex(0), in: lab.machine.zones)
    }
    lab.machine.zones.drain()
    do { try lab.machine.checkInvariants() } catch { preconditionFailure("the machine contradicts itself: \(error)") }
  }
}
