import MemoryUnits
import PhysicalLayout

/// Frees the unused pages of smaller pools: a gigantic page cannot be made where one of them lies.
///
/// Surplus pages go with their last user, and a request for pages of their own size turns them into kept ones first.
struct ShrinkPoolsStep: ReserveStep {
  let kind = ReserveStepKind.shrinkPools

  /// A pool, and the pages that it can give up.
  private struct Shrinking {
    let pool: HugePool
    let unused: HugePageCount
  }

  private func shrinkings(_ situation: ReserveSituation) -> [Shrinking] {
    guard let largest = situation.missingSizes.first else { return [] }
    let wanted = Set(situation.goals.map(\.size))
    let nodes = situation.concernedNodes
    var shrinkings: [Shrinking] = []
    for size in situation.places.sizes where size < largest && !wanted.contains(size) {
      // What the host has promised may be taken on any node.
      var promised = situation.promised(of: size)
      for pool in situation.pools where pool.size == size && nodes.contains(pool.node) {
        let free = min(pool.free, pool.persistent)
        let kept = min(promised, free)
        promised -= kept
        if free > kept { shrinkings.append(Shrinking(pool: pool, unused: free - kept)) }
      }
    }
    return shrinkings
  }

  func plan(_ situation: ReserveSituation) -> ReserveStepPlan {
    var plan = ReserveStepPlan(kind)
    plan.gain = situation.gain(after: .shrinkPool)
    let shrinkings = shrinkings(situation)
    guard !shrinkings.isEmpty else { return plan.idle("smaller pools have no unused pages") }
    var bytes = ByteCount.zero
    for shrinking in shrinkings {
      bytes += shrinking.pool.size.bytes * shrinking.unused.rawValue
      plan.writes.append(
        HostChange(path: shrinking.pool.files.totalPath, value: "\(shrinking.pool.persistent - shrinking.unused)"))
    }
    plan.cost = "\(bytes) of unused smaller huge pages are given up"
    return plan
  }

  func run(_ work: ReserveWork, _ situation: ReserveSituation) throws(StepError) {
    for shrinking in shrinkings(situation) where work.mayWrite(shrinking.pool.files.totalPath) {
      try work.step { () throws(ReserveStop) in
        try work.checkpoint()
        let target = shrinking.pool.persistent - shrinking.unused
        let after = try work.setPool(shrinking.pool.files, to: target, limit: work.timeLeft)
        work.notes.append(
          "the pool of \(shrinking.pool.size) pages\(shrinking.pool.files.place) went from \(shrinking.pool.persistent) to \(after)"
        )
      }
    }
  }
}

extension HugePoolFiles {
  /// Where the pool is, to follow a noun.
  public var place: String { node.map { " on node \($0)" } ?? "" }
}
