import FrameMap
public import MemoryUnits
import Synchronization

/// A range of a zone that is kept for large contiguous requests, and lent to what can move.
///
/// Its free frames are in a tree of its own, so that no other request finds them. It owns nothing beside the storage that its
/// maker lends, so that nothing is to be done when it goes.
///
/// Linux: `struct cma`.
struct ContiguousArea: ~Copyable {
  let range: FrameRange
  let tree: FreeTree
}

/// The areas of a zone: a count and up to seven places, in a line of the zone's storage.
@safe struct AreaList: @unchecked Sendable {
  // Unchecked, because of the pointer: all it leads to is atomic, or unchanged since its place was published.
  /// 0 how many, then addresses of areas. The count is written after the address; partner of each other.
  private let words: UnsafeMutablePointer<Atomic<UInt64>>

  static var limit: Int { 7 }

  /// - Parameter storage: a zeroed line that outlives the list.
  init(_ storage: UnsafeMutableRawPointer) {
    // Zeroed words are atomics of zero.
    unsafe words = storage.bindMemory(to: Atomic<UInt64>.self, capacity: 8)
  }

  var count: Int { Int(unsafe words[0].load(ordering: .acquiring)) }

  /// The area in that place, below the count.
  func area(_ index: Int) -> UnsafeMutablePointer<ContiguousArea> {
    // Addresses of initialized areas, which stay as long as the zone.
    unsafe UnsafeMutablePointer(bitPattern: UInt(words[index + 1].load(ordering: .relaxed))).unsafelyUnwrapped
  }

  func add(_ area: UnsafeMutablePointer<ContiguousArea>) -> Bool {
    let count = count
    guard count < Self.limit else { return false }
    unsafe words[count + 1].store(UInt64(UInt(bitPattern: area)), ordering: .relaxed)
    unsafe words[0].store(UInt64(count + 1), ordering: .releasing)
    return true
  }
}

/// Why an area was not made.
public enum AreaError: Error, Hashable, Sendable {
  /// Not whole pageblocks of the zone.
  case misaligned(FrameRange)
  /// A zone has at most so many areas.
  case tooMany(limit: UInt64)
  /// A frame of the range is held.
  case notFree(FrameRange)
}

extension FolioZone {
  /// The bytes that an area of `frames` frames needs for its tree.
  public static func areaStorageBytes(for frames: FrameCount) -> ByteCount {
    ByteCount(64) + FreeTree.storageBytes(for: frames)
  }

  /// Makes free frames of the zone a contiguous area. It stays as long as the zone.
  ///
  /// - Parameter storage: at least ``areaStorageBytes(for:)``, aligned to 64 bytes, zero, and in place until the zone's last use.
  /// - Throws: ``AreaError``; nothing has changed then.
  /// - Complexity: O(pageblocks). Callers exclude each other. Linux: `cma_init_reserved_mem`.
  @unsafe public borrowing func makeArea(
    _ range: FrameRange, storage: UnsafeMutableRawBufferPointer
  ) throws(AreaError) {
    guard !range.isEmpty, pageblocks(around: range) == range else { throw .misaligned(range) }
    guard areas.count < AreaList.limit else { throw .tooMany(limit: UInt64(AreaList.limit)) }
    guard let base = storage.baseAddress,
      storage.count >= Self.areaStorageBytes(for: range.count).rawValue
    else { preconditionFailure("storage is too small for the area") }
    do throws(FreeTreeError) { try take(exactly: range) } catch { throw .notFree(range) }
    // The first line holds the area itself, the rest its tree.
    let place = unsafe base.bindMemory(to: ContiguousArea.self, capacity: 1)
    let treeStorage = unsafe UnsafeMutableRawBufferPointer(rebasing: storage[64...])
    unsafe place.initialize(to: ContiguousArea(range: range, tree: FreeTree(zone: range, storage: treeStorage)))
    do throws(FreeTreeError) { try unsafe place.pointee.tree.release(range) } catch {
      preconditionFailure("a new area has free frames")
    }
    _ = unsafe areas.add(place)
    pageblocks.set(.contiguous, over: range)
    cache.tree.forgetSummaries(over: range)
  }

  /// The ranges of the zone's areas.
  public var areaRanges: [FrameRange] { (0..<areas.count).map { unsafe areas.area($0).pointee.range } }

  /// Frames that are free in areas. Exact while nobody else uses the zone.
  public borrowing func freeInAreas() -> FrameCount {
    var sum = FrameCount.zero
    for index in 0..<areas.count { sum += unsafe areas.area(index).pointee.tree.freeFrames() }
    return sum
  }

  /// Whether every frame of `range` is free in an area.
  public borrowing func isFreeInArea(_ range: FrameRange) -> Bool {
    for index in 0..<areas.count where unsafe areas.area(index).pointee.range.contains(range) {
      return unsafe areas.area(index).pointee.tree.isFree(range)
    }
    return false
  }

  /// A movable folio out of an area, for a request that the zone itself cannot serve.
  ///
  /// Linux: `__rmqueue_cma_fallback`; there areas are used first once half of the free frames are theirs.
  borrowing func borrow(
    _ order: Order, _ mobility: FrameMobility, on cpu: CPUIndex
  ) throws(FolioError) -> Folio? {
    guard mobility == .movable || mobility == .contiguous else { return nil }
    return try cache.inside(cpu) { () throws(FolioError) in
      for index in 0..<areas.count {
        while let head = unsafe areas.area(index).pointee.tree.allocate(order, from: .highest) {
          if !pageblocks.isAnyIsolated(FrameRange(blockAt: head, order: order)) { return try prepare(head, order, mobility) }
          capture(head, order)
        }
      }
      return nil
    }
  }

  /// Frees a folio of an area there; false where its frames belong to none.
  borrowing func giveToArea(_ head: FrameNumber, _ order: Order) -> Bool {
    let range = FrameRange(blockAt: head, order: order)
    for index in 0..<areas.count where unsafe areas.area(index).pointee.range.contains(range) {
      let isSet = heads.clear(head)
      precondition(isSet, "a folio was freed twice")
      do throws(FreeTreeError) { try unsafe areas.area(index).pointee.tree.free(head, order: order) } catch {
        preconditionFailure("the frames of a folio were free already")
      }
      return true
    }
    return false
  }
}
