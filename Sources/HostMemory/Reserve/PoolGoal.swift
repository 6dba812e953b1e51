public import MemoryUnits
public import PhysicalLayout

/// What one pool, or all pools of a size, are to become.
public struct PoolGoal: Hashable, Sendable {
  public let size: PageSize
  /// Nil where the pages may lie on any node.
  public let node: NodeID?
  /// Pages before, surplus ones not counted.
  public let before: HugePageCount
  public let target: HugePageCount

  /// What is asked for beyond what there was.
  public var asked: HugePageCount { target.saturatingSubtracting(before) }
}

/// The pools of a host that a reservation deals with.
struct PoolPlaces {
  /// By size; each node's pool, or the host's where the kernel has no nodes.
  let bySize: [PageSize: [HugePoolFiles]]

  init(_ pools: [HugePool]) {
    var bySize: [PageSize: [HugePoolFiles]] = [:]
    for pool in pools where pool.node != nil { bySize[pool.size, default: []].append(pool.files) }
    for pool in pools where pool.node == nil && bySize[pool.size] == nil { bySize[pool.size] = [pool.files] }
    self.bySize = bySize
  }

  var sizes: [PageSize] { bySize.keys.sorted() }
  var nodes: [NodeID] { Set(bySize.values.joined().compactMap(\.node)).sorted() }
  var all: [HugePoolFiles] { sizes.flatMap { bySize[$0] ?? [] } }

  func places(of size: PageSize, on node: NodeID?) -> [HugePoolFiles] {
    (bySize[size] ?? []).filter { node == nil || $0.node == node || $0.node == nil }
  }
}

extension PoolGoal {
  /// Turns requests into goals, larger pages first: small ones would take their room.
  ///
  /// - Parameter before: pages of each pool now, surplus ones not counted.
  static func resolve(
    _ requests: [PoolRequest], isEven: Bool, places: PoolPlaces, before: [HugePoolFiles: HugePageCount]
  ) throws(PoolRequestError) -> [PoolGoal] {
    var goals: [PoolGoal] = []
    for request in requests {
      let pools = places.places(of: request.size, on: nil)
      if pools.isEmpty { throw .unknownSize(request.size, known: places.sizes) }
      if let node = request.node, !pools.contains(where: { $0.node == node }) {
        throw .unknownNode(node, known: places.nodes)
      }
      let isTwice = requests.filter {
        $0.size == request.size && (request.node == nil || $0.node == nil || $0.node == request.node)
      }
      if isTwice.count > 1 { throw .ambiguous(request.size) }
      let chosen = places.places(of: request.size, on: request.node)
      if request.node == nil, isEven, chosen.count > 1 {
        goals += spread(request, over: chosen, before)
      } else {
        let held = chosen.reduce(HugePageCount.zero) { $0 + (before[$1] ?? .zero) }
        goals.append(PoolGoal(size: request.size, node: request.node, before: held, target: request.amount.target(from: held)))
      }
    }
    return goals.sorted { ($1.size, $0.node?.rawValue ?? 0) < ($0.size, $1.node?.rawValue ?? 0) }
  }

  /// Nodes differ by one page at most, the first ones have more.
  private static func spread(
    _ request: PoolRequest, over pools: [HugePoolFiles], _ before: [HugePoolFiles: HugePageCount]
  ) -> [PoolGoal] {
    let total =
      switch request.amount {
      case .total(let count), .more(let count): count.rawValue
      }
    let share = total / UInt64(pools.count)
    let rest = total % UInt64(pools.count)
    return pools.enumerated().map { index, pool in
      let count = HugePageCount(share + (UInt64(index) < rest ? 1 : 0))
      let held = before[pool] ?? .zero
      let amount: PoolRequest.Amount =
        switch request.amount {
        case .total: .total(count)
        case .more: .more(count)
        }
      return PoolGoal(size: request.size, node: pool.node, before: held, target: amount.target(from: held))
    }
  }
}

extension PoolRequest.Amount {
  /// A pool that has more than was asked for stays as it is.
  fileprivate func target(from held: HugePageCount) -> HugePageCount {
    switch self {
    case .total(let count): max(count, held)
    case .more(let count): held + count
    }
  }
}
