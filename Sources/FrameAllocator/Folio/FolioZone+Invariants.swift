import FrameMap
public import MemoryUnits
import Synchronization

/// What a zone's books disagree about.
public enum FolioZoneFault: Error, Hashable, Sendable {
  case tree(FreeTreeFault)
  case heads(HeadMapFault)
  /// A frame of a folio is free.
  case freeInsideFolio(FrameNumber)
  /// A folio's head has no descriptor, or no reference though it is not a huge pool's.
  case headWithoutReference(FrameNumber)
  /// What is written of the pins of a folio's frames does not add up to what its head says, or a frame has fewer than none.
  case pins(FrameNumber, said: UInt32)
  /// Two folios overlap.
  case overlap(FrameNumber)
  /// The gauge says other than what was counted.
  case gauge(counted: FrameCount, said: Int64)
  /// Frames that are free, in folios and claimed do not add up to what the zone was given.
  case balance(managed: FrameCount, free: FrameCount, folios: FrameCount, claimed: FrameCount)
}

extension FolioZone {
  /// Recounts the zone from scratch: the tree, the caches and the gauge, and each folio against them. Only while nobody uses the
  /// zone.
  ///
  /// - Returns: the frames of all folios together.
  /// - Complexity: O(nodes of the tree + folios * levels).
  @discardableResult public borrowing func checkInvariants() throws(FolioZoneFault) -> FrameCount {
    do { try cache.checkInvariants() } catch { throw .tree(error) }
    for mobility in [FrameMobility.unmovable, .reclaimable, .movable] {
      do { try cache.tree.checkSummaries(in: OwnPageblocks(mobility: mobility, marks: pageblocks)) } catch { throw .tree(error) }
    }
    do { try heads.checkInvariants() } catch { throw .heads(error) }
    for index in 0..<areas.count {
      do { try unsafe areas.area(index).pointee.tree.checkInvariants() } catch { throw .tree(error) }
    }
    var held = FrameCount.zero
    var place = zone.start
    while let head = heads.next(from: place) {
      guard let descriptor = unsafe table.descriptor(head) else { throw .headWithoutReference(head) }
      let shape = unsafe descriptor.pointee.shape
      guard unsafe descriptor.pointee.counts.references > 0 || shape.kind == .hugePool else {
        throw .headWithoutReference(head)
      }
      let range = FrameRange(blockAt: head, order: shape.order)
      guard zone.contains(range) else { throw .overlap(head) }
      if let next = heads.next(from: head + FrameCount(1), below: range.end) { throw .overlap(next) }
      if let free = cache.tree.firstFree(in: range) { throw .freeInsideFolio(free) }
      if shape.kind == .ordinary, shape.order > Order(0) {
        let pins = unsafe descriptor.pointee.counts.pins
        let isSound = unsafe PinSpread(table: table, folio: FolioPlace(head: head, order: shape.order)).isSound(pins)
        guard isSound else { throw .pins(head, said: pins) }
      }
      held += range.count
      place = range.end
    }
    let inTree = cache.tree.freeFrames()
    guard cache.gauge() == Int64(inTree.rawValue) else { throw .gauge(counted: inTree, said: cache.gauge()) }
    let free = inTree + cache.cachedFrames() + freeInAreas()
    guard free + held + marks.claimed == marks.managed else {
      throw .balance(managed: marks.managed, free: free, folios: held, claimed: marks.claimed)
    }
    return held
  }
}
