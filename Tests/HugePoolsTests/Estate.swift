import FrameAllocator
import FrameContents
import FrameMap
import HostArena
import HugePools
import Megalith
import MemoryUnits
import Mobility
import PhysicalLayout
import Synchronization
import TestSupport
import Testing

/// A machine without contents, its pools, and a user who keeps pages and other folios by ticket. Each test ends with `finish()`.
final class Estate: Sendable {
  let machine: Machine<HostStorage>
  var pools: HugePools { _read { yield machine.memory.pools } }
  let ledger = FolioLedger()
  let free: FrameCount
  /// Pages and other folios that moved, and free pages that were replaced.
  let moved = Tally()
  let replaced = Tally()
  /// Done once, when the next folio has moved: what others do while somebody looks for a page.
  let meanwhile = Mutex<(@Sendable () -> Void)?>(nil)

  init(
    _ layout: BootLayout, model: MemoryModel = .vmemmap, policy: MachinePolicy = MachinePolicy(),
    pools poolPolicy: HugePoolPolicy = HugePoolPolicy(), commandLine: KernelCommandLine = KernelCommandLine()
  ) throws {
    var policy = policy
    policy.hugePools = poolPolicy
    machine = try Machine(layout, model: model, policy: policy, commandLine: commandLine)
    free = machine.zones.freeFrames()
  }

  convenience init(
    nodes: [ByteCount], architecture: Architecture = .x86_64, model: MemoryModel = .vmemmap, processors: UInt32 = 1,
    pools: HugePoolPolicy = HugePoolPolicy()
  ) throws {
    let total = nodes.reduce(.zero) { $0 + $1 }
    // No more sections than there can be memory in: each recount goes over all of them.
    var architecture = architecture
    architecture.addressLimit = PhysicalAddress(0) + (total + .gibibytes(4)).aligned(to: .gibibytes(4), .up)
    let memory = try PhysicalMemory(total: total, nodes: nodes.count == 1 ? [] : nodes, architecture: architecture)
    var policy = MachinePolicy()
    policy.processors = CPUIndexLimit(processors)
    try self.init(try BootLayout(of: memory.boot()), model: model, policy: policy, pools: pools)
  }

  var zones: ZoneSet { _read { yield machine.zones } }
  func context(_ cpu: CPUIndex = CPUIndex(0)) -> MigrationContext<EstateOwner, HostMover> {
    machine.migration(of: EstateOwner(estate: self), on: cpu)
  }
  func node(of frame: FrameNumber) -> NodeID? {
    machine.zones.zone(of: frame).map { machine.zones.descriptions[Int($0.rawValue)].node }
  }

  // MARK: Pools

  @discardableResult func resize(_ size: PageSize, _ count: UInt64, on nodes: [NodeID]? = nil) -> UInt64 {
    pools.setSize(size, to: PageCount(count), on: nodes, zones: machine.zones, with: context()).rawValue
  }
  @discardableResult func resize(_ size: PageSize, _ count: UInt64, node: UInt32) -> UInt64 {
    pools.setSize(size, to: PageCount(count), on: NodeID(node), zones: machine.zones, with: context()).rawValue
  }
  func reserve(_ count: UInt64, _ size: PageSize, _ subpool: Subpool? = nil) throws(HugePoolError) {
    try pools.reserve(PageCount(count), size, subpool: subpool, zones: machine.zones, with: context())
  }
  func unreserve(_ count: UInt64, _ size: PageSize, _ subpool: Subpool? = nil) {
    pools.unreserve(PageCount(count), size, subpool: subpool, zones: machine.zones, on: CPUIndex(0))
  }
  func take(
    _ size: PageSize, reserved: Bool = false, _ placement: HugePlacement = .local(NodeID(0)), _ subpool: Subpool? = nil
  ) throws(HugePoolError) -> FrameNumber {
    let folio = try pools.take(
      size, reserved: reserved, placement: placement, subpool: subpool, zones: machine.zones, with: context())
    return folio.head
  }
  /// Ends the one reference of a page that `take` gave.
  func putBack(_ head: FrameNumber, restoring: Bool = false) {
    let isLast = machine.map.table.descriptor(head)?.pointee.give(.references(1))
    #expect(isLast == true)
    pools.putBack(head, restoringReservation: restoring, zones: machine.zones, on: CPUIndex(0))
  }

