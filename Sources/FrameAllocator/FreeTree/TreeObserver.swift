/// A place in the tree's work where another thread may get in between; an observer is told of each.
@frozen public enum TreePoint: Hashable, Sendable {
  /// Frames were taken from a node's count; their bits are still set.
  case reserved
  /// One word of a run that spans several was cleared; the next one is not yet.
  case claimedWord
  /// One block of a range was claimed; the next one is not yet.
  case claimedBlock
  /// A wholly free child left its parent; its own node is not yet filled.
  case movingDown
  /// A node gave up its 512 free children; its parent does not yet know.
  case movingUp
}

/// Watches the tree at the places where races happen.
///
/// Tests use it to make a race certain: what another thread could do at a point, the observer does there. The tree calls it through
/// its generic parameter, so that ``Unobserved`` leaves no trace in the code.
public protocol TreeObserver: Sendable {
  /// Called at `point`, from the thread that got there. It may use the tree, but not wait for another thread.
  func reached(_ point: TreePoint)
}

/// Nobody watches: what everything but a test uses.
@frozen public struct Unobserved: TreeObserver {
  @inlinable public init() {}
  @inlinable @inline(__always) public func reached(_ point: TreePoint) {}
}
