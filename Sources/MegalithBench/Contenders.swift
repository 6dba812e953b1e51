import CBaselines
import FrameAllocator
import MemoryUnits

/// The blocks that a thread holds, as bare frame numbers: one layout for both languages.
typealias Blocks = UnsafeMutableBufferPointer<UInt64>

/// An allocator under test, over a zone of its own. Every call is one phase of one thread, so that a dynamic call costs nothing.
protocol Contender: AnyObject, Sendable {
  var name: String { get }
  func get(_ blocks: Blocks, thread: Int)
  func put(_ blocks: Blocks, thread: Int)
  func churn(_ blocks: Blocks, _ indices: UnsafeMutableBufferPointer<UInt32>, thread: Int)
  func pair(_ count: Int, thread: Int)
}

/// The free tree, and for single frames the caches over it.
final class TreeContender: Contender {
  let name = "tree"
  private let order: Order
  private let cache: CPUCache
  private let memory: [Reservation]

  init(zone: FrameRange, order: Order, threads: Int) throws {
    let tree = try Reservation(FreeTree.storageBytes(for: zone.count))
    let cells = try Reservation(CPUCache.storageBytes(cpus: UInt32(threads)))
    memory = [tree, cells]
    self.order = order
    _ = megalith_register_barrier()
    cache = CPUCache(
      tree: FreeTree(zone: zone, storage: tree.bytes), cpus: UInt32(threads), storage: cells.bytes,
      barrier: { precondition(megalith_barrier() == 0, "the kernel refuses membarrier") })
    try cache.tree.release(zone)
  }

  func get(_ blocks: Blocks, thread: Int) {
    if order == Order(0) {
      cachedGet(cache, blocks, CPUIndex(UInt32(thread)))
    } else {
      treeGet(cache.tree, blocks, order)
    }
  }
  func put(_ blocks: Blocks, thread: Int) {
    if order == Order(0) {
      cachedPut(cache, blocks, CPUIndex(UInt32(thread)))
    } else {
      treePut(cache.tree, blocks, order)
    }
  }
  func churn(_ blocks: Blocks, _ indices: UnsafeMutableBufferPointer<UInt32>, thread: Int) {
    if order == Order(0) {
      cachedChurn(cache, blocks, indices, CPUIndex(UInt32(thread)))
    } else {
      treeChurn(cache.tree, blocks, indices, order)
    }
  }
  func pair(_ count: Int, thread: Int) {
    if order == Order(0) {
      cachedPair(cache, count, CPUIndex(UInt32(thread)))
    } else {
      treePair(cache.tree, count, order)
    }
  }
}

@inline(never) private func cachedGet(_ cache: borrowing CPUCache, _ blocks: Blocks, _ cpu: CPUIndex) {
  for index in 0..<blocks.count { blocks[index] = cache.allocate(.unmovable, on: cpu)?.rawValue ?? exhausted() }
}
@inline(never) private func cachedPut(_ cache: borrowing CPUCache, _ blocks: Blocks, _ cpu: CPUIndex) {
  for index in 0..<blocks.count {
    giveBack { () throws(FreeTreeError) in try cache.free(FrameNumber(blocks[index]), .unmovable, on: cpu) }
  }
}
@inline(never) private func cachedChurn(
  _ cache: borrowing CPUCache, _ blocks: Blocks, _ indices: UnsafeMutableBufferPointer<UInt32>, _ cpu: CPUIndex
) {
  for index in indices {
    giveBack { () throws(FreeTreeError) in try cache.free(FrameNumber(blocks[Int(index)]), .unmovable, on: cpu) }
    blocks[Int(index)] = cache.allocate(.unmovable, on: cpu)?.rawValue ?? exhausted()
  }
}
@inline(never) private func cachedPair(_ cache: borrowing CPUCache, _ count: Int, _ cpu: CPUIndex) {
  for _ in 0..<count {
    let frame = cache.allocate(.unmovable, on: cpu) ?? FrameNumber(exhausted())
    giveBack { () throws(FreeTreeError) in try cache.free(frame, .unmovable, on: cpu) }
  }
}
@inline(never) private func treeGet(_ tree: borrowing FreeTree, _ blocks: Blocks, _ order: Order) {
  for index in 0..<blocks.count { blocks[index] = tree.allocate(order, from: .lowest)?.rawValue ?? exhausted() }
}
@inline(never) private func treePut(_ tree: borrowing FreeTree, _ blocks: Blocks, _ order: Order) {
  for index in 0..<blocks.count {
    giveBack { () throws(FreeTreeError) in try tree.free(FrameNumber(blocks[index]), order: order) }
  }
}
@inline(never) private func treeChurn(
  _ tree: borrowing FreeTree, _ blocks: Blocks, _ indices: UnsafeMutableBufferPointer<UInt32>, _ order: Order
) {
  for index in indices {
    giveBack { () throws(FreeTreeError) in try tree.free(FrameNumber(blocks[Int(index)]), order: order) }
    blocks[Int(index)] = tree.allocate(order, from: .lowest)?.rawValue ?? exhausted()
  }
}
@inline(never) private func treePair(_ tree: borrowing FreeTree, _ count: Int, _ order: Order) {
  for _ in 0..<count {
    let block = tree.allocate(order, from: .lowest) ?? FrameNumber(exhausted())
    giveBack { () throws(FreeTreeError) in try tree.free(block, order: order) }
  }
}

