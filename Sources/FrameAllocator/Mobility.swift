/// What may be done with an allocated frame later.
///
/// Linux: `enum migratetype`.
@frozen public enum Mobility: UInt8, CaseIterable, Hashable, Sendable {
  /// Stays where it is until it is freed.
  case unmovable
  /// Can be dropped when memory is short.
  case reclaimable
  /// Can be copied elsewhere.
  case movable
  /// Belongs to a contiguous area and is lent to movable requests.
  case contiguous

  /// The end of a zone from which such requests are served: what can move lies away from what cannot.
  @inlinable public var placement: Placement {
    switch self {
    case .unmovable, .reclaimable: .lowest
    case .movable, .contiguous: .highest
    }
  }
}
