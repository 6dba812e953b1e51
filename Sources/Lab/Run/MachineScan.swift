import FrameAllocator
import FrameMap
import HostArena
import Megalith
import MemoryUnits
import Mobility
import PhysicalLayout

/// What lies where, counted cell by cell in one pass over all folios.
struct MachineScan {
  /// Frames of one cell by what they are. A cell has at most 2^31 frames.
  struct Cell {
    var free: UInt32 = 0
    /// Of file cache, which can be dropped.
    var cache: UInt32 = 0
    var movable: UInt32 = 0
    /// What stays where it is, whatever the reason; ``absent`` too.
    var fixed: UInt32 = 0
    /// Pages of pools that nobody pinned, which move or do not as the search for a range has it.
    var pool: UInt32 = 0
    /// Of ``fixed``, what is no memory, or not online.
    var absent: UInt32 = 0
    /// The largest of those pools' pages.
    var poolOrder = Order(0)
    /// Whose most of what is most in the way is.
    var owner: UInt16 = 0
    var ownerFrames: UInt32 = 0
    /// Who came last, and with how much: clients come one after the other.
    var candidate: UInt16 = 0
    var candidateFrames: UInt32 = 0
    /// What of it is most in the way.
    var rank = Rank.free

    mutating func add(_ frames: UInt32, _ rank: Rank, _ owner: UInt16) {
      switch rank {
      case .free: return
      case .cache: cache += frames
      case .movable: movable += frames
      case .pool: pool += frames
      case .fixed: fixed += frames
      }
      if rank.rawValue > self.rank.rawValue {
        (self.rank, self.owner, ownerFrames) = (rank, owner, frames)
        (candidate, candidateFrames) = (owner, 0)
      } else if rank == self.rank {
        guard owner != self.owner else {
          ownerFrames += frames
          return
        }
        if owner != candidate { (candidate, candidateFrames) = (owner, 0) }
        candidateFrames += frames
        if candidateFrames > ownerFrames { (self.owner, ownerFrames) = (owner, candidateFrames) }
      }
    }
  }

  /// How much memory is in the way of larger pages, least first.
  enum Rank: UInt8 {
    case free, cache, movable, pool, fixed
  }

  /// Owners that every map has, before the clients: their places in a trace's list.
  enum BuiltIn: UInt16, CaseIterable {
    case free, processes, tables, pools, reserved, memmap, pinned, kernel, offline, hole

    var owner: RunTrace.Owner {
      switch self {
      case .free: RunTrace.Owner(name: "free", kind: .free)
      case .processes: RunTrace.Owner(name: "processes", kind: .movable)
      case .tables: RunTrace.Owner(name: "page tables", kind: .pageTable)
      case .pools: RunTrace.Owner(name: "huge pools", kind: .pool)
      case .reserved: RunTrace.Owner(name: "reserved at boot", kind: .reserved)
      case .memmap: RunTrace.Owner(name: "descriptors", kind: .memmap)
      case .pinned: RunTrace.Owner(name: "pinned by processes", kind: .pinned)
      case .kernel: RunTrace.Owner(name: "other kernel memory", kind: .unmovable)
      case .offline: RunTrace.Owner(name: "not online", kind: .offline)
      case .hole: RunTrace.Owner(name: "no memory", kind: .hole)
      }
    }
  }

  /// A range of cells.
  struct Range {
    let frames: FrameRange
    let node: NodeID
    let zone: ZoneKind
    /// Where its cells begin in ``cells``.
    let first: Int
  }

  static let builtIn = BuiltIn.allCases.map { $0.owner }

  let unit: Order
  let ranges: [Range]
  private(set) var cells: [Cell]
  /// Frames by owner: built-in ones, then clients.
  private(set) var byOwner: [UInt64]

  init(_ engine: LabEngine, places: [Range], unit: Order) {
    self.unit = unit
    ranges = places
    let count = places.reduce(0) { $0 + Int($1.frames.count.rawValue >> UInt64(unit.rawValue)) }
    cells = [Cell](repeating: Cell(), count: count)
    byOwner = [UInt64](repeating: 0, count: Self.builtIn.count + engine.clients.count)
    fill(engine)
  }