@inline(__always) private func giveBack(_ free: () throws(FreeTreeError) -> Void) {
  do { try free() } catch { refused(error) }
}
@inline(never) private func refused(_ error: FreeTreeError) -> Never { fatalError("a free was refused: \(error)") }
@inline(never) private func exhausted() -> UInt64 { fatalError("the zone is exhausted") }

/// The baselines in C.
final class CContender: Contender {
  let name: String
  private let kind: megalith_kind
  private let order: UInt32
  /// By thread. A list is a thread's own; the buddy allocator is one for all.
  nonisolated(unsafe) private var allocators: [OpaquePointer] = []

  init(_ kind: megalith_kind, zone: FrameRange, order: Order, threads: Int) throws {
    self.kind = kind
    self.order = UInt32(order.rawValue)
    name = kind == MEGALITH_LIFO ? "lifo" : "buddy"
    let blocks = zone.count.rawValue >> UInt64(order.rawValue)
    let share = blocks / UInt64(threads)
    for thread in 0..<(kind == MEGALITH_LIFO ? threads : 1) {
      let made =
        kind == MEGALITH_LIFO
        ? megalith_lifo_make(blocks, UInt64(thread) * share, share, self.order) : megalith_buddy_make(zone.count.rawValue)
      guard let made else { throw BenchError.outOfMemory }
      allocators.append(made)
    }
  }

  deinit {
    for allocator in allocators {
      if kind == MEGALITH_LIFO { megalith_lifo_destroy(allocator) } else { megalith_buddy_destroy(allocator) }
    }
  }

  private func allocator(_ thread: Int) -> UnsafeMutableRawPointer {
    UnsafeMutableRawPointer(allocators[allocators.count == 1 ? 0 : thread])
  }

  func get(_ blocks: Blocks, thread: Int) { megalith_c_get(kind, allocator(thread), order, blocks.baseAddress, blocks.count) }
  func put(_ blocks: Blocks, thread: Int) { megalith_c_put(kind, allocator(thread), order, blocks.baseAddress, blocks.count) }
  func churn(_ blocks: Blocks, _ indices: UnsafeMutableBufferPointer<UInt32>, thread: Int) {
    megalith_c_churn(kind, allocator(thread), order, blocks.baseAddress, indices.baseAddress, indices.count)
  }
  func pair(_ count: Int, thread: Int) { megalith_c_pair(kind, allocator(thread), order, count) }
}

/// Zeroed memory that is resident where it is touched.
final class Reservation: Sendable {
  nonisolated(unsafe) let bytes: UnsafeMutableRawBufferPointer

  init(_ size: ByteCount) throws {
    guard let base = megalith_reserve(Int(size.rawValue)) else { throw BenchError.outOfMemory }
    bytes = UnsafeMutableRawBufferPointer(start: base, count: Int(size.rawValue))
  }

  deinit { megalith_unreserve(bytes.baseAddress, bytes.count) }
}
