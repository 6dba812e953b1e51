public import MemoryUnits
import FrameMap
import Synchronization

/// Pages of huge pools whose last reference went where no pool was at hand: kept frozen until their pools ask for them.
///
/// A stack of heads, linked by the heads' private words. Whoever puts the last reference pushes; the pools take all at once, so that
/// no head comes back to the stack while it is read.
///
/// Linux: `hpage_freelist` with `free_hpage_work`.
@safe struct ParkedPages: @unchecked Sendable {
  // Unchecked, because of the pointer: all it leads to is atomic.
  /// 0 whether pages are kept, 1 the last one's head and 1, or 0. The push of a head is the partner of the exchange that takes all.
  private let words: UnsafeMutablePointer<Atomic<UInt64>>

  /// - Parameter storage: a zeroed line that outlives the list.
  init(_ storage: UnsafeMutableRawPointer) {
    // Zeroed words are atomics of zero.
    unsafe words = storage.bindMemory(to: Atomic<UInt64>.self, capacity: 8)
  }

  // The line holds both words.

  var isOn: Bool { unsafe words[0].load(ordering: .acquiring) != 0 }
  func turnOn() { unsafe words[0].store(1, ordering: .releasing) }

  /// - Parameter descriptor: the head's; its folio is frozen by the caller.
  @unsafe func push(_ head: FrameNumber, _ descriptor: DescriptorPointer) {
    var first = unsafe words[1].load(ordering: .relaxed)
    while true {
      unsafe descriptor.pointee.privateWord.store(first, ordering: .relaxed)
      let (isDone, found) = unsafe words[1].weakCompareExchange(
        expected: first, desired: head.rawValue + 1, successOrdering: .acquiringAndReleasing, failureOrdering: .relaxed)
      if isDone { return }
      first = found
    }
  }

  /// The last head that was pushed, with which the others go too.
  func takeAll() -> FrameNumber? {
    guard unsafe words[1].load(ordering: .relaxed) != 0 else { return nil }
    let first = unsafe words[1].exchange(0, ordering: .acquiringAndReleasing)
    return first == 0 ? nil : FrameNumber(first - 1)
  }
}

extension FolioZone {
  /// From now on ``put(_:on:)`` does not free pages of huge pools, but leaves them for ``takeParked(_:)``.
  public borrowing func parkPoolPages() { parked.turnOn() }

  /// Hands over the pages that were left by who gave their last reference. They are frozen.
  ///
  /// - Complexity: O(1) where there are none. Threads: any; each page is handed over once.
  public borrowing func takeParked(_ body: (FrameNumber) -> Void) {
    var next = parked.takeAll()
    while let head = next {
      guard let descriptor = unsafe table.descriptor(head) else { preconditionFailure("a folio without descriptor") }
      let link = unsafe descriptor.pointee.privateWord.exchange(0, ordering: .relaxed)
      next = link == 0 ? nil : FrameNumber(link - 1)
      body(head)
    }
  }
}
