public import FrameAllocator
import FrameMap
public import MemoryUnits

/// Memory that comes and goes: added with descriptors, put online to a zone, emptied and put offline, removed.
///
/// All of it is serialised by one lock, held for whole operations, moves included; nothing else of the machine waits for it: zones go
/// on handing out and taking back, and look-ups go on.
///
/// **Threads.** Any, one at a time for each processor named. Listeners, owners that move folios, and what asks whether to go on are
/// called with the lock held, and must not come back to it.
///
/// Linux: `mm/memory_hotplug.c`, `drivers/base/memory.c`, `mem_hotplug_begin`.
public struct MemoryHotplug: ~Copyable, Sendable {
  public let geometry: HotplugGeometry
  public let policy: HotplugPolicy
  let state: Guarded<HotplugState>
  /// Sets watermarks anew after zones gained or lost memory.
  let rebalance: @Sendable (borrowing ZoneSet) -> Void

  /// - Parameters:
  ///   - rebalance: called with the hotplug lock held.
  ///   - pause: lets others run.
  public init(
    _ geometry: HotplugGeometry, policy: HotplugPolicy, rebalance: @escaping @Sendable (borrowing ZoneSet) -> Void,
    pause: @escaping @Sendable () -> Void
  ) {
    self.geometry = geometry
    self.policy = policy
    self.rebalance = rebalance
    state = Guarded(HotplugState(), pause: pause)
  }

  /// All blocks that came since the machine was made, or left what it booted with; lowest first.
  ///
  /// - Complexity: O(blocks).
  public var blocks: [MemoryBlock] { state.withLock { $0.blocks } }

  /// The memmaps that blocks share, oldest first.
  public var sharedMemmaps: [SharedMemmap] { state.withLock { $0.shared } }

  /// Frames that failed and were put aside, lowest first.
  public var poisonedFrames: [FrameNumber] { state.withLock { $0.poisoned } }
}

/// What the hotplug lock guards.
struct HotplugState: Sendable {
  /// Lowest first, apart from each other.
  var blocks: [MemoryBlock] = []
  var shared: [SharedMemmap] = []
  /// Memory that the machine booted with, and that was put offline at some time; not joined.
  var leftBoot: [LeftMemory] = []
  /// Lowest first.
  var poisoned: [FrameNumber] = []
  /// Parts of online blocks that their zone does not have; lowest first, apart from each other.
  var withheld: [FrameRange] = []
  var listeners: [Listener] = []
  var nextHost: UInt64 = 0
  var nextListener: UInt64 = 0

  struct LeftMemory: Sendable {
    let range: FrameRange
    let zone: ZoneIndex
  }

  /// The place of the first block that ends above `frame`.
  func firstPlace(from frame: FrameNumber) -> Int {
    var low = 0
    var high = blocks.count
    while low < high {
      let middle = (low + high) / 2
      if blocks[middle].range.end <= frame { low = middle + 1 } else { high = middle }
    }
    return low
  }

  /// The places of the blocks that touch `range`.
  func places(in range: FrameRange) -> Range<Int> {
    let first = firstPlace(from: range.start)
    var end = first
    while end < blocks.count, blocks[end].range.start < range.end { end += 1 }
    return first..<end
  }

  /// The places of the blocks that `range` is made of.
  func wholePlaces(of range: FrameRange, _ blockFrames: FrameCount) throws(HotplugError) -> Range<Int> {
    let places = places(in: range)
    var frame = range.start
    for block in blocks[places] {
      guard block.range.start <= frame else { break }
      guard range.contains(block.range), block.state != .holdingMemmap else { throw .noSuchBlock(block.range.start) }
      frame = block.range.end
    }
    guard frame == range.end, !range.isEmpty else { throw .noSuchBlock(frame) }
    return places
  }

  /// What is not there of `range` for its zone, lowest first: what a device withholds.
  func withheld(in range: FrameRange) -> [FrameRange] {
    withheld.map { $0.intersection(range) }.filter { !$0.isEmpty }
  }

  /// The frames of `range` that failed, as ranges.
  func poisoned(in range: FrameRange) -> [FrameRange] {
    poisoned.filter { range.contains($0) }.map { FrameRange(start: $0, count: FrameCount(1)) }
  }
}

extension [FrameRange] {
  /// The ranges, which are in rising order, joined where they touch.
  func joined() -> [FrameRange] {
    var joined: [FrameRange] = []
    for range in self where !range.isEmpty {
      if let last = joined.last, last.end == range.start {
        joined[joined.count - 1] = FrameRange(start: last.start, end: range.end)
      } else {
        joined.append(range)
      }
    }
    return joined
  }
}
