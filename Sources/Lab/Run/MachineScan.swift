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
    /// In the way most: 0 free, 1 cache, 2 movable, 3 pool, 4 fixed.
    var rank: UInt8 = 0

    mutating func add(_ frames: UInt32, _ rank: UInt8, _ owner: UInt16) {
      switch rank {
      case 1: cache += frames
      case 2: movable += frames
      case 3: pool += frames
      default: fixed += frames
      }
      if rank > self.rank {
        (self.rank, self.owner, ownerFrames) = (rank, owner, frames)
      } else if rank == self.rank {
        if owner == self.owner {
          ownerFrames += frames
        } else if frames > ownerFrames {
          (self.owner, ownerFrames) = (owner, frames)
        }
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

  /// Owners that every map has, before the clients.
  static let builtIn: [RunTrace.Owner] = [
    RunTrace.Owner(name: "free", kind: .free), RunTrace.Owner(name: "processes", kind: .movable),
    RunTrace.Owner(name: "page tables", kind: .pageTable), RunTrace.Owner(name: "huge pools", kind: .pool),
    RunTrace.Owner(name: "reserved at boot", kind: .reserved), RunTrace.Owner(name: "descriptors", kind: .memmap),
    RunTrace.Owner(name: "pinned by processes", kind: .pinned), RunTrace.Owner(name: "other kernel memory", kind: .unmovable),
    RunTrace.Owner(name: "not online", kind: .offline), RunTrace.Owner(name: "no memory", kind: .hole),
  ]

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

  /// The cells of a machine: of all its memory, and of what may come.
  static func places(_ engine: LabEngine, unit: Order) -> [Range] {
    let machine = engine.lab.machine.layout
    var places: [Range] = []
    var first = 0
    func add(_ range: FrameRange, _ node: NodeID, _ zone: ZoneKind) {
      var whole = range.aligned(to: unit.frames, .up)
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
      let owner: UInt16 = isRoom ? 8 : 9
      for index in cellIndices(ofRange: number) where cells[index].free < whole {
        cells[index].absent = whole - cells[index].free
        cells[index].add(whole - cells[index].free, 4, owner)
      }
    }
    for range in engine.lab.machine.boot.reserved { takeMemory(range, 4, engine) }
    for range in engine.lab.machine.boot.memmap { takeMemory(range, 5, engine) }
    for added in engine.added where added.isOnline { for range in added.memmap { take(range, 4, 5) } }
    for index in engine.lab.machine.zones.indices {
      for range in ranges {
        engine.lab.machine.zones[index].forEachFolio(in: range.frames) { place, shape in
          let (rank, owner) = Self.kind(of: place, shape, engine)
          if rank > 0 { take(place.frames, rank, owner) }
          if rank == 3 { markPool(place) }
        }
      }
    }
    for cell in cells { byOwner[0] += UInt64(cell.free) }
  }

  /// How much in the way a folio is, and whose.
  private static func kind(of place: FolioPlace, _ shape: FrameShape, _ engine: LabEngine) -> (UInt8, UInt16) {
    if let (client, _) = engine.owner.owner(of: place.head) {
      let rank: UInt8 = client.isPinned || client.mobility != .movable ? 4 : client.isCache ? 1 : 2
      return (rank, UInt16(truncatingIfNeeded: Self.builtIn.count + Int(client.number)))
    }
    switch shape.kind {
    case .isolated: return (0, 0)
    case .pageTable: return (4, 2)
    case .hugePool: return Self.isPinned(place, engine) ? (4, 6) : (3, 3)
    case .reserved: return (4, 4)
    case .memmap: return (4, 5)
    case .device: return (4, 7)
    case .ordinary:
      guard shape.mobility == .movable || shape.mobility == .contiguous else { return (4, 7) }
      if engine.owner.base.canDrop(place) { return (1, 1) }
      return Self.isPinned(place, engine) ? (4, 6) : (2, 1)
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

  private mutating func takeMemory(_ range: FrameRange, _ owner: UInt16, _ engine: LabEngine) {
    for node in engine.lab.machine.layout.nodes {
      for memory in node.memory where memory.overlaps(range) { take(memory.intersection(range), 4, owner) }
    }
  }

  private mutating func markPool(_ page: FolioPlace) {
    forEachCell(of: page.frames) { cells, index, _ in cells[index].poolOrder = max(cells[index].poolOrder, page.order) }
  }

  private mutating func take(_ range: FrameRange, _ rank: UInt8, _ owner: UInt16) {
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
