public import MemoryUnits

/// How far nodes are from each other.
///
/// Linux: `node_distance`.
public struct NodeDistances: Hashable, Sendable {
  /// A pair of nodes that are not as far from each other as any two.
  public struct Entry: Hashable, Sendable {
    public let from: NodeID
    public let to: NodeID
    /// 10 is here; 20 what is assumed of others.
    public let distance: UInt8

    public init(from: NodeID, to: NodeID, distance: UInt8) {
      self.from = from
      self.to = to
      self.distance = distance
    }
  }

  public let entries: [Entry]

  /// - Parameter entries: pairs that are not named are 10 from a node to itself, 20 from others.
  public init(_ entries: [Entry] = []) { self.entries = entries }

  public func distance(from: NodeID, to: NodeID) -> UInt8 {
    for entry in entries where entry.from == from && entry.to == to { return entry.distance }
    return from == to ? 10 : 20
  }

  /// `nodes` in the order in which requests of `node` try them: itself, then the nearest; of several, the next by number, and
  /// after the last the first.
  ///
  /// Linux: `find_next_best_node`; there nodes that are many others' second choice, and those without processors, move back
  /// and forth.
  public func order(for node: NodeID, of nodes: [NodeID]) -> [NodeID] {
    nodes.sorted { left, right in
      if (left == node) != (right == node) { return left == node }
      let (near, far) = (distance(from: node, to: left), distance(from: node, to: right))
      if near != far { return near < far }
      if (left > node) != (right > node) { return left > node }
      return left < right
    }
  }
}
