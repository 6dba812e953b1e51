public import Hotplug
public import MemoryUnits

/// One step of a scenario, and where it is written.
public struct Step: Hashable, Sendable {
  public var action: Action
  public var place: TextPlace
  /// For a reader, shown with the step's outcome.
  public var note: String?
  /// Whether it is told to show that it cannot be done: it ends in failure where all of it comes true.
  public var mustFail = false

  public init(_ action: Action, place: TextPlace = TextPlace(line: 1, column: 1), note: String? = nil) {
    self.action = action
    self.place = place
    self.note = note
  }

  public indirect enum Action: Hashable, Sendable {
    /// Clients begin to allocate as time passes.
    case start([String])
    /// Clients end; what they hold is freed, or, where `keeps`, lives out its life.
    case stop([String], keeps: Bool)
    /// Time passes.
    case run(Seconds)
    case allocate(AllocateStep)
    /// Frees a share of what a client holds.
    case free(client: String, share: Percent, pick: Pick)
    case pool(PoolStep)
    /// Brings together what is free: a zone's whole length, or until a page of the size is free.
    case compact(PageSize?)
    /// Drops file cache: so much of it, or all.
    case drop(ByteCount?)
    case hotplug(HotplugStep)
    case space(SpaceStep)
    case expect(Expectation)
    /// A row of counters and a map, under a name.
    case snapshot(String)
    case repeated(times: UInt32, [Step])
  }

  public enum Pick: String, CaseIterable, Hashable, Sendable {
    case oldest, newest, random
  }

  public struct AllocateStep: Hashable, Sendable {
    public var client: String
    public var amount: ByteCount
    /// Nil for the client's own sizes.
    public var size: PageSize?
    /// By a search for contiguous ranges, and not from the lists of free memory.
    public var isContiguous = false
    /// Whether the run ends in failure where not all could be had; else it is counted, and goes on.
    public var isRequired = false

    public init(client: String, amount: ByteCount) {
      self.client = client
      self.amount = amount
    }
  }

  public struct PoolStep: Hashable, Sendable {
    public var size: PageSize
    public var pages: PageCount
    /// Nil for all nodes together.
    public var node: NodeID?

    public init(size: PageSize, pages: PageCount) {
      self.size = size
      self.pages = pages
    }
  }

  public enum HotplugStep: Hashable, Sendable {
    /// Adds memory behind the end of what is there, and puts it online.
    case add(ByteCount, node: NodeID, memmap: MemmapPlace, online: OnlineZone?)
    /// What an `add` brought, by its number from 0 on.
    case online(UInt32, OnlineZone)
    case offline(UInt32)
    case remove(UInt32)
  }

  /// What a process does with its memory. A space comes into being when it is first named.
  public struct SpaceStep: Hashable, Sendable {
    public enum Operation: Hashable, Sendable {
      /// Maps so much and touches all of it. Transparent sizes are used where `transparent` says so; `page` is a huge pool's size.
      case map(ByteCount, transparent: Bool, page: PageSize?)
      /// A copy of the space under another name.
      case fork(to: String)
      /// Writes to a share of the space's pages.
      case write(Percent)
      /// Pins a share of the space's pages; long-term pins leave movable zones first. Nil for calls of one base page.
      case pin(Percent, isLongTerm: Bool, call: PageSize?)
      case unpin
      /// Unmaps a share, from the end.
      case unmap(Percent)
      /// Makes pages of the size of smaller ones.
      case collapse(PageSize)
      /// Splits pages down to the base size.
      case split
      case exit
    }

    public var space: String
    public var operation: Operation

    public init(space: String, _ operation: Operation) {
      self.space = space
      self.operation = operation
    }
  }
}

/// Something that must hold when its step is reached. The run goes on, and ends in failure.
public struct Expectation: Hashable, Sendable {
  public enum Comparison: String, CaseIterable, Hashable, Sendable {
    case less = "<"
    case atMost = "<="
    case equal = "=="
    case atLeast = ">="
    case more = ">"
  }

  /// One of ``RunCounter``'s names, for some with a page size: `obtainable.1G`.
  public var counter: String
  public var comparison: Comparison
  /// In the counter's unit: bytes, pages, or hundredths of a percent.
  public var value: UInt64

  public init(_ counter: String, _ comparison: Comparison, _ value: UInt64) {
    self.counter = counter
    self.comparison = comparison
    self.value = value
  }
}
