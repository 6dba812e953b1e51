public import FrameMap
public import MemoryUnits
public import PhysicalLayout

/// What a zone of a ``ZoneSet`` is made from.
public struct ZoneDescription: Hashable, Sendable {
  public let node: NodeID
  public let kind: ZoneKind
  /// All frames that the zone can ever have. Zones of different nodes may be interleaved, so that it may hold others' frames.
  public let span: FrameRange
  /// The frames that belong to it, lowest first; where two zones' spans overlap these decide.
  public let memory: [FrameRange]
  /// What the zone covers as it is made, which is what counters say of it until memory comes or goes.
  public let spanned: FrameRange
  /// Whether requests for what cannot move try the zone last, on whatever node: so that its ranges stay obtainable as long as there
  /// is memory elsewhere. Unlike a zone of kind `movable` it refuses nobody.
  public let prefersMovable: Bool

  /// - Parameter spanned: nil for all of `span`.
  public init(
    node: NodeID, kind: ZoneKind, span: FrameRange, memory: [FrameRange], spanned: FrameRange? = nil, prefersMovable: Bool = false
  ) {
    self.prefersMovable = prefersMovable
    self.spanned = spanned ?? span
    self.node = node
    self.kind = kind
    self.span = span
    self.memory = memory
  }
}

/// All zones of a machine, and in which order requests try them.
///
/// **Threads.** Any, one at a time for each processor named.
///
/// Linux: `struct pglist_data`s with their zonelists, and `__alloc_pages`.
@safe public struct ZoneSet: ~Copyable, @unchecked Sendable {
  // Unchecked, because of the pointers: the zones are used through their own methods, and the rest never changes after `init`,
  // save the reserves, which are atomics.

  /// By index.
  public let descriptions: [ZoneDescription]
  /// By number.
  public let nodes: [NodeID]
  /// The highest order that requests are served. Linux: `MAX_PAGE_ORDER`.
  public let topOrder: Order
  public let table: FrameTable
  let zones: UnsafeMutablePointer<FolioZone>
  /// For each node, in the order of `nodes`, all zones in the order in which its requests try them.
  let lists: [[ZoneIndex]]
  /// The same for requests that cannot move.
  let fixedLists: [[ZoneIndex]]
  let owners: [FrameOwner]
  let reserves: ZoneReserves
  /// Frames that hold descriptors since boot, lowest first.
  public let memmap: [FrameRange]
  /// Whose frames are that came since; nil where none may come.
  public let late: LateFrames?
  let release: @Sendable () -> Void

  /// The bytes for the zones' own books: trees, heads, caches, pageblocks.
  public static func storageBytes(_ zones: [ZoneDescription], cpus: UInt32, policy: PageblockPolicy) -> ByteCount {
    zones.reduce(headerBytes(zones.count)) {
      $0 + FolioZone.storageBytes(for: $1.span.count, cpus: cpus, pageblock: policy.order)
    }
  }

  private static func headerBytes(_ zones: Int) -> ByteCount {
    ByteCount(UInt64(zones * MemoryLayout<FolioZone>.stride + 63) & ~63) + ZoneReserves.storageBytes(zones: zones)
  }

