public import FrameMap
public import MemoryUnits
public import PhysicalLayout

/// What a caller of a ``ZoneSet`` needs frames for.
///
/// Linux: `gfp_t`, with the node.
public struct FrameRequest: Hashable, Sendable {
  public var mobility: FrameMobility
  /// Where to look first.
  public var node: NodeID
  /// Whether no other node will do. Linux: `__GFP_THISNODE`.
  public var isNodeFixed: Bool
  /// The highest kind of zone that will do; lower ones serve too. Linux: `gfp_zone`.
  public var highestZone: ZoneKind
  public var urgency: Urgency

  /// - Parameter highestZone: nil for what suits the mobility: movable zones only hold what can move, and high memory what the
  ///   kernel need not reach at all times.
  public init(
    _ mobility: FrameMobility, node: NodeID = NodeID(0), isNodeFixed: Bool = false, highestZone: ZoneKind? = nil,
    urgency: Urgency = .ordinary
  ) {
    self.mobility = mobility
    self.node = node
    self.isNodeFixed = isNodeFixed
    self.highestZone = highestZone ?? (mobility == .movable || mobility == .contiguous ? .movable : .normal)
    self.urgency = urgency
  }

  /// Whether a zone of that kind may serve it.
  func accepts(_ kind: ZoneKind) -> Bool {
    kind <= highestZone && (kind != .movable || mobility == .movable || mobility == .contiguous)
  }
}
