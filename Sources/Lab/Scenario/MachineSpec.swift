public import FrameMap
public import MemoryUnits
public import PhysicalLayout

/// The machine of a scenario.
public struct MachineSpec: Hashable, Sendable {
  public enum Source: Hashable, Sendable {
    /// This much memory on each node, from node 0 on, laid out as the architecture's machines have it.
    case memory([ByteCount])
    /// The lines that firmware gives, as a kernel prints them (`BIOS-e820: ...`), or the tree of `/proc/iomem`.
    case firmware(String)
    /// A capture or a root of a live Linux host, by path: with its memory as it was in use.
    case capture(String)
  }

  /// Holes punched into the memory at random, from the scenario's seed.
  public struct Holes: Hashable, Sendable {
    public var count: UInt32
    public var size: ByteCount
    public var alignment: ByteCount
    public var kind: HoleKind = .reserved

    public init(count: UInt32, size: ByteCount, alignment: ByteCount) {
      self.count = count
      self.size = size
      self.alignment = alignment
    }
  }

  /// Memory that may be added later.
  public struct Room: Hashable, Sendable {
    /// How much beyond the end of what the machine boots with.
    public var size: ByteCount
    public var blockSize: ByteCount?

    public init(size: ByteCount) { self.size = size }
  }

  public var source = Source.memory([ByteCount(rawValue: 16 << 30)])
  public var architecture = Architecture.x86_64
  public var commandLine = KernelCommandLine()
  public var model = MemoryModel.vmemmap
  public var holes: Holes?
  public var room: Room?
  public var policy = PolicySpec()
  public var processors: UInt32 = 1
  /// What the kernel's image and its first data take, beside the descriptors.
  public var kernel = ByteCount(rawValue: 64 << 20)

  public init() {}
}

/// What a scenario says of a machine's policies; nil and defaults are the architecture's.
public struct PolicySpec: Hashable, Sendable {
  public enum Top: Hashable, Sendable {
    case order(Order)
    case unlimited
  }

  public enum Fallback: String, CaseIterable, Hashable, Sendable {
    /// A request without room among its own kind takes from other kinds' pageblocks.
    case steal
    /// It never does: it compacts, drops file cache, or fails.
    case never
  }

  public enum Memmap: String, CaseIterable, Hashable, Sendable {
    /// The machine's own frames are taken for descriptors.
    case accounted
    case elsewhere
  }

  public enum Pages: String, CaseIterable, Hashable, Sendable {
    /// Pages of huge pools in a contiguous range move.
    case migrate
    /// A range with such a page is passed over.
    case refuse
  }

  public var maxOrder: Top?
  public var pageblockOrder: Order?
  /// Unmovable requests keep together in groups of this size.
  public var group: PageSize?
  public var fallback = Fallback.steal
  public var memmap = Memmap.accounted
  /// What a search for a contiguous range does with pages of huge pools in it.
  public var hugePagesInRange = Pages.migrate
  public var searchesMovableZones = true
  public var isolationOrder: Order?
  public var minimumFree: ByteCount?
  /// Largest folio that a file's pages are read in.
  public var largestCacheFolio: PageSize?

  public init() {}
}
