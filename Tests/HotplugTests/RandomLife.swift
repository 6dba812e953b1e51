import FrameAllocator
import FrameMap
import HostArena
import Hotplug
import HugePools
import Megalith
import MemoryUnits
import Mobility
import PhysicalLayout
import TestSupport
import Testing

/// A random life of memory, next to a naive account of it: what each block's state is, what lies in it, and who uses shared memmaps.
final class RandomLife {
  enum State: Equatable { case offline, online(ZoneIndex), held }
  struct Block {
    var state: State
    let node: UInt32
    /// The first block of those that share a memmap; its own number where it does not.
    let host: UInt64?
    let memmap: UInt64
  }

  private static let huge = PageSize(shift: PageShift(21))
  let plant: Plant<HostStorage>
  let seed: UInt64
  let hosting: HostingUnit
  let mebibytesOfBlock: UInt64
  var random: SplitMix
  var blocks: [UInt64: Block] = [:]
  var bootGone: [UInt64: UInt64] = [:]
  var tickets: [FolioLedger.Ticket] = []
  /// Pages of the pool in use.
  var pages: [FolioLedger.Ticket] = []
  var pinned: [FrameNumber] = []
  var fixed: [FrameRange] = []
  /// What lay in blocks that were to go offline, of all that did or did not.
  var met = Met()
  struct Met {
    var pins = 0
    var usedPages = 0
    var freePages = 0
  }
  let late: Range<UInt64>
  var log: [String] = []

  init(_ model: MemoryModel, seed: UInt64) throws {
    self.seed = seed
    random = SplitMix(seed: seed)
    hosting = HostingUnit.allCases[Int(seed) % 3]
    mebibytesOfBlock = model == .vmemmap && seed % 2 == 0 ? 2 : 8
    var architecture = Plants.architecture()
    architecture.addressLimit = PhysicalAddress(6 << 30)
    let memory = try PhysicalMemory(total: .mebibytes(64), nodes: [.mebibytes(40), .mebibytes(24)], architecture: architecture)
    // S3.6: holes of any place and size in what boots.
    let holes = try memory.firmwareMap.holes(count: HoleCount(3), size: .kibibytes(512), aligned: .kibibytes(64), seed: seed)
    var boot = memory.boot()
    boot.firmwareMap = memory.firmwareMap.punching(holes, as: .reserved)
    plant = try Plant(
      BootLayout(of: boot), model, Plants.policy(hosting, block: .mebibytes(mebibytesOfBlock), limit: .mebibytes(512)),
      HostStorage())
    late = 128 / mebibytesOfBlock..<192 / mebibytesOfBlock
  }

  var owner: PlantOwner { PlantOwner(plant: plant) }

  func range(_ first: UInt64, _ count: UInt64 = 1) -> FrameRange {
    mebibytes(first * mebibytesOfBlock, (first + count) * mebibytesOfBlock)
  }

  func some() -> (first: UInt64, count: UInt64) {
    let count = UInt64.random(in: 1...3, using: &random)
    return (UInt64.random(in: late.lowerBound..<late.upperBound - count, using: &random), count)
  }

  /// The same, every other time beginning with a block that is online.
  private func someOnline() -> (first: UInt64, count: UInt64) {
    let random = some()
    guard Bool.random(using: &self.random), let first = onlineBlocks.randomElement(using: &self.random) else { return random }
    return (first, min(random.count, late.upperBound - first))
  }

  private var onlineBlocks: [UInt64] {
    blocks.keys.sorted().filter { if case .online = blocks[$0]?.state { true } else { false } }
  }

  func expect(_ isRight: Bool, _ what: String, _ place: SourceLocation = #_sourceLocation) {
    #expect(isRight, "\(what); seed \(seed), last steps: \(log.suffix(6))", sourceLocation: place)
  }

  func step() throws {
    switch UInt64.random(in: 0..<22, using: &random) {
    case 0...2: add()
    case 3...5: online()
    case 6...8: offline()
    case 9...10: remove()
    case 11: allocate()
    case 12: free()
    case 13: pin()
    case 14: bootBlock()
    case 15: resizePool()
    default: occupy()
    }
    let held = plant.check()
    let folios = tickets.compactMap { plant.ledger.place(of: $0)?.frames.count.rawValue }.reduce(0, +)
    let pool = plant.machine.memory.pools.counts(Self.huge).total.rawValue * 512
    let memmaps = plant.machine.hotplug.blocks.reduce(UInt64(0)) { sum, block in
      guard case .folios(let folios) = block.home else { return sum }
      return sum + folios.reduce(UInt64(0)) { $0 + $1.frames.count.rawValue }
    }
    let counted = folios + pool + memmaps + fixed.reduce(UInt64(0)) { $0 + $1.count.rawValue }
    expect(held?.rawValue == counted, "held \(held as Any), counted \(counted)")
    compare()
  }

