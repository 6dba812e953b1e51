import FrameAllocator
import FrameMap
import MemoryUnits
import Mobility
import PhysicalLayout

@testable import Lab

/// What lies where, by asking frame after frame: the naive opposite of a ``MachineScan``.
struct EngineOracle {
  /// What a frame is used for; that of a pool's page has the page's order added.
  typealias Use = UInt8
  static let absent: Use = 0
  static let free: Use = 1
  static let cache: Use = 2
  static let movable: Use = 3
  static let fixed: Use = 4
  static let pool: Use = 64

  /// One for each frame from 0 on.
  let uses: [Use]
  /// Numbers of stretches of memory of one zone; zero where there is none.
  let stretches: [Int]
  let movableStretches: Set<Int>

  init(_ engine: LabEngine) {
    let layout = engine.lab.machine.layout
    let room = engine.room
    let end = (layout.nodes.flatMap { $0.memory } + room).map { $0.end.rawValue }.max() ?? 0
    var stretches = [Int](repeating: 0, count: Int(end))
    var movable: Set<Int> = []
    var number = 0
    for node in layout.nodes {
      for zone in node.zones {
        for memory in node.memory {
          number += 1
          if zone.kind == .movable { movable.insert(number) }
          let part = memory.intersection(zone.span)
          if !part.isEmpty { for frame in part.start.rawValue..<part.end.rawValue { stretches[Int(frame)] = number } }
        }
      }
    }
    for range in room { for frame in range.start.rawValue..<range.end.rawValue { stretches[Int(frame)] = number + 1 } }
    self.stretches = stretches
    movableStretches = movable

    var clients: [FrameNumber: Client] = [:]
    for client in engine.clients { client.slots.forEach { clients[$1.head] = client } }
    // Heads of folios that any frame is pinned of.
    let heads = engine.spaces.values.flatMap { $0.pinned }.flatMap { range in
      (range.start.rawValue..<range.end.rawValue).compactMap {
        try? engine.lab.machine.zones.folio(containing: FrameNumber($0)).head
      }
    }
    let pinned = Set(heads)
    var uses = [Use](repeating: Self.absent, count: Int(end))
    let boot = engine.lab.machine.layout.nodes.flatMap { $0.memory }
    let added = engine.added.filter(\.isOnline)
    let held = engine.lab.machine.boot.reserved + engine.lab.machine.boot.memmap + added.flatMap(\.memmap)
    let memory = boot + added.map(\.range)
    for index in uses.indices where stretches[index] != 0 {
      let frame = FrameNumber(UInt64(index))
      guard memory.contains(where: { $0.contains(frame) }) else { continue }
      uses[index] = held.contains { $0.contains(frame) } ? Self.fixed : Self.use(of: frame, engine, clients, pinned)
    }
    self.uses = uses
  }

  private static func use(
    of frame: FrameNumber, _ engine: LabEngine, _ clients: [FrameNumber: Client], _ pinned: Set<FrameNumber>
  ) -> Use {
    guard let folio = try? engine.lab.machine.zones.folio(containing: frame) else { return free }
    if let client = clients[folio.head] {
      let figures = client.flow.figures
      if figures.isPinned || figures.mobility != .movable { return fixed }
      return figures.isCache ? cache : movable
    }
    guard let descriptor = engine.lab.machine.zones.table.descriptor(folio.head) else { return fixed }
    let shape = descriptor.pointee.shape
    if pinned.contains(folio.head) { return fixed }
    if shape.kind == .hugePool { return pool + folio.order.rawValue }
    return shape.kind == .ordinary && shape.mobility == .movable ? movable : fixed
  }

  /// How many frames of a range are used in each way, pages of all pools together: free, cache, movable, fixed, pool, absent.
  func counts(_ range: FrameRange) -> [UInt64] {
    var sums = [UInt64](repeating: 0, count: 6)
    for frame in Int(range.start.rawValue)..<Int(range.end.rawValue) {
      switch frame < uses.count ? uses[frame] : Self.absent {
      case Self.absent: sums[5] += 1
      case let use where use >= Self.pool: sums[4] += 1
      case let use: sums[Int(use) - 1] += 1
      }
    }
    // A scan counts what is no memory as fixed as well.
    sums[3] += sums[5]
    return sums
  }

  /// What ``MachineScan/count(_:_:spare:)`` is to say.
  func count(_ order: Order, _ rule: RangeRule, spare: FrameCount) -> MachineScan.SizeCount {
    var result = MachineScan.SizeCount()
    var candidates: UInt64 = 0
    let step = Int(order.frames.rawValue)
    for start in stride(from: 0, to: uses.count - uses.count % step, by: step) {
      let stretch = stretches[start]
      guard stretch != 0 else { continue }
      var parts = [Bool](repeating: false, count: 256)
      var isOne = true
      for frame in start..<(start + step) {
        parts[Int(uses[frame])] = true
        isOne = isOne && stretches[frame] == stretch
      }
      guard isOne, !parts[Int(Self.absent)] else { continue }
      result.ranges += 1
      var isInTheWay = parts[Int(Self.fixed)]
      if isInTheWay { result.spoilt += 1 }
      if parts.count(where: { $0 }) == 1, parts[Int(Self.free)] { result.free += 1 }
      for page in parts[Int(Self.pool)...].indices where parts[page] {
        let isSmaller = UInt8(page) - Self.pool < order.rawValue
        if !isSmaller || rule.source == .lists || rule.hugePages == .refuse { isInTheWay = true }
      }
      if movableStretches.contains(stretch), !rule.searches(.movable) { isInTheWay = true }
      if !isInTheWay { candidates += 1 }
    }
    result.obtainable = min(candidates, spare / order.frames)
    return result
  }
}
