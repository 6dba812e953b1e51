public import MemoryUnits
import Synchronization

/// A zone's watermarks and the number of its frames: words that any thread reads, and that its owner changes.
@safe struct ZoneMarks: @unchecked Sendable {
  // Unchecked, because of the pointer: all it leads to is atomic.
  /// 0 managed, 1 min, 2 low, 3 high, 4 claimed, 5 what came and went of the present frames. Each stands for itself; none orders anything else.
  private let words: UnsafeMutablePointer<Atomic<UInt64>>

  /// - Parameter storage: a zeroed line that outlives the marks.
  init(_ storage: UnsafeMutableRawPointer) {
    // Zeroed words are atomics of zero.
    unsafe words = storage.bindMemory(to: Atomic<UInt64>.self, capacity: 8)
  }

  // Indices are below 8.
  private func count(_ index: Int) -> FrameCount { FrameCount(unsafe words[index].load(ordering: .relaxed)) }

  var managed: FrameCount { count(0) }
  func changeManaged(by amount: Int64) {
    unsafe _ = words[0].wrappingAdd(UInt64(bitPattern: amount), ordering: .relaxed)
  }

  /// Frames that left the tree and are in no folio.
  var claimed: FrameCount { count(4) }
  func changeClaimed(by amount: Int64) {
    unsafe _ = words[4].wrappingAdd(UInt64(bitPattern: amount), ordering: .relaxed)
  }

  /// Frames that came since the zone was made, less those that went.
  var presentChange: Int64 { Int64(bitPattern: count(5).rawValue) }
  func changePresent(by amount: Int64) {
    unsafe _ = words[5].wrappingAdd(UInt64(bitPattern: amount), ordering: .relaxed)
  }

  var watermarks: Watermarks {
    get { Watermarks(min: count(1), low: count(2), high: count(3)) }
    nonmutating set {
      unsafe words[1].store(newValue.min.rawValue, ordering: .relaxed)
      unsafe words[2].store(newValue.low.rawValue, ordering: .relaxed)
      unsafe words[3].store(newValue.high.rawValue, ordering: .relaxed)
    }
  }
}

extension FolioZone {
  /// Frames that the zone was given. Linux: `managed_pages`.
  public var managed: FrameCount { marks.managed }

  /// How many free frames are kept back. All zero until they are set.
  ///
  /// Only requests to a ``ZoneSet`` heed them: who asks a zone itself may have its last frame.
  public var watermarks: Watermarks { marks.watermarks }

  public func setWatermarks(_ watermarks: Watermarks) { marks.watermarks = watermarks }

  /// Whether the zone, with a block of `order` less, would keep more free frames than `mark` and `reserve`.
  ///
  /// Frames in caches count as taken. Where threads are at work the figure may be off by what they have in hand.
  ///
  /// - Parameter reserve: what the zone keeps for requests that cannot go elsewhere.
  /// - Complexity: O(1), or O(processors) near the mark. Linux: `zone_watermark_ok`.
  public borrowing func isAbove(
    _ mark: FrameCount, order: Order, urgency: Urgency = .ordinary, reserve: FrameCount = .zero
  ) -> Bool {
    let kept = urgency == .emergency ? .zero : urgency.reduced(mark) + reserve
    return cache.hasMore(than: kept + (order.frames - FrameCount(1)))
  }
}
