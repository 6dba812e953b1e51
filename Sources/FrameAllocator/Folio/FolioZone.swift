public import FrameMap
public import MemoryUnits

/// The folios of one zone: its free frames, its caches, where its blocks start, and the descriptors of their heads.
///
/// Only the head of a folio is written when it is handed out, whatever its order: order, mobility and the first reference.
/// The tails' descriptors stay as they were, untouched zero, until somebody pins or maps one of them separately. So a
/// 1 GiB folio costs one descriptor and one bit.
///
/// **Threads.** Any, one at a time for each processor named. The atomic clear of a head's bit decides who freed it.
///
/// Linux: `struct zone` with `__alloc_pages` and `__folio_put`; there a gigantic folio writes each of its tails.
public struct FolioZone: ~Copyable, Sendable {
  public let zone: FrameRange
  public let index: ZoneIndex
  /// The highest order that ``allocate(_:_:on:)`` serves. Linux: `MAX_PAGE_ORDER`.
  public let topOrder: Order
  public let policy: PageblockPolicy
  let cache: CPUCache
  let heads: HeadMap
  let table: FrameTable
  let pageblocks: PageblockMap
  let tally: PageblockTally
  let marks: ZoneMarks
  let areas: AreaList
  let parked: ParkedPages

  /// Storage for a zone: parts aligned to 64 bytes, zero, and in place until the zone's last use.
  @unsafe public struct Storage {
    let tree: UnsafeMutableRawBufferPointer
    let caches: UnsafeMutableRawBufferPointer
    let heads: UnsafeMutableRawBufferPointer
    let pageblocks: UnsafeMutableRawBufferPointer
    let words: UnsafeMutableRawPointer

    /// - Parameter buffer: at least ``FolioZone/storageBytes(for:cpus:pageblock:)``.
    public init(_ buffer: UnsafeMutableRawBufferPointer, for frames: FrameCount, cpus: UInt32, pageblock: Order) {
      let sizes = FolioZone.parts(frames, cpus, pageblock)
      guard let base = buffer.baseAddress, buffer.count >= sizes.reduce(0, +) else {
        preconditionFailure("storage is too small for the zone")
      }
      var place = 0
      func next(_ size: Int) -> UnsafeMutableRawBufferPointer {
        defer { place += size }
        // The parts lie one after the other in the buffer, whose length was compared with their sum.
        return unsafe UnsafeMutableRawBufferPointer(start: base + place, count: size)
      }
      unsafe tree = next(sizes[0])
      unsafe caches = next(sizes[1])
      unsafe heads = next(sizes[2])
      unsafe pageblocks = next(sizes[3])
      unsafe words = base + place
    }
  }

  private static func parts(_ frames: FrameCount, _ cpus: UInt32, _ pageblock: Order) -> [Int] {
    [
      FreeTree.storageBytes(for: frames), CPUCache.storageBytes(cpus: cpus), HeadMap.storageBytes(for: frames),
      PageblockMap.storageBytes(for: frames, order: max(pageblock, PageblockMap.smallestOrder)), ByteCount(256),
    ].map { Int($0.aligned(to: ByteCount(64), .up).rawValue) }
  }

  /// The bytes that a zone of `frames` frames needs beside its descriptors: a little over two bits a frame.
  ///
  /// - Parameter pageblock: the order of ``PageblockPolicy``.
  public static func storageBytes(for frames: FrameCount, cpus: UInt32, pageblock: Order) -> ByteCount {
    ByteCount(UInt64(parts(frames, cpus, pageblock).reduce(0, +)))
  }

  /// Makes a zone of which nothing is free; ``release(_:)`` gives it its memory.
  ///
  /// - Parameters:
  ///   - table: descriptors of at least the zone's frames; its map outlives the zone.
  ///   - topOrder: nil for every order that the zone has room for.
  ///   - barrier: see ``CPUCacheCore``.
  public init(
    zone: FrameRange, index: ZoneIndex, table: FrameTable, topOrder: Order?, policy: PageblockPolicy, storage: Storage,
    cpus: UInt32, barrier: @escaping @Sendable () -> Void
  ) {
    let tree = unsafe FreeTree(zone: zone, storage: storage.tree)
    self.topOrder = topOrder.map { min($0, tree.highestOrder) } ?? tree.highestOrder
    cache = unsafe CPUCache(tree: tree, cpus: cpus, storage: storage.caches, barrier: barrier)
    heads = unsafe HeadMap(zone: zone, storage: storage.heads)
    pageblocks = unsafe PageblockMap(zone: zone, order: policy.order, storage: storage.pageblocks)
    tally = unsafe PageblockTally(storage.words)
    marks = unsafe ZoneMarks(storage.words + 64)
    areas = unsafe AreaList(storage.words + 128)
    parked = unsafe ParkedPages(storage.words + 192)
    self.policy = policy
    self.zone = zone
    self.index = index
    self.table = table
  }

