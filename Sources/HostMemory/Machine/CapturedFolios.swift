public import FrameAllocator
public import FrameMap
public import MemoryUnits
public import Mobility
import Synchronization

/// Who owns the folios of a machine that was made from a host: it lets each that moves on the host move, drops what the host could
/// drop, and knows what the host would do in passing.
///
/// A movable run of the host is one folio here, as long as a pageblock at most, for terabytes to stay cheap. On the host it may be
/// single pages, so that such a folio may be split where it finds no place as a whole.
///
/// **Threads.** Any.
public final class CapturedFolios: FolioOwner, Sendable {
  private struct State {
    /// For each 2^15 frames with any: a bit for each frame that is the head of a folio that can be dropped.
    var droppable: [UInt64: [UInt64]] = [:]
    /// Heads of single frames between the host's lists, which hold a reference until they settle.
    var unsettled: [FrameNumber] = []
    var deferred: [(zone: ZoneIndex, range: FrameRange)] = []
    var moved = FrameCount.zero
    var dropped = FrameCount.zero
  }

  private let state = Mutex(State())

  public init() {}

  /// Frames that were moved since the machine was made. A frame that moved twice counts twice.
  public var moved: FrameCount { state.withLock { $0.moved } }
  /// Frames that were dropped since.
  public var dropped: FrameCount { state.withLock { $0.dropped } }

  // MARK: As owner

  public func detach(_ folio: FolioPlace) -> FrameCounts? { .references(1) }

  public func attach(_ folio: FolioPlace, to head: FrameNumber) {
    guard head != folio.head else { return }
    state.withLock { $0.moved += folio.order.frames }
  }

  public func canDrop(_ folio: FolioPlace) -> Bool {
    let (section, word, bit) = Self.place(folio.head)
    return state.withLock { ($0.droppable[section]?[word] ?? 0) & bit != 0 }
  }

  public func drop(_ folio: FolioPlace) {
    let (section, word, bit) = Self.place(folio.head)
    state.withLock { state in
      state.droppable[section]?[word] &= ~bit
      state.dropped += folio.order.frames
    }
  }

  public func canSplit(_ folio: FolioPlace) -> Bool { true }

  private static func place(_ frame: FrameNumber) -> (section: UInt64, word: Int, bit: UInt64) {
    let number = frame.rawValue
    return (number >> 15, Int(number >> 6 & 511), 1 << (number & 63))
  }

  // MARK: What the maker of the machine says

  func markDroppable(_ head: FrameNumber) {
    let (section, word, bit) = Self.place(head)
    state.withLock { $0.droppable[section, default: [UInt64](repeating: 0, count: 512)][word] |= bit }
  }

  func noteUnsettled(_ head: FrameNumber) { state.withLock { $0.unsettled.append(head) } }
  func noteDeferred(_ range: FrameRange, _ zone: ZoneIndex) { state.withLock { $0.deferred.append((zone, range)) } }

  // MARK: What the host does in passing

  /// Frames between lists reach them: from now on they move. A kernel does so when it starts to empty any range.
  public func settle(_ zones: borrowing ZoneSet, on cpu: CPUIndex) {
    let heads = state.withLock { state in
      defer { state.unsettled = [] }
      return state.unsettled
    }
    for head in heads { zones.put(head, on: cpu) }
  }

  /// Memory that was not handed over becomes free, at most `limit` frames of it. A kernel does so when its lists run dry.
  ///
  /// - Parameter limit: nil for all of it.
  public func handOver(_ zones: borrowing ZoneSet, limit: FrameCount?) {
    let all = state.withLock { state in
      defer { state.deferred = [] }
      return state.deferred
    }
    var left = limit ?? all.reduce(.zero) { $0 + $1.range.count }
    for (zone, range) in all where left > .zero {
      let part = FrameRange(start: range.start, count: min(left, range.count))
      left -= part.count
      do { try zones[zone].release(part) } catch { preconditionFailure("deferred memory was not claimed") }
    }
  }
}
