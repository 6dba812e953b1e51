public import FrameMap
public import MemoryUnits

/// Who allocates while time passes: a client by its figures, or a whole workload by name.
public struct ClientSpec: Hashable, Sendable {
  public var name: String
  public var kind: Kind
  public var place: TextPlace

  public init(name: String, kind: Kind, place: TextPlace = TextPlace(line: 1, column: 1)) {
    self.name = name
    self.kind = kind
    self.place = place
  }

  public enum Kind: Hashable, Sendable {
    case figures(ClientFigures)
    case workload(WorkloadSpec)
    /// A server's life with a host's amounts; no file has it.
    case mix(WorkloadMix)
  }
}

/// A client by its figures.
public struct ClientFigures: Hashable, Sendable {
  public var mobility = FrameMobility.movable
  /// Folio sizes with their weights, by number of folios.
  public var sizes: [WeightedSize]
  /// Bytes a second; zero for one that only `allocate` steps feed.
  public var rate = ByteCount.zero
  /// It allocates nothing beyond; nil for no limit but the machine's memory.
  public var limit: ByteCount?
  public var lifetime = Lifetime.forever
  /// Whether its content can be dropped when memory is short, oldest first: clean file cache.
  public var isCache = false
  /// Whether it holds its folios by pins, so that even movable ones cannot move.
  public var isPinned = false
  public var node = NodeID(0)
  public var isNodeFixed = false

  public init(sizes: [WeightedSize]) { self.sizes = sizes }
}

public struct WeightedSize: Hashable, Sendable {
  public var size: PageSize
  public var weight: UInt32

  public init(_ size: PageSize, weight: UInt32) {
    self.size = size
    self.weight = weight
  }
}

/// How long a folio lives from its allocation.
public enum Lifetime: Hashable, Sendable {
  /// Until it is freed by a step, its client stops, or, of a cache, until it is dropped.
  case forever
  case fixed(Seconds)
  case uniform(Seconds, Seconds)
  case exponential(mean: Seconds)
  /// Most die young and some live long: `least` at least, and beyond with this exponent, in hundredths, up to `most`.
  case pareto(least: Seconds, hundredths: UInt32, most: Seconds)
}

/// A named workload: a set of clients whose figures are calibrated (Docs/Workloads.md).
public struct WorkloadSpec: Hashable, Sendable {
  public enum Kind: String, CaseIterable, Hashable, Sendable {
    /// A server from its start on: file cache, slab, page tables, and processes that come and go.
    case server
    /// Buffers of network queues: unmovable, most of them short-lived.
    case network
    /// Files read through once, in large folios, forever.
    case streaming
    /// Processes forked in storms, that die again.
    case forks
    /// Virtual machines that start and stop, in large pages where these can be had.
    case guests
    /// Memory that devices were given, for long.
    case pins
    /// A build of a large program, from start to end, with bursts of requests for huge pages beside it.
    case build
  }

  public var kind: Kind
  /// Of the calibrated load, in percent.
  public var load = Percent(100)
  /// Guests' and pins' amount; nil for the workload's own share of the machine's memory.
  public var amount: ByteCount?
  /// Guests' page size; nil for the largest below the gigantic ones.
  public var pageSize: PageSize?
  public var node = NodeID(0)

  public init(_ kind: Kind) { self.kind = kind }
}
