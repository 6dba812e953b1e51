import FrameAllocator
import FrameMap
import MemoryUnits

/// A client at work: its figures, what it holds, and how far it is.
final class Client {
  let name: String
  let flow: Flow
  let number: UInt32
  // Of the flow, which is too large to be looked into at each folio.
  let request: FrameRequest
  let lifetime: Lifetime
  let isPinned: Bool
  let isCache: Bool
  let isLight: Bool
  var mobility: FrameMobility { request.mobility }
  let slots = FolioSlots()
  var random: LabRandom
  var isRunning = false
  /// Bytes that it was to have allocated by now, beyond what it did.
  var owed: UInt64 = 0
  /// Ticks since it was started.
  var age: UInt64 = 0
  private let picks: [(limit: UInt64, order: Order)]
  private let weights: UInt64
  /// The orders that it can do with, largest first.
  let orders: [Order]

  init(_ name: String, _ flow: Flow, number: UInt32, seed: UInt64, shift: PageShift) {
    self.name = name
    self.flow = flow
    self.number = number
    request = FrameRequest(flow.figures.mobility, node: flow.figures.node, isNodeFixed: flow.figures.isNodeFixed)
    lifetime = flow.figures.lifetime
    isPinned = flow.figures.isPinned
    isCache = flow.figures.isCache
    isLight = flow.isLight
    random = LabRandom(seed: seed, stream: UInt64(number) + 1)
    var sum: UInt64 = 0
    picks = flow.figures.sizes.map { size in
      sum += UInt64(size.weight)
      return (sum, size.size.order(baseShift: shift))
    }
    weights = sum
    orders = picks.map { $0.order }.sorted(by: >)
  }

  /// The order of the next folio.
  func pickOrder() -> Order {
    guard picks.count > 1 else { return picks[0].order }
    let drawn = random.below(weights)
    for pick in picks where drawn < pick.limit { return pick.order }
    return picks[picks.count - 1].order
  }
}

/// What a client asks for as time passes.
struct Flow {
  var figures: ClientFigures
  /// Bytes a second for a while after its start, in place of the ordinary rate.
  var fill: (rate: ByteCount, time: Seconds)?
  /// Whether a request for a large folio that cannot be served at once is put off to smaller ones, without compaction.
  var isLight = false
  /// Whose memory this one follows, in 4096ths of it, in place of a rate: page tables.
  var follows: (name: String, share: UInt64)?
  /// What a map shows of it; nil for what follows from its mobility.
  var kind: RunTrace.Owner.Kind?

  init(_ figures: ClientFigures) { self.figures = figures }
}

extension Client {
  /// What a map shows of it.
  var kind: RunTrace.Owner.Kind {
    if let kind = flow.kind { return kind }
    if isPinned { return .pinned }
    switch mobility {
    case .unmovable: return .unmovable
    case .reclaimable: return .reclaimable
    case .movable, .contiguous: return isCache ? .cache : .movable
    }
  }
}