  /// The counters as a kernel lists them: size, free, reserved, surplus.
  func expect(
    _ size: PageSize, _ numbers: [UInt64], _ step: String, subpools: [Subpool] = [], at place: SourceLocation = #_sourceLocation
  ) throws {
    let counts = pools.counts(size)
    let found = [counts.total, counts.free, counts.reserved, counts.surplus].map { $0.rawValue }
    #expect(found == numbers, "\(step)", sourceLocation: place)
    try pools.checkInvariants(zones: machine.zones, subpools: subpools)
    // What is reserved here is nobody's mapping, which the machine's own recount would miss.
    for index in machine.zones.indices { try machine.zones[index].checkInvariants() }
  }
  func totals(_ size: PageSize) -> [UInt64] { machine.zones.nodes.map { pools.counts(size, on: $0).total.rawValue } }

  /// Everything is back, and the books agree.
  func finish(at place: SourceLocation = #_sourceLocation) throws {
    for ticket in ledger.tickets { ledger.free(ticket, to: machine.zones, on: CPUIndex(0)) }
    pools.drain(zones: machine.zones, on: CPUIndex(0))
    for size in pools.sizes {
      let counts = pools.counts(size)
      #expect(counts.total == .zero && counts.reserved == .zero && counts.surplus == .zero, "\(size)", sourceLocation: place)
    }
    try pools.checkInvariants(zones: machine.zones)
    machine.zones.drain()
    let held = try machine.checkInvariants()
    #expect(held == .zero, sourceLocation: place)
    let left = machine.zones.freeFrames()
    #expect(left == free, sourceLocation: place)
  }
}

extension Estate {
  /// An estate of 128 MiB with one movable frame left in every block of 2 MiB, so that none is free: each page is had by moving.
  static func scattered(_ search: HugePoolPolicy.Search) throws -> Estate {
    var policy = HugePoolPolicy()
    policy.search = search
    let estate = try Estate(nodes: [.mebibytes(128)], pools: policy)
    var blocks: [FolioPlace] = []
    while let folio = try? estate.machine.allocate(Order(9), FrameRequest(.movable, urgency: .emergency)) {
      blocks.append(FolioPlace(head: folio.head, order: folio.order))
    }
    for place in blocks {
      var isFirst = true
      try estate.machine.zones.split(try estate.machine.zones.adopt(place.head), to: Order(0)) { part in
        if isFirst { _ = estate.ledger.keep(part) } else { estate.machine.free(part) }
        isFirst = false
      }
    }
    estate.machine.zones.drain()
    return estate
  }
}

/// Moves what the ledger keeps, and tells the pools.
struct EstateOwner: FolioOwner {
  let estate: Estate

  func detach(_ folio: FolioPlace) -> FrameCounts? { estate.ledger.detach(folio) }
  func attach(_ folio: FolioPlace, to head: FrameNumber) {
    estate.pools.didMove(folio, to: head, zones: estate.machine.zones)
    estate.ledger.attach(folio, to: head)
    if head != folio.head { estate.moved.add(1) }
    let others = estate.meanwhile.withLock { meanwhile in
      defer { meanwhile = nil }
      return meanwhile
    }
    others?()
  }
  func replaceFree(_ page: FolioPlace, in zones: borrowing ZoneSet, on cpu: CPUIndex) -> Bool {
    guard estate.pools.replaceFree(page, zones: zones, on: cpu) else { return false }
    estate.replaced.add(1)
    return true
  }
}

extension PageSize {
  static let m2 = PageSize(shift: PageShift(21))
  static let g1 = PageSize(shift: PageShift(30))
}