  /// The cells of a machine: of all its memory, and of what may come, from multiples of `alignment` on.
  static func places(_ engine: LabEngine, unit: Order, aligned alignment: FrameCount) -> [Range] {
    let machine = engine.lab.machine.layout
    var places: [Range] = []
    var first = 0
    func add(_ range: FrameRange, _ node: NodeID, _ zone: ZoneKind) {
      var whole = range.aligned(to: alignment, .up)
      // Two zones may share a cell, which is the lower one's then.
      if let last = places.last, whole.start < last.frames.end {
        whole = FrameRange(start: last.frames.end, end: max(whole.end, last.frames.end))
      }
      guard !whole.isEmpty else { return }
      places.append(Range(frames: whole, node: node, zone: zone, first: first))
      first += Int(whole.count.rawValue >> UInt64(unit.rawValue))
    }
    var parts: [(range: FrameRange, node: NodeID, zone: ZoneKind)] = []
    for node in machine.nodes {
      for zone in node.zones {
        for memory in node.memory {
          let part = memory.intersection(zone.span)
          if !part.isEmpty { parts.append((part, node.node, zone.kind)) }
        }
      }
    }
    parts.sort { $0.range.start < $1.range.start }
    for part in parts { add(part.range, part.node, part.zone) }
    for range in engine.room { add(range, NodeID(0), .normal) }
    return places
  }

  private mutating func fill(_ engine: LabEngine) {
    let machine = engine.lab.machine.layout
    for node in machine.nodes { for memory in node.memory { markPresent(memory) } }
    for added in engine.added where added.isOnline { markPresent(added.range) }
    let whole = UInt32(unit.frames.rawValue)
    for (number, range) in ranges.enumerated() {
      let isRoom = engine.isRoom(range.frames)
      let owner = isRoom ? BuiltIn.offline : .hole
      for index in cellIndices(ofRange: number) where cells[index].free < whole {
        cells[index].absent = whole - cells[index].free
        cells[index].add(whole - cells[index].free, .fixed, owner.rawValue)
      }
    }
    for range in engine.lab.machine.boot.reserved { takeMemory(range, .reserved, engine) }
    for range in engine.lab.machine.boot.memmap { takeMemory(range, .memmap, engine) }
    for added in engine.added where added.isOnline { for range in added.memmap { take(range, .fixed, BuiltIn.memmap.rawValue) } }
    for client in engine.clients {
      let rank = client.isPinned || client.mobility != .movable ? Rank.fixed : client.isCache ? .cache : .movable
      let owner = UInt16(truncatingIfNeeded: Self.builtIn.count + Int(client.number))
      var number = 0
      client.slots.forEach { _, place in take(place, in: &number, rank, owner) }
    }
    fillRest(engine)
    for cell in cells { byOwner[0] += UInt64(cell.free) }
  }

  /// Folios that are no client's, in the cells of which clients and the zone's free frames leave something.
  private mutating func fillRest(_ engine: LabEngine) {
    for index in engine.lab.machine.zones.indices {
      let span = engine.lab.machine.zones.descriptions[Int(index.rawValue)].span
      for (number, range) in ranges.enumerated() where range.frames.overlaps(span) {
        var start = range.frames.start
        for cell in cellIndices(ofRange: number) {
          let frames = FrameRange(start: start, count: unit.frames).intersection(span)
          start += unit.frames
          guard !frames.isEmpty, UInt64(cells[cell].free) != engine.lab.machine.zones[index].freeInTree(in: frames).rawValue
          else { continue }
          engine.lab.machine.zones[index].forEachFolio(in: frames) { place, shape in
            guard engine.owner.owner(of: place.head) == nil else { return }
            let (rank, owner) = Self.kind(of: place, shape, engine)
            let part = place.frames.intersection(frames)
            if rank != .free { take(part, rank, owner.rawValue) }
            if rank == .pool { cells[cell].poolOrder = max(cells[cell].poolOrder, place.order) }
          }
        }
      }
    }
  }