  /// Blocks and the zones' figures are what the naive account says.
  func compare() {
    let real = plant.machine.hotplug.blocks.filter { $0.range.start >= FrameNumber(128 << 8) }
    expect(real.count == blocks.count, "\(real.count) blocks, not \(blocks.count)")
    var managed: [ZoneIndex: UInt64] = [:]
    for block in real {
      let mine = blocks[block.range.start.rawValue / (mebibytesOfBlock << 8)]
      let state: State =
        switch block.state {
        case .offline, .device: .offline
        case .online(let zone): .online(zone)
        case .holdingMemmap: .held
        }
      expect(mine?.state == state && mine?.memmap == block.memmapFrames.rawValue, "\(block) is \(mine as Any)")
      if case .online(let zone) = state { managed[zone, default: 0] += block.usable.count.rawValue }
    }
    for index in plant.machine.zones.indices {
      let said = plant.machine.hotplug.managedChange(of: index)
      let gone = bootGone.values.reduce(0, +)
      if gone == 0 { expect(said == Int64(managed[index] ?? 0), "zone \(index) changed by \(said)") }
    }
  }

  // MARK: Steps

  func add() {
    let (first, count) = some()
    let node = UInt32.random(in: 0...1, using: &random)
    let place = MemmapPlace.allCases.randomElement(using: &random) ?? .elsewhere
    log.append("add \(first)+\(count) \(place)")
    let refused = refusal { try plant.machine.add(range(first, count), node: NodeID(node), memmap: place) }
    let isThere = (first..<first + count).contains { blocks[$0] != nil }
    if case .overlaps = refused {
      expect(isThere, "refused: \(refused as Any)")
    } else {
      expect(refused == nil && !isThere, "added")
    }
    guard refused == nil else { return }
    let perBlock = mebibytesOfBlock << 8 / 64
    let isHosted = place == .fromRange && (hosting != .oneBlock || count == 1)
    for number in first..<first + count {
      let memmap = !isHosted ? 0 : hosting != .wholeRange ? perBlock : number == first ? perBlock * count : 0
      blocks[number] = Block(
        state: .offline, node: node, host: isHosted && hosting == .wholeRange ? first : nil, memmap: memmap)
    }
  }

  func online() {
    let (first, count) = some()
    let wanted: OnlineZone = [.kernel, .movable, .automatic(movable: Percent(100))].randomElement(using: &random) ?? .kernel
    log.append("online \(first)+\(count) \(wanted)")
    let mine = (first..<first + count).map { blocks[$0] }
    var zone = ZoneIndex(0)
    let refused = refusal { zone = try plant.machine.online(range(first, count), wanted) }
    let isPossible = mine.allSatisfy { $0?.state == .offline && $0?.node == mine[0]?.node }
    expect((refused == nil) == isPossible, "online: \(refused as Any)")
    guard refused == nil else { return }
    for number in first..<first + count { blocks[number]?.state = .online(zone) }
  }

  func offline() {
    let (first, count) = someOnline()
    log.append("offline \(first)+\(count)")
    let mine = (first..<first + count).map { blocks[$0]?.state }
    let range = range(first, count)
    let isInTheWay =
      fixed.contains { $0.overlaps(range) }
      || pinned.contains { pin in
        (try? plant.machine.zones.folio(containing: pin)).map { $0.frames.overlaps(range) } ?? false
      } || hasMemmapFolio(in: range)
    var isOnline = false
    if case .online = mine[0] { isOnline = mine.allSatisfy { $0 == mine[0] } }
    if isOnline { meet(range) }
    let pool = plant.machine.memory.pools.counts(Self.huge)
    let refused = refusal { try plant.machine.offline(range, owner: owner) }
    let after = plant.machine.memory.pools.counts(Self.huge)
    expect(refused == nil || after == pool, "the pool was \(pool), is \(after)")
    if case .busy(_, let obstacles) = refused, !isInTheWay {
      // Everything that may move has to find a place.
      expect(isOnline && obstacles[.noRoom] + obstacles[.busy] > .zero, "busy: \(obstacles)")
      return
    }
    expect((refused == nil) == (isOnline && !isInTheWay), "offline: \(refused as Any)")
    guard refused == nil else { return }
    for number in first..<first + count { blocks[number]?.state = .offline }
  }

