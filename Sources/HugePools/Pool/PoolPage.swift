import FrameMap
import MemoryUnits
import Synchronization

/// A page of a pool, and what the pool writes down about it.
///
/// The pool's record is in the descriptor of the first tail, whose own fields nothing else uses: it lies beside the head's, so that
/// no further memory becomes resident. While a page is free the head's private word is the pool's too, for its list; while it is in
/// use that word is its user's.
///
/// Linux: the tail pages' `_hugetlb_subpool` and `hugetlb_cgroup`, and `page->private` of the head for the flags.
@safe struct PoolPage {
  let frame: FrameNumber
  /// Its private word: the next free page and 1.
  private let head: DescriptorPointer
  /// The first tail. Its private word: the previous free page and 1, or the subpool's address. Its private index: `Mark`, and the
  /// pool's place and 1 from bit 8 on. All guarded by the lock of the pools while the page is free, else by its last user.
  private let tail: DescriptorPointer

  private enum Mark {
    static let free: UInt32 = 1
    static let restores: UInt32 = 2
    static let poolShift: UInt32 = 8
  }

  /// Traps where the frame is no folio's head.
  init(_ frame: FrameNumber, _ table: FrameTable) {
    // Pages of pools have a tail, and both descriptors as long as the page is held.
    guard let head = unsafe table.descriptor(frame), let tail = unsafe table.descriptor(frame + FrameCount(1)) else {
      preconditionFailure("a page without descriptors")
    }
    self.frame = frame
    unsafe self.head = head
    unsafe self.tail = tail
  }

  private var record: UInt32 {
    get { unsafe tail.pointee.privateIndex.load(ordering: .relaxed) }
    nonmutating set { unsafe tail.pointee.privateIndex.store(newValue, ordering: .relaxed) }
  }

  var shape: FrameShape { unsafe head.pointee.shape }
  var counts: FrameCounts { unsafe head.pointee.counts }

  /// The place of the pool that it belongs to; nil for a page of none.
  var pool: Int? {
    let stored = record >> Mark.poolShift
    return shape.kind == .hugePool && stored != 0 ? Int(stored) - 1 : nil
  }

  var isFree: Bool { record & Mark.free != 0 }

  /// Whether its reservation is restored when it comes back.
  var restores: Bool {
    get { record & Mark.restores != 0 }
    nonmutating set { record = newValue ? record | Mark.restores : record & ~Mark.restores }
  }

  /// Makes it a page of the pool that somebody uses.
  func use(pool: Int) { record = UInt32(pool + 1) << Mark.poolShift }

  /// No pool's page any more.
  func forget() {
    record = 0
    unsafe tail.pointee.privateWord.store(0, ordering: .relaxed)
    unsafe head.pointee.privateWord.store(0, ordering: .relaxed)
  }

  // MARK: The list of free pages

  private static func word(_ frame: FrameNumber?) -> UInt64 { frame.map { $0.rawValue + 1 } ?? 0 }
  private static func frame(_ word: UInt64) -> FrameNumber? { word == 0 ? nil : FrameNumber(word - 1) }

  var next: FrameNumber? { PoolPage.frame(unsafe head.pointee.privateWord.load(ordering: .relaxed)) }
  private var previous: FrameNumber? { PoolPage.frame(unsafe tail.pointee.privateWord.load(ordering: .relaxed)) }
  private func setNext(_ frame: FrameNumber?) {
    unsafe head.pointee.privateWord.store(PoolPage.word(frame), ordering: .relaxed)
  }
  private func setPrevious(_ frame: FrameNumber?) {
    unsafe tail.pointee.privateWord.store(PoolPage.word(frame), ordering: .relaxed)
  }

  /// Puts the page before the first one of a list.
  func link(before first: FrameNumber?, pool: Int, _ table: FrameTable) {
    record = UInt32(pool + 1) << Mark.poolShift | Mark.free
    setNext(first)
    setPrevious(nil)
    if let first { PoolPage(first, table).setPrevious(frame) }
  }

  /// Takes the page out of its list, and says what was beside it.
  func unlink(_ table: FrameTable) -> (previous: FrameNumber?, next: FrameNumber?) {
    let beside = (previous, next)
    if let frame = beside.0 { PoolPage(frame, table).setNext(beside.1) }
    if let frame = beside.1 { PoolPage(frame, table).setPrevious(beside.0) }
    setNext(nil)
    setPrevious(nil)
    record &= ~Mark.free
    return beside
  }

  // MARK: The user's subpool

  /// Remembers the subpool that a page in use counts for, and keeps it alive.
  func keep(_ subpool: Subpool?) {
    guard let subpool else { return }
    let address = unsafe UInt(bitPattern: Unmanaged.passRetained(subpool).toOpaque())
    unsafe tail.pointee.privateWord.store(UInt64(address), ordering: .relaxed)
  }

  /// The subpool that was remembered, no longer kept by the page.
  func takeSubpool() -> Subpool? {
    let stored = unsafe tail.pointee.privateWord.exchange(0, ordering: .relaxed)
    guard let address = unsafe UnsafeRawPointer(bitPattern: UInt(stored)) else { return nil }
    // Stored by `keep`, with the reference that is taken over here.
    return unsafe Unmanaged<Subpool>.fromOpaque(address).takeRetainedValue()
  }

  /// The subpool that is remembered.
  var subpool: Subpool? {
    let stored = unsafe tail.pointee.privateWord.load(ordering: .relaxed)
    guard !isFree, let address = unsafe UnsafeRawPointer(bitPattern: UInt(stored)) else { return nil }
    // The page is in use, so that its word holds a subpool that it keeps alive.
    return unsafe Unmanaged<Subpool>.fromOpaque(address).takeUnretainedValue()
  }

  /// Takes over what was written down about the page that `old` was before it moved.
  func takeOver(_ old: PoolPage) {
    record = old.record
    unsafe tail.pointee.privateWord.store(old.tail.pointee.privateWord.exchange(0, ordering: .relaxed), ordering: .relaxed)
    old.record = 0
  }
}
