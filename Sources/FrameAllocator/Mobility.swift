public import FrameMap

extension FrameMobility {
  /// The end of a zone from which such requests are served: what can move lies away from what cannot.
  @inlinable public var placement: Placement {
    switch self {
    case .unmovable, .reclaimable: .lowest
    case .movable, .contiguous: .highest
    }
  }
}
