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
  let cache: CPUCache
  let heads: HeadMap
  let table: FrameTable

  /// Storage for a zone: three parts, each aligned to 64 bytes, zero, and in place until the zone's last use.
  @unsafe public struct Storage {
    let tree: UnsafeMutableRawBufferPointer
    let caches: UnsafeMutableRawBufferPointer
    let heads: UnsafeMutableRawBufferPointer

    /// - Parameter buffer: at least ``FolioZone/storageBytes(for:cpus:)``.
    public init(_ buffer: UnsafeMutableRawBufferPointer, for frames: FrameCount, cpus: UInt32) {
      let sizes = FolioZone.parts(frames, cpus)
      precondition(buffer.count >= sizes.reduce(0, +), "storage is too small for the zone")
      // The parts lie one after the other in the buffer, whose length was compared with their sum.
      unsafe tree = UnsafeMutableRawBufferPointer(rebasing: buffer[..<sizes[0]])
      unsafe caches = UnsafeMutableRawBufferPointer(rebasing: buffer[sizes[0]..<(sizes[0] + sizes[1])])
      unsafe heads = UnsafeMutableRawBufferPointer(rebasing: buffer[(sizes[0] + sizes[1])..<sizes.reduce(0, +)])
    }
  }

  private static func parts(_ frames: FrameCount, _ cpus: UInt32) -> [Int] {
    [FreeTree.storageBytes(for: frames), CPUCache.storageBytes(cpus: cpus), HeadMap.storageBytes(for: frames)]
      .map { Int($0.aligned(to: ByteCount(64), .up).rawValue) }
  }

  /// The bytes that a zone of `frames` frames needs beside its descriptors: a little over two bits a frame.
  public static func storageBytes(for frames: FrameCount, cpus: UInt32) -> ByteCount {
    ByteCount(UInt64(parts(frames, cpus).reduce(0, +)))
  }

  /// Makes a zone of which nothing is free; ``release(_:)`` gives it its memory.
  ///
  /// - Parameters:
  ///   - table: descriptors of at least the zone's frames; its map outlives the zone.
  ///   - topOrder: the policy; nil for none: every order that the zone has room for.
  ///   - barrier: see ``CPUCacheCore``.
  public init(
    zone: FrameRange, index: ZoneIndex, table: FrameTable, topOrder: Order?, storage: Storage, cpus: UInt32,
    barrier: @escaping @Sendable () -> Void
  ) {
    let tree = unsafe FreeTree(zone: zone, storage: storage.tree)
    self.topOrder = topOrder.map { min($0, tree.highestOrder) } ?? tree.highestOrder
    cache = unsafe CPUCache(tree: tree, cpus: cpus, storage: storage.caches, barrier: barrier)
    heads = unsafe HeadMap(zone: zone, storage: storage.heads)
    self.zone = zone
    self.index = index
    self.table = table
  }

  /// Gives the zone frames that it does not have yet, whatever their number: boot memory, or a range taken from it before.
  ///
  /// - Complexity: O(log frames).
  public borrowing func release(_ range: FrameRange) throws(FreeTreeError) { try cache.tree.release(range) }

  /// Takes exactly these free frames out of the zone, without making a folio of them.
  public borrowing func claim(_ range: FrameRange) throws(FreeTreeError) {
    cache.drain()
    try cache.tree.claim(range)
  }

  /// Gives back what the caches of all processors keep. See ``CPUCacheCore/drain()``.
  public borrowing func drain() { cache.drain() }

  /// Frames that are free, cached ones included. Exact while nobody else uses the zone.
  public borrowing func freeFrames() -> FrameCount { cache.tree.freeFrames() + cache.cachedFrames() }

  borrowing func largestFree() -> FrameCount { cache.tree.largestFreeOrder().map { $0.frames } ?? .zero }
}
