/// Turns the flags of consecutive frames into classes.
///
/// It has a memory of one frame, since the tails of a large allocation may say only that they are tails: such a tail is
/// what its head is.
struct FrameClassifier {
  private var lastFlags = FrameFlags()
  private var lastClass = FrameClass.undecided
  private var headClass = FrameClass.kernel
  private(set) var isHead = false

  /// The class of the next frame. A caller that skips frames makes a new classifier.
  @inline(__always)
  mutating func classify(_ flags: FrameFlags) -> FrameClass {
    if flags == lastFlags { return lastClass }
    lastFlags = flags
    isHead = flags.contains(.head)
    if flags.contains(.tail), flags.isDisjoint(with: Self.decisiveForTail) {
      lastClass = headClass
    } else {
      lastClass = Self.classifyAlone(flags)
      if isHead { headClass = lastClass }
    }
    return lastClass
  }

  private static let decisiveForTail: FrameFlags = [
    .noPage, .poisoned, .offline, .buddy, .huge, .slab, .pageTable, .reserved, .onLRU,
  ]

  /// The class that the flags of a frame imply by themselves.
  ///
  /// The order matters: a poisoned frame is poisoned whatever it was before, a free one may keep stale flags.
  static func classifyAlone(_ flags: FrameFlags) -> FrameClass {
    if flags.isEmpty { return .undecided }
    if flags.contains(.noPage) { return .absent }
    if flags.contains(.poisoned) { return .poisoned }
    if flags.contains(.offline) { return .offline }
    if flags.contains(.buddy) { return .free }
    if flags.contains(.huge) { return .huge }
    if flags.contains(.reserved) { return .reserved }
    if flags.contains(.slab) { return .slab }
    if flags.contains(.pageTable) { return .pageTable }
    if flags.contains(.onLRU) {
      let needsHome: FrameFlags = [.dirty, .anonymous, .swapBacked, .unevictable, .writeback]
      return flags.isDisjoint(with: needsHome) ? .droppable : .migratable
    }
    let userContent: FrameFlags = [.anonymous, .swapBacked, .upToDate]
    if !flags.isDisjoint(with: userContent) { return .unsettled }
    let isLeftover = flags.isDisjoint(with: [.head, .tail, .mapped])
    return isLeftover && flags.isSubset(of: [.referenced, .idle, .reclaim, .active, .locked]) ? .undecided : .kernel
  }
}
