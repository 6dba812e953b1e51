public import MemoryUnits

/// How much memory each part of a server's life holds once it runs; who lives how long is the server workload's (Docs/Workloads.md).
public struct WorkloadMix: Hashable, Sendable {
  /// File cache; nil for all that others leave.
  public var files: ByteCount?
  /// Anonymous memory that stays, and that of jobs that come and go.
  public var services = ByteCount.zero
  public var jobs = ByteCount.zero
  /// Page tables, of services and of jobs each.
  public var tables = ByteCount.zero
  /// At which files are read, in bytes a second.
  var filesRate = ByteCount.zero
  /// File names and inodes that a start reads and few of which are needed later, those that are in use for good, and those that come
  /// and go.
  var firstInodes = ByteCount.zero
  public var inodesInUse = ByteCount.zero
  public var inodes = ByteCount.zero
  public var objects = ByteCount.zero
  public var buffers = ByteCount.zero
  /// What the kernel took at its start, for good.
  public var other = ByteCount.zero
  /// Where it is asked for first.
  public var node = NodeID(0)

  public init() {}

  /// A server's, of a machine's memory.
  init(server workload: WorkloadSpec, _ share: (UInt64) -> ByteCount) {
    filesRate = ByteCount(rawValue: share(4).rawValue / 60)
    services = share(2000)
    jobs = share(1000)
    tables = share(60)
    firstInodes = share(4200)
    inodesInUse = share(120)
    inodes = share(100)
    objects = share(90)
    buffers = share(40)
    node = workload.node
  }

  /// What a host holds, in the parts that a server's life has: two thirds of its anonymous memory stay, and six of eleven parts of its
  /// inodes. Its start reads 19 times as many of these, though no more than `memory` has room for.
  public init(
    files: ByteCount, anonymous: ByteCount, tables: ByteCount, inodes: ByteCount, objects: ByteCount, other: ByteCount,
    memory: ByteCount, node: NodeID
  ) {
    self.files = files
    filesRate = ByteCount(rawValue: max(files.rawValue * 2 / Self.filesMean.rawValue, 1))
    jobs = ByteCount(rawValue: anonymous.rawValue / 3)
    services = anonymous - jobs
    self.tables = tables
    inodesInUse = ByteCount(rawValue: inodes.rawValue / 11 * 6)
    self.inodes = inodes - inodesInUse
    firstInodes = min(ByteCount(rawValue: inodes.rawValue * 19), ByteCount(rawValue: memory.rawValue / 10_000 * 4200))
    self.objects = objects
    self.other = other
    self.node = node
  }

  /// A part of a host's, for one of its nodes.
  public func share(_ part: UInt64, of whole: UInt64, memory: ByteCount, on node: NodeID) -> WorkloadMix {
    func cut(_ size: ByteCount) -> ByteCount {
      let (high, low) = size.rawValue.multipliedFullWidth(by: part)
      return ByteCount(rawValue: whole.dividingFullWidth((high, low)).quotient)
    }
    return WorkloadMix(
      files: cut(files ?? memory), anonymous: cut(services + jobs), tables: cut(tables), inodes: cut(inodesInUse + inodes),
      objects: cut(objects),
      other: cut(other), memory: cut(memory), node: node)
  }

  /// How long file cache lives where it does not wait to be dropped: as long as it takes a server to read its memory once.
  var filesLifetime: Lifetime { files == nil ? .forever : .exponential(mean: Self.filesMean) }
  static let filesMean = Seconds(150_000)

  /// Page tables in 4096ths of the memory that they map.
  var tableShare: UInt64 {
    let mapped = services + jobs
    guard mapped > .zero, files != nil else { return 10 }
    // Each of the two parts has tables up to the limit; together they are what the host has.
    return min(max((tables.rawValue << 12) / mapped.rawValue, 1), 4096)
  }
}