  /// How much in the way a folio is that is no client's, and whose.
  private static func kind(of place: FolioPlace, _ shape: FrameShape, _ engine: LabEngine) -> (Rank, BuiltIn) {
    switch shape.kind {
    case .isolated: return (.free, .free)
    case .pageTable: return (.fixed, .tables)
    case .hugePool: return isPinned(place, engine) ? (.fixed, .pinned) : (.pool, .pools)
    case .reserved: return (.fixed, .reserved)
    case .memmap: return (.fixed, .memmap)
    case .device: return (.fixed, .kernel)
    case .ordinary:
      guard shape.mobility == .movable || shape.mobility == .contiguous else { return (.fixed, .kernel) }
      if engine.owner.base.canDrop(place) { return (.cache, .processes) }
      return isPinned(place, engine) ? (.fixed, .pinned) : (.movable, .processes)
    }
  }

  /// Whether a process pinned any frame of a folio.
  private static func isPinned(_ place: FolioPlace, _ engine: LabEngine) -> Bool {
    guard let descriptor = engine.lab.machine.zones.table.descriptor(place.head) else { return false }
    // Nobody but the run's own thread changes counts.
    return FrameCounts(rawValue: descriptor.pointee.countsWord.load(ordering: .relaxed)).pins > 0
  }

  private func cellIndices(ofRange number: Int) -> Swift.Range<Int> {
    let first = ranges[number].first
    return first..<(first + Int(ranges[number].frames.count.rawValue >> UInt64(unit.rawValue)))
  }

  private mutating func markPresent(_ range: FrameRange) {
    forEachCell(of: range) { cells, index, frames in cells[index].free += frames }
  }

  private mutating func takeMemory(_ range: FrameRange, _ owner: BuiltIn, _ engine: LabEngine) {
    for node in engine.lab.machine.layout.nodes {
      for memory in node.memory where memory.overlaps(range) {
        take(memory.intersection(range), .fixed, owner.rawValue)
      }
    }
  }

  /// What a folio takes. Most lie in one cell, of the range of which the one before was.
  private mutating func take(_ place: FolioPlace, in number: inout Int, _ rank: Rank, _ owner: UInt16) {
    let shift = UInt64(unit.rawValue)
    if !ranges[number].frames.contains(place.head) { number = ranges.firstIndex { $0.frames.contains(place.head) } ?? number }
    let base = ranges[number]
    guard place.order <= unit, base.frames.contains(place.frames) else { return take(place.frames, rank, owner) }
    let index = base.first + Int((place.head - base.frames.start).rawValue >> shift)
    let frames = UInt32(place.order.frames.rawValue)
    byOwner[Int(owner)] += place.order.frames.rawValue
    cells[index].free -= min(frames, cells[index].free)
    cells[index].add(frames, rank, owner)
  }

  private mutating func take(_ range: FrameRange, _ rank: Rank, _ owner: UInt16) {
    byOwner[Int(owner)] += range.count.rawValue
    forEachCell(of: range) { cells, index, frames in
      cells[index].free -= min(frames, cells[index].free)
      cells[index].add(frames, rank, owner)
    }
  }

  private mutating func forEachCell(of range: FrameRange, _ body: (inout [Cell], Int, UInt32) -> Void) {
    let shift = UInt64(unit.rawValue)
    var low = 0
    var high = ranges.count
    while low < high {
      let middle = (low + high) / 2
      if ranges[middle].frames.end <= range.start { low = middle + 1 } else { high = middle }
    }
    while low < ranges.count, ranges[low].frames.start < range.end {
      let base = ranges[low].frames
      var part = range.intersection(base)
      while !part.isEmpty {
        let offset = (part.start - base.start).rawValue
        let end = min(part.end, base.start + FrameCount(rawValue: (offset >> shift + 1) << shift))
        body(&cells, ranges[low].first + Int(offset >> shift), UInt32((end - part.start).rawValue))
        part = FrameRange(start: end, end: part.end)
      }
      low += 1
    }
  }
}
