import MemoryUnits

/// An amount of nodes.
@frozen public struct NodeCount: Amount {
  public let rawValue: UInt64
  @inlinable public init(rawValue: UInt64) { self.rawValue = rawValue }
  public var description: String { String(rawValue) }
}

/// An amount of huge pages of one size.
@frozen public struct HugePageCount: Amount {
  public let rawValue: UInt64
  @inlinable public init(rawValue: UInt64) { self.rawValue = rawValue }
  public var description: String { String(rawValue) }
}

/// A change of the firmware map that the command line asks for. They apply in the order given.
public enum MapDirective: Hashable, Sendable {
  /// No memory at `limit` and above. Linux: `mem=nn`, `memmap=nn`.
  case limit(PhysicalAddress)
  /// Forget what the firmware said. Linux: `memmap=exactmap`.
  case exact
  /// One more entry. Linux: `memmap=nn@ss`, `nn#ss`, `nn$ss`, `nn!ss`, `nn%ss+type`.
  case add(PhysicalRange, MemoryKind)
  /// What is of the old kind becomes the new one. Linux: `memmap=nn%ss-old+new`.
  case convert(PhysicalRange, from: MemoryKind, to: MemoryKind)
  /// What is of the kind, or everything, leaves the map. Linux: `memmap=nn%ss-old`, `memmap=nn%ss`.
  case remove(PhysicalRange, MemoryKind?)
}

/// How many huge pages of a size to set aside at boot.
///
/// Linux: `hugepagesz=`, `hugepages=`.
public struct HugePageRequest: Hashable, Sendable {
  /// Nil stands for the default size.
  public let size: PageSize?
  public let amount: HugePageAmount

  public init(size: PageSize?, amount: HugePageAmount) {
    self.size = size
    self.amount = amount
  }
}

/// A number of huge pages, for the machine or node by node.
public enum HugePageAmount: Hashable, Sendable {
  case total(HugePageCount)
  case perNode([NodeHugePages])

  /// All nodes together.
  public var count: HugePageCount {
    switch self {
    case .total(let count): count
    case .perNode(let shares):
      HugePageCount(shares.reduce(UInt64(0)) { $0.addingReportingOverflow($1.count.rawValue).partialValue })
    }
  }
}

/// A node's share of huge pages.
public struct NodeHugePages: Hashable, Sendable {
  public let node: NodeID
  public let count: HugePageCount

  public init(node: NodeID, count: HugePageCount) {
    self.node = node
    self.count = count
  }
}

/// Memory for the contiguous areas that gigantic pages come from.
///
/// Linux: `hugetlb_cma=`.
public enum HugePageArea: Hashable, Sendable {
  case total(ByteCount)
  case perNode([NodeBytes])
}

/// A node's share of bytes.
public struct NodeBytes: Hashable, Sendable {
  public let node: NodeID
  public let size: ByteCount

  public init(node: NodeID, size: ByteCount) {
    self.node = node
    self.size = size
  }
}

/// The default contiguous area.
///
/// Linux: `cma=nn[@start[-end]]`.
public struct ContiguousAreaRequest: Hashable, Sendable {
  public let size: ByteCount
  /// Where it must start, or where to look from when there is an `end`; nil for anywhere.
  public let start: PhysicalAddress?
  /// It must lie below; nil where `start` alone decides.
  public let end: PhysicalAddress?

  public init(size: ByteCount, start: PhysicalAddress? = nil, end: PhysicalAddress? = nil) {
    self.size = size
    self.start = start
    self.end = end
  }
}

/// A share of memory for the kernel, or for movable pages.
///
/// Linux: `kernelcore=`, `movablecore=`.
public enum CoreAmount: Hashable, Sendable {
  case size(ByteCount)
  /// Of all memory.
  case percent(Percent)
  /// Mirrored memory is the kernel's, the rest is movable. Only for `kernelcore=`.
  case mirror
}

/// What the command line says about nodes.
///
/// Linux: `numa=`.
public enum NodeOption: Hashable, Sendable {
  /// One node, whatever the firmware says.
  case off
  /// The firmware's table is not read. Linux: `numa=noacpi`.
  case ignoresFirmware
  case emulated(NodeEmulation)
}

/// Nodes made up for tests.
///
/// Linux: `numa=fake=`.
public enum NodeEmulation: Hashable, Sendable {
  /// So many nodes over the machine. Linux: `numa=fake=4`.
  case count(NodeCount)
  /// As many nodes of that size as there is memory for. Linux: `numa=fake=512M`.
  case size(ByteCount)
  /// Each node of the machine in so many parts. Linux: `numa=fake=2U`.
  case perNode(NodeCount)
}

/// Whether hot-added memory may hold its own memmap.
///
/// Linux: `memory_hotplug.memmap_on_memory=`.
public enum SelfHosting: Hashable, Sendable {
  case off
  case on
  /// Even where frames are lost to alignment.
  case forced
}

/// What happens to hot-added memory.
///
/// Linux: `memhp_default_state=`.
public enum OnlinePolicy: Hashable, Sendable {
  case offline
  case online
  case onlineKernel
  case onlineMovable
}

/// When anonymous memory gets huge pages without being asked.
///
/// Linux: `transparent_hugepage=`.
public enum TransparentHugePages: Hashable, Sendable {
  case always
  case onAdvice
  case never
}

/// A memory key that the kernel would complain about; it has no effect, unless said otherwise.
public struct CommandLineProblem: Error, Hashable, Sendable {
  /// The parameter as it stands on the command line.
  public let text: [UInt8]
  public let reason: Reason

  public enum Reason: Hashable, Sendable {
    /// The key needs a value.
    case noValue
    /// A number is missing where one must be.
    case noNumber
    /// A number or the end of a range needs more than 64 bits.
    case tooLarge
    /// Something follows that means nothing; what stands before it has its effect.
    case trailingText
    /// None of the words that the key knows.
    case unknownWord
    /// The size is not a power of two.
    case notAPageSize
    /// `hugepages=` without a valid `hugepagesz=` directly before it, or a second time.
    case withoutSize
    /// The key counts once, and this is not the first time.
    case repeated
    /// A percentage above 100.
    case percentAbove100
  }
}