  /// Makes zones of which nothing is free; give them memory by ``FolioZone/manage(_:)``, then call ``setWatermarks(minimum:)``.
  ///
  /// - Parameters:
  ///   - table: descriptors of all frames; its map outlives the set.
  ///   - topOrder: nil for every order that there is room for.
  ///   - memmap: frames that were never given to a zone because descriptors lie in them; told apart from other reserved ones.
  ///   - storage: at least ``storageBytes(_:cpus:policy:)``, aligned to 64 bytes, zero, and in place until the set goes.
  ///   - late: where it is written down whose frames are that come later; its storage is part of what `release` gives back.
  ///   - barrier: see ``CPUCacheCore``.
  ///   - release: called when the set has gone, and does not use its storage any more.
  public init(
    _ descriptions: [ZoneDescription], table: FrameTable, topOrder: Order?, policy: PageblockPolicy, cpus: UInt32,
    distances: NodeDistances = NodeDistances(), memmap: [FrameRange] = [], late: LateFrames? = nil,
    storage: UnsafeMutableRawBufferPointer, barrier: @escaping @Sendable () -> Void, release: @escaping @Sendable () -> Void = {}
  ) {
    precondition(!descriptions.isEmpty, "a machine needs a zone")
    guard let base = storage.baseAddress,
      storage.count >= Self.storageBytes(descriptions, cpus: cpus, policy: policy).rawValue
    else { preconditionFailure("storage is too small for the zones") }
    self.descriptions = descriptions
    self.table = table
    self.release = release
    self.memmap = memmap
    self.late = late
    // The header holds a zone each, and the zones' parts follow, as their sizes were added up.
    unsafe zones = base.bindMemory(to: FolioZone.self, capacity: descriptions.count)
    var place = Int(Self.headerBytes(descriptions.count).rawValue)
    let reserveBytes = Int(ZoneReserves.storageBytes(zones: descriptions.count).rawValue)
    reserves = unsafe ZoneReserves(base + (place - reserveBytes))
    for (number, description) in descriptions.enumerated() {
      let size = Int(FolioZone.storageBytes(for: description.span.count, cpus: cpus, pageblock: policy.order).rawValue)
      let part = unsafe UnsafeMutableRawBufferPointer(start: base + place, count: size)
      let parts = unsafe FolioZone.Storage(part, for: description.span.count, cpus: cpus, pageblock: policy.order)
      let zone = unsafe FolioZone(
        zone: description.span, index: ZoneIndex(UInt32(number)), table: table, topOrder: topOrder, policy: policy,
        storage: parts, cpus: cpus, barrier: barrier)
      unsafe (zones + number).initialize(to: zone)
      place += size
    }
    var highest = Order(0)
    for number in descriptions.indices { highest = unsafe max(highest, zones[number].topOrder) }
    self.topOrder = topOrder ?? highest
    var nodes: [NodeID] = []
    for description in descriptions where !nodes.contains(description.node) { nodes.append(description.node) }
    nodes.sort()
    self.nodes = nodes
    lists = nodes.map { node in
      distances.order(for: node, of: nodes).flatMap { near in
        descriptions.indices.filter { descriptions[$0].node == near }
          .sorted { descriptions[$0].kind > descriptions[$1].kind }
          .map { ZoneIndex(UInt32($0)) }
      }
    }
    fixedLists = lists.map { list in
      list.filter { !descriptions[Int($0.rawValue)].prefersMovable }
        + list.filter { descriptions[Int($0.rawValue)].prefersMovable }
    }
    owners = FrameOwner.all(of: descriptions)
  }

  deinit {
    unsafe zones.deinitialize(count: descriptions.count)
    release()
  }

  public var count: Int { descriptions.count }

  /// All indices, lowest first.
  public var indices: [ZoneIndex] { descriptions.indices.map { ZoneIndex(UInt32($0)) } }

  /// A zone. Traps where there is none of that index.
  public subscript(_ index: ZoneIndex) -> FolioZone {
    _read {
      precondition(Int(index.rawValue) < descriptions.count, "no such zone")
      // Below the count, and initialized as long as the set lives.
      yield unsafe zones[Int(index.rawValue)]
    }
  }

  /// The zone that `frame` belongs to; nil in holes.
  ///
  /// - Complexity: O(1) for memory that came later; O(log pieces of zones).
  public func zone(of frame: FrameNumber) -> ZoneIndex? {
    if let late, let zone = late.zone(of: frame) { return zone }
    var low = 0
    var high = owners.count
    while low < high {
      let middle = (low + high) / 2
      if owners[middle].range.end <= frame { low = middle + 1 } else { high = middle }
    }
    guard low < owners.count, owners[low].range.contains(frame) else { return nil }
    return owners[low].zone
  }
}

/// A stretch of frames of one zone; holes between two stretches of the same zone count as its own.
struct FrameOwner {
  var range: FrameRange
  let zone: ZoneIndex

  static func all(of descriptions: [ZoneDescription]) -> [FrameOwner] {
    var owners: [FrameOwner] = []
    for (number, description) in descriptions.enumerated() {
      for range in description.memory where !range.isEmpty {
        owners.append(FrameOwner(range: range, zone: ZoneIndex(UInt32(number))))
      }
    }
    owners.sort { $0.range.start < $1.range.start }
    var joined: [FrameOwner] = []
    for owner in owners {
      if let last = joined.last, last.zone == owner.zone {
        joined[joined.count - 1].range = FrameRange(start: last.range.start, end: owner.range.end)
      } else {
        joined.append(owner)
      }
    }
    return joined
  }
}
