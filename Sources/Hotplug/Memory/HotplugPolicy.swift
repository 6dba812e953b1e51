public import MemoryUnits
public import Mobility

/// How much of what is added its own descriptors take in at once, where they lie in it. Kernels differ.
public enum HostingUnit: UInt8, CaseIterable, Hashable, Sendable {
  /// Only where exactly one memory block is added; descriptors of more lie elsewhere. Linux 5.14 to 6.5.
  case oneBlock
  /// Each memory block holds its own. Linux since 6.6.
  case eachBlock
  /// The first frames of the range hold those of all of it, over as many whole blocks as they fill.
  case wholeRange
}

/// What a machine's owner decides about memory that comes and goes.
public struct HotplugPolicy: Hashable, Sendable {
  /// Bytes of a memory block, the unit of online and offline; nil for that of the machine's boot. A multiple of what the memory model
  /// can add, and of a pageblock.
  ///
  /// Linux: `memory_block_size_bytes`.
  public var blockSize: ByteCount?
  public var hostingUnit = HostingUnit.eachBlock
  /// Whether descriptors lie in what is added in the virtual model only; in others they lie elsewhere then. Linux has no other way.
  public var hostsInVirtualModelOnly = false
  /// How often a folio is tried that is busy, at least once, before an offline gives up.
  public var tries = TryCount(5)

  public init() {}
}

/// Where the descriptors of added memory are to lie.
public enum MemmapPlace: UInt8, CaseIterable, Hashable, Sendable {
  /// In the first frames of what is added. Linux: `MHP_MEMMAP_ON_MEMORY`.
  case fromRange
  /// In frames that the machine has already.
  case elsewhere
}

/// Which zone added memory is to go to.
public enum OnlineZone: Hashable, Sendable {
  /// The node's kernel zone whose memory lies around the range, else its normal one. Linux: `online_kernel`.
  case kernel
  /// Linux: `online_movable`.
  case movable
  /// Movable as long as the machine's movable memory, with what comes, is at most such a share of the kernel memory that it booted
  /// with; else kernel. A share may be above 100 %. Linux: `auto-movable`, `memory_hotplug.auto_movable_ratio`.
  case automatic(movable: Percent)
}

/// What is fixed about a machine whose memory comes and goes.
public struct HotplugGeometry: Hashable, Sendable {
  public let baseShift: PageShift
  /// Frames of a memory block.
  public let blockFrames: FrameCount
  /// Bytes of a descriptor, as they are accounted for.
  public let descriptorSize: ByteCount
  /// The largest pieces in which descriptors that lie elsewhere are allocated. Linux: `PMD_SIZE` of a huge vmemmap page.
  public let memmapPiece: Order
  public let isAccessibleBeforeOnline: Bool
  /// Whether descriptors that lie elsewhere are accounted for by frames of the machine.
  public let accountsElsewhere: Bool

  public init(
    baseShift: PageShift, blockFrames: FrameCount, descriptorSize: ByteCount, memmapPiece: Order, isAccessibleBeforeOnline: Bool,
    accountsElsewhere: Bool
  ) {
    self.baseShift = baseShift
    self.blockFrames = blockFrames
    self.descriptorSize = descriptorSize
    self.memmapPiece = memmapPiece
    self.isAccessibleBeforeOnline = isAccessibleBeforeOnline
    self.accountsElsewhere = accountsElsewhere
  }
}
