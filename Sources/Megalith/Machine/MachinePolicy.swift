public import AddressSpaces
public import FrameAllocator
public import Hotplug
public import HugePools
public import MemoryUnits

/// What a machine's owner decides about it.
public struct MachinePolicy: Hashable, Sendable {
  /// The highest order that ordinary requests are served.
  public enum TopOrder: Hashable, Sendable {
    /// The architecture's: larger blocks come from contiguous ranges only, as on Linux.
    case architecture
    /// Whatever there is room for.
    case unlimited
    case order(Order)
  }

  /// Whose descriptors the machine accounts for, where its own do not lie in its own frames.
  public enum MemmapPlacement: Hashable, Sendable {
    /// As many frames of the machine are reserved as the architecture's kernel needs for its descriptors.
    case accounted
    /// None: the frames that the descriptors lie in are among those named as reserved, or the memory is lent from outside.
    case elsewhere
  }

  public var topOrder = TopOrder.architecture
  /// Nil for the architecture's pageblocks, without groups, and Linux's fallback.
  public var pageblocks: PageblockPolicy?
  /// What all zones together keep free; nil for the default, which grows with the memory. Linux: `min_free_kbytes`.
  public var minimumFree: ByteCount?
  /// Whether the default keeps whole pageblocks free, as kernels do that hand out huge pages by themselves.
  public var keepsPageblocksFree = true
  /// How far the watermarks lie apart, in 10,000th of a zone. Linux: `watermark_scale_factor`.
  public var watermarkScale: UInt64 = 10
  /// Processors that may be named in calls.
  public var processors: CPUIndexLimit = CPUIndexLimit(1)
  public var distances = NodeDistances()
  /// Nodes whose zones unmovable requests try last. See ``ZoneDescription/prefersMovable``.
  public var nodesForMovable: Set<NodeID> = []
  public var memmap = MemmapPlacement.accounted
  public var hugePools = HugePoolPolicy()
  /// When anonymous memory gets larger pages by itself; nil for what the command line says, or else for who asks.
  public var transparent: TransparentPolicy?
  /// Nil for a machine whose memory stays as it booted.
  public var hotplug: HotplugRoom?
  /// Bits of one more level of page tables than the architecture's usual ones: 9 for five levels on x86_64.
  public var extraTableLevel: UInt8?
  /// Whether the machine recounts itself after each of its own operations: slow, for tests and for chasing a fault.
  public var checksEveryStep = false

  public init() {}
}

/// Room for memory that comes after a machine was made.
///
/// Each node gets a normal and a movable zone that reach to the limit, empty or not. What is set aside for them costs nothing until it is
/// used, but two words for each unit of what comes.
public struct HotplugRoom: Hashable, Sendable {
  /// The first address that no memory will have. Linux: a virtual machine's `maxmem`.
  public var limit: PhysicalAddress
  /// Nodes that may get memory beside those that boot with some.
  public var nodes: Set<NodeID>
  public var policy: HotplugPolicy

  public init(limit: PhysicalAddress, nodes: Set<NodeID> = [], policy: HotplugPolicy = HotplugPolicy()) {
    self.limit = limit
    self.nodes = nodes
    self.policy = policy
  }
}

/// How many processors a machine has: their indices are below it.
public struct CPUIndexLimit: Hashable, Sendable, CustomStringConvertible {
  public let rawValue: UInt32

  /// Traps at zero.
  public init(_ rawValue: UInt32) {
    precondition(rawValue > 0, "a machine needs a processor")
    self.rawValue = rawValue
  }

  public var description: String { String(rawValue) }
}