  /// Notes what is in the way.
  private func meet(_ range: FrameRange) {
    for index in plant.machine.zones.indices {
      plant.machine.zones[index].forEachFolio(in: range) { place, shape in
        guard plant.machine.zones.zone(of: place.head) == index else { return }
        if pinned.contains(place.head) { met.pins += 1 }
        guard shape.kind == .hugePool, let head = plant.machine.map.descriptor(place.head) else { return }
        if head.pointee.counts.isZero { met.freePages += 1 } else { met.usedPages += 1 }
      }
    }
  }

  private func hasMemmapFolio(in range: FrameRange) -> Bool {
    plant.machine.hotplug.blocks.contains { block in
      guard case .folios(let folios) = block.home else { return false }
      return folios.contains { $0.frames.overlaps(range) }
    }
  }

  func remove() {
    let (first, count) = some()
    log.append("remove \(first)+\(count)")
    let refused = refusal { try plant.machine.remove(range(first, count)) }
    let mine = (first..<first + count).map { blocks[$0]?.state }
    expect((refused == nil) == mine.allSatisfy { $0 == .offline }, "remove: \(refused as Any)")
    guard refused == nil else { return }
    for number in first..<first + count { blocks[number]?.state = .held }
    for (number, block) in blocks where block.state == .held {
      let users = blocks.values.contains { $0.host != nil && $0.host == block.host && $0.state != .held }
      if block.memmap == 0 || !users { blocks[number] = nil }
    }
  }

  func allocate() {
    guard tickets.count + fixed.count < 24 else { return free() }
    let isMovable = UInt64.random(in: 0..<4, using: &random) > 0
    let order = Order(UInt8.random(in: 0...6, using: &random))
    let node = NodeID(UInt32.random(in: 0...1, using: &random))
    log.append("allocate \(order)")
    guard let folio = try? plant.machine.allocate(order, FrameRequest(isMovable ? .movable : .unmovable, node: node)) else {
      return
    }
    if isMovable { return tickets.append(plant.ledger.keep(folio)) }
    fixed.append(folio.frames)
    folio.forget()
  }

  func free() {
    if let place = fixed.indices.randomElement(using: &random) {
      plant.machine.zones.put(fixed.remove(at: place).start, on: CPUIndex(0))
    }
    free(of: &tickets)
    free(of: &pages)
    // The pools take back what came to them at their next step; this is one that does nothing else.
    _ = plant.machine.memory.pools.replaceFree(
      FolioPlace(head: .zero, order: Order(0)), zones: plant.machine.zones, on: CPUIndex(0))
  }

  private func free(of list: inout [FolioLedger.Ticket]) {
    guard let place = list.indices.randomElement(using: &random), let folio = plant.ledger.place(of: list[place]),
      !pinned.contains(folio.head)
    else { return }
    plant.ledger.free(list.remove(at: place), to: plant.machine.zones, on: CPUIndex(0))
  }

  func pin() {
    if pinned.count > 2 || (!pinned.isEmpty && Bool.random(using: &random)) {
      let place = Int.random(in: 0..<pinned.count, using: &random)
      plant.machine.zones.put(pinned.remove(at: place), on: CPUIndex(0))
    } else if let ticket = (tickets + pages).randomElement(using: &random) {
      pin(ticket)
    }
  }

  private func pin(_ ticket: FolioLedger.Ticket) {
    guard pinned.count < 4, let folio = plant.ledger.place(of: ticket),
      (try? plant.machine.zones.tryGet(folio.head, on: CPUIndex(0))) != nil
    else { return }
    log.append("pin \(folio)")
    pinned.append(folio.head)
  }

