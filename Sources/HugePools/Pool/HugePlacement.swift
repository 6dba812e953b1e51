public import MemoryUnits

/// Where a user wants a page.
///
/// Linux: the memory policy of a mapping, `huge_node`.
public enum HugePlacement: Hashable, Sendable {
  /// The node of the processor that asks, then the nearest.
  case local(NodeID)
  /// That node, then the nearest to it.
  case preferred(NodeID)
  /// Only these nodes, in this order. Reservations know no nodes, so that a page that was reserved may not be had here.
  case bind([NodeID])
  /// Pages of a file by turns: the page at `index` on the node whose turn it is, then the nearest to that. Traps without nodes.
  case interleave([NodeID], index: PageIndex)

  /// The node to try first.
  var first: NodeID {
    switch self {
    case .local(let node), .preferred(let node): return node
    case .bind(let nodes):
      guard let node = nodes.first else { preconditionFailure("a page is bound to no node") }
      return node
    case .interleave(let nodes, let index):
      precondition(!nodes.isEmpty, "pages are interleaved over no nodes")
      return nodes[Int(index.rawValue % UInt64(nodes.count))]
    }
  }

  /// The only nodes that will do; nil for all.
  var only: [NodeID]? { if case .bind(let nodes) = self { nodes } else { nil } }
}
