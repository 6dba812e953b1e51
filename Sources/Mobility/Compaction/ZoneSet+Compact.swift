public import FrameAllocator
public import FrameMap
public import MemoryUnits

/// What a compaction did.
public struct Compaction: Hashable, Sendable {
  /// Frames that were moved.
  public internal(set) var moved = FrameCount.zero
  /// Movable frames that were tried and stayed.
  public internal(set) var failed = FrameCount.zero
  /// Pageblocks that were looked at.
  public internal(set) var scanned = PageblockCount.zero
  /// Whether a block of the order that was wanted is free now.
  public internal(set) var hasBlock = false
  /// Whether the scanners met: another run would find nothing to do.
  public internal(set) var isComplete = false

  public init() {}
}

/// An amount of pageblocks.
@frozen public struct PageblockCount: Amount {
  public let rawValue: UInt64
  @inlinable public init(rawValue: UInt64) { self.rawValue = rawValue }
  public var description: String { String(rawValue) }
}

extension ZoneSet {
  /// Moves movable folios from the low end of a zone to free frames at its high end, until a block of `order` is free or the two
  /// meet.
  ///
  /// Pageblocks of what cannot move are passed over, and folios of at least `order` frames left alone.
  ///
  /// - Parameters:
  ///   - order: nil to go on to the end.
  ///   - start: the frame to begin at; nil for the zone's first. Give the end of an earlier run to go on from it.
  ///   - shouldGoOn: asked before each pageblock.
  /// - Complexity: O(frames scanned / 64 + folios moved). Linux: `compact_zone`.
  public borrowing func compact<Owner, Mover>(
    _ index: ZoneIndex, for order: Order?, from start: FrameNumber? = nil, with context: MigrationContext<Owner, Mover>,
    shouldGoOn: (FrameNumber) -> Bool = { _ in true }
  ) -> Compaction {
    var result = Compaction()
    let span = self[index].zone
    self[index].drain()
    var pageblock = self[index].pageblocks(around: FrameRange(start: start ?? span.start, count: FrameCount(1)))
    // The lowest place that a folio was moved to: from there on everything is compact.
    var meeting = span.end
    while pageblock.start < meeting, !pageblock.isEmpty {
      guard shouldGoOn(pageblock.start) else { return result }
      result.scanned += PageblockCount(1)
      if self[index].mobility(ofPageblockOf: pageblock.start) == .movable {
        var places: [FolioPlace] = []
        self[index].forEachFolio(in: pageblock) { place, shape in
          let isMovable = shape.kind == .ordinary && shape.mobility == .movable
          if isMovable, order.map({ place.order < $0 }) ?? (place.order < self[index].pageblockOrder) { places.append(place) }
        }
        for place in places where place.head < meeting {
          // Past the caches, which would give back what has just been freed below.
          guard let target = self[index].claimHighest(place.order, from: pageblock.end, on: context.cpu) else {
            meeting = pageblock.end
            break
          }
          let head = target.head
          do throws(MigrationError) {
            try migrate(place, to: target, with: context)
            result.moved += place.frames.count
            meeting = min(meeting, head)
          } catch {
            result.failed += place.frames.count
          }
        }
      }
      if let order {
        self[index].drain()
        if self[index].hasFreeBlock(order, near: pageblock) {
          result.hasBlock = true
          return result
        }
      }
      // A zone that memory may still come to is mostly nothing.
      let next = late == nil ? pageblock.end : table.nextValid(from: pageblock.end) ?? span.end
      guard next < span.end else { break }
      pageblock = self[index].pageblocks(around: FrameRange(start: next, count: FrameCount(1)))
    }
    result.isComplete = true
    if let order { result.hasBlock = self[index].largestFreeOrder().map { $0 >= order } ?? false }
    return result
  }

  /// Allocates, and where nothing suitable is free has memory reclaimed, compacts, and tries again.
  ///
  /// - Parameters:
  ///   - rounds: how often; at least one.
  ///   - reclaim: frees what can be freed, and says how much; zero ends the tries once compaction brings nothing either.
  /// - Throws: as ``allocate(_:_:on:)``, of the last try.
  /// - Complexity: that of the compactions. Linux: `__alloc_pages_slowpath`.
  public borrowing func allocate<Owner, Mover>(
    _ order: Order, _ request: FrameRequest, with context: MigrationContext<Owner, Mover>, rounds: TryCount = TryCount(3),
    reclaim: (FrameCount) -> FrameCount
  ) throws(FolioError) -> Folio {
    for _ in 0..<max(rounds.rawValue, 1) {
      do throws(FolioError) {
        return try allocate(order, request, on: context.cpu)
      } catch {
        guard case .exhausted = error else { throw error }
      }
      let freed = reclaim(order.frames)
      var moved = FrameCount.zero
      if order > Order(0) {
        for index in zones(for: request) {
          let compaction = compact(index, for: order, with: context)
          moved += compaction.moved
          if compaction.hasBlock { break }
        }
      }
      if freed == .zero, moved == .zero { break }
    }
    return try allocate(order, request, on: context.cpu)
  }
}