  /// Puts something into a block that is online: a folio, pinned or not, or a page of the pool; or uses one.
  func occupy() {
    let what = UInt64.random(in: 0..<3, using: &random)
    // A page of the pool is as large as the smallest blocks, which then cannot hold descriptors as well.
    let places = onlineBlocks.filter { what != 1 || mebibytesOfBlock > 2 || blocks[$0]?.memmap == 0 }
    guard let number = places.randomElement(using: &random), let block = blocks[number],
      case .online(let zone) = block.state
    else {
      return
    }
    let frames = range(number)
    let isPinned = Bool.random(using: &random)
    switch what {
    case 0:
      let order = Order(UInt8.random(in: 0...4, using: &random))
      let frame = (frames.start + FrameCount(.random(in: 0..<frames.count.rawValue, using: &random))).aligned(
        to: order.frames, .down)
      guard tickets.count < 24, let folio = try? plant.machine.zones[zone].claimFolio(at: frame, order: order, .movable) else {
        return
      }
      log.append("occupy \(frame) \(order)")
      let ticket = plant.ledger.keep(folio)
      tickets.append(ticket)
      if isPinned { pin(ticket) }
    case 1:
      let frame =
        frames.start + FrameCount(.random(in: 0..<frames.count.rawValue, using: &random)).aligned(to: FrameCount(512), .down)
      guard
        let folio = try? plant.machine.zones[zone].claimFolio(at: frame, order: Order(9), .movable, kind: .hugePool)
      else { return }
      log.append("adopt \(frame)")
      plant.machine.memory.pools.adopt(folio, Self.huge, on: NodeID(block.node), zones: plant.machine.zones)
    default:
      guard pages.count < 3,
        let folio = try? plant.machine.memory.pools.take(
          Self.huge, reserved: false, placement: .preferred(NodeID(block.node)), zones: plant.machine.zones,
          with: plant.machine.migration(of: owner))
      else { return }
      log.append("use \(folio.head)")
      let ticket = plant.ledger.keep(folio)
      pages.append(ticket)
      if isPinned { pin(ticket) }
    }
  }

  /// Memory that booted goes offline, and comes back to the zone that it had.
  func bootBlock() {
    if let (number, frames) = bootGone.first {
      log.append("boot \(number) online")
      let refused = refusal { try plant.machine.online(range(number)) }
      expect(refused == nil && frames == mebibytesOfBlock << 8, "boot online: \(refused as Any)")
      bootGone[number] = nil
      return
    }
    let number = UInt64.random(in: 0..<32 / mebibytesOfBlock, using: &random)
    log.append("boot \(number) offline")
    let refused = refusal { try plant.machine.offline(range(number), owner: owner) }
    switch refused {
    case nil: bootGone[number] = mebibytesOfBlock << 8
    case .busy, .hasHoles, .mixedNodes: break
    default: expect(false, "boot offline: \(refused as Any)")
    }
  }

  func resizePool() {
    let count = UInt64.random(in: 0...3, using: &random)
    log.append("pool \(count)")
    plant.machine.memory.pools.setSize(
      Self.huge, to: PageCount(count), zones: plant.machine.zones, with: plant.machine.migration(of: owner))
  }

  func finish() throws {
    while let pin = pinned.popLast() { plant.machine.zones.put(pin, on: CPUIndex(0)) }
    for ticket in tickets + pages { plant.ledger.free(ticket, to: plant.machine.zones, on: CPUIndex(0)) }
    for range in fixed { plant.machine.zones.put(range.start, on: CPUIndex(0)) }
    plant.machine.memory.pools.drain(zones: plant.machine.zones, on: CPUIndex(0))
    if !bootGone.isEmpty { bootBlock() }
    // Blocks that hold others' descriptors may themselves be online, and descriptors lie in other blocks: until nothing changes.
    while !blocks.isEmpty {
      let before = blocks.count
      for (number, block) in blocks.sorted(by: { $0.key < $1.key }) where block.state != .held {
        if case .online = block.state, refusal({ try plant.machine.offline(range(number), owner: owner) }) != nil { continue }
        blocks[number]?.state = .offline
      }
      for (number, block) in blocks.sorted(by: { $0.key < $1.key }) where block.state == .offline {
        try plant.machine.remove(range(number))
        blocks[number]?.state = .held
      }
      let left = Set(plant.machine.hotplug.blocks.map { $0.range.start.rawValue / (mebibytesOfBlock << 8) })
      blocks = blocks.filter { left.contains($0.key) }
      expect(blocks.count < before, "\(blocks) cannot go")
      if blocks.count == before { break }
    }
    let now = plant.dump
    let held = plant.check()
    #expect(held == .zero)
    #expect(now.valid == plant.boot.valid && now.memory == plant.boot.memory && now.memmapBytes == plant.boot.memmapBytes)
    #expect(now.zones.map { $0.managed } == plant.boot.zones.map { $0.managed })
    #expect(now.zones.map { $0.free } == plant.boot.zones.map { $0.free })
    #expect(now.zones.map { $0.present } == plant.boot.zones.map { $0.present })
    #expect(now.zones.map { $0.watermarks } == plant.boot.zones.map { $0.watermarks })
  }
}