  /// Gives the zone frames that it does not have yet, whatever their number.
  ///
  /// - Complexity: O(log frames). Linux: `memblock_free_pages`, `adjust_managed_page_count`.
  public borrowing func manage(_ range: FrameRange) throws(FreeTreeError) {
    try cache.tree.release(range)
    cache.count(given: Int64(range.count.rawValue))
    marks.changeManaged(by: Int64(range.count.rawValue))
  }

  /// Takes exactly these free frames from the zone, for good.
  ///
  /// - Throws: as ``claim(_:)``.
  public borrowing func forget(_ range: FrameRange) throws(FreeTreeError) {
    try take(exactly: range)
    marks.changeManaged(by: -Int64(range.count.rawValue))
  }

  /// Takes exactly these free frames out of the zone, without making a folio of them. The zone keeps account of them until
  /// ``release(_:)``.
  ///
  /// - Throws: ``FreeTreeError/outsideZone``, or ``FreeTreeError/notFree`` where a frame is held; the zone is as before then.
  public borrowing func claim(_ range: FrameRange) throws(FreeTreeError) {
    try take(exactly: range)
    marks.changeClaimed(by: Int64(range.count.rawValue))
  }

  /// Gives back frames that were claimed.
  ///
  /// - Complexity: O(log frames).
  public borrowing func release(_ range: FrameRange) throws(FreeTreeError) {
    guard zone.contains(range) else { throw .outsideZone }
    guard cache.tree.firstFree(in: range) == nil else { throw .alreadyFree }
    putFree(range)
    marks.changeClaimed(by: -Int64(range.count.rawValue))
  }

  borrowing func take(exactly range: FrameRange) throws(FreeTreeError) {
    cache.drain()
    try cache.tree.claim(range)
    cache.count(given: -Int64(range.count.rawValue))
  }

  /// Gives back what the caches of all processors keep. See ``CPUCacheCore/drain()``.
  public borrowing func drain() { cache.drain() }

  /// Frames that are free, those in caches and in contiguous areas included. Exact while nobody else uses the zone.
  public borrowing func freeFrames() -> FrameCount { cache.tree.freeFrames() + cache.cachedFrames() + freeInAreas() }

  /// Frames that are free in the tree; those in caches count as taken. Exact while nobody else uses the zone.
  public borrowing func freeInTree() -> FrameCount { cache.tree.freeFrames() }

  /// The same, of a range; what of it lies outside the zone is not free.
  ///
  /// - Complexity: O(log frames + nodes of the range that are partly free).
  public borrowing func freeInTree(in range: FrameRange) -> FrameCount { cache.tree.freeFrames(in: range.intersection(zone)) }

  /// The frames that are free in aligned blocks of 512 and more. Exact while nobody else uses the zone.
  ///
  /// - Complexity: O(frames / 2^18).
  public borrowing func freeInLargeBlocks() -> FrameCount { cache.tree.freeFramesInLargeBlocks() }

  /// See ``FreeTreeCore/freeBlocks(upTo:)``.
  public borrowing func freeBlocks(upTo top: Order) -> [BlockCount] { cache.tree.freeBlocks(upTo: top) }

  /// See ``FreeTreeCore/largestFreeOrder()``.
  public borrowing func largestFreeOrder() -> Order? { cache.tree.largestFreeOrder() }

  /// What pageblocks went through. Exact while nobody else uses the zone.
  public var pageblockCounts: PageblockCounts { tally.counts }

  /// What the pageblock of `frame` is for. Traps outside the zone.
  ///
  /// Linux: `get_pageblock_migratetype`.
  public func mobility(ofPageblockOf frame: FrameNumber) -> FrameMobility {
    precondition(zone.contains(frame), "frame outside the zone")
    return pageblocks.mobility(of: frame)
  }

  borrowing func largestFree() -> FrameCount { cache.tree.largestFreeOrder().map { $0.frames } ?? .zero }
}
