import MemoryUnits

/// Finds where each node's movable zone starts, from the share of memory that the kernel is to keep.
///
/// The kernel's share is spread evenly over nodes. Memory below the highest zone can only be the kernel's and counts
/// first; what a node cannot give, the others make up for in further rounds.
///
/// Linux: `find_zone_movable_pfns_for_nodes`.
struct MovableShare {
  /// In the order of the nodes; nil where the node has no movable memory.
  private(set) var starts: [FrameNumber?]

  private let floor: FrameNumber
  /// What the kernel still has to get.
  private var wanted: FrameCount = .zero

  init(
    _ nodes: [ZonePlan.Node], from floor: FrameNumber, _ commandLine: KernelCommandLine, _ shift: PageShift,
    _ maxOrder: Order
  ) {
    starts = Array(repeating: nil, count: nodes.count)
    self.floor = floor
    let total = nodes.reduce(FrameCount.zero) { $1.memory.reduce($0) { $0 + $1.count } }
    guard let share = MovableShare.kernelShare(of: total, commandLine, shift, maxOrder) else { return }
    wanted = share
    var divisor = UInt64(nodes.count)
    repeat {
      spread(over: nodes, divisor)
      divisor -= 1
    } while divisor > 0 && wanted.rawValue > divisor
  }

  /// Frames for the kernel; nil where all of them are.
  private static func kernelShare(
    of total: FrameCount, _ commandLine: KernelCommandLine, _ shift: PageShift, _ maxOrder: Order
  ) -> FrameCount? {
    // Nothing in a firmware map says which memory is mirrored, so that there is none.
    if commandLine.kernelCore == .mirror { return nil }
    var kernel = commandLine.kernelCore.map { frames($0, total, shift) } ?? .zero
    if let movable = commandLine.movableCore.map({ frames($0, total, shift) }), movable > .zero {
      let capped = movable >= total ? total : min(total, movable.aligned(to: maxOrder.frames, .up))
      kernel = max(kernel, total - capped)
    }
    return kernel > .zero && kernel < total ? kernel : nil
  }

  private static func frames(_ amount: CoreAmount, _ total: FrameCount, _ shift: PageShift) -> FrameCount {
    switch amount {
    case .size(let size): FrameCount(size, shift, rounded: .down)
    case .percent(let percent): percent.of(total)
    case .mirror: .zero
    }
  }

  /// One round: each node gives its part, beyond what it gave before.
  private mutating func spread(over nodes: [ZonePlan.Node], _ divisor: UInt64) {
    var part = FrameCount(wanted.rawValue / divisor)
    for index in nodes.indices {
      if wanted < part { part = FrameCount(wanted.rawValue / divisor) }
      var left = part
      for range in nodes[index].memory {
        let start = max(range.start, starts[index] ?? .zero)
        guard start < range.end else { continue }
        let below = FrameRange(start: start, end: max(start, min(range.end, floor))).count
        left = left.saturatingSubtracting(below)
        wanted = wanted.saturatingSubtracting(below)
        guard floor < range.end else {
          starts[index] = range.end
          continue
        }
        let usable = max(start, floor)
        let given = min(range.end - usable, left)
        starts[index] = usable + given
        wanted = wanted.saturatingSubtracting(given)
        left -= given
        if left == .zero { break }
      }
    }
  }
}
