import MemoryUnits

/// What a processor family and its kernel fix about physical memory.
///
/// A preset describes one common kernel configuration; copy one and change it for another.
public struct Architecture: Hashable, Sendable {
  /// How it is called on the command line: `x86_64`, `arm64-64k`.
  public var name: String

  /// log2 of a base page in bytes. Linux: `PAGE_SHIFT`.
  public var baseShift: PageShift

  /// Bytes of a section of the sparse models. Linux: `SECTION_SIZE_BITS`.
  public var sectionSize: ByteCount

  /// The first address that memory cannot have. Linux: `MAX_PHYSMEM_BITS`.
  public var addressLimit: PhysicalAddress

  /// The largest block the kernel's page allocator keeps. Linux: `MAX_PAGE_ORDER`.
  public var maxOrder: Order

  /// The unit of mobility grouping. Linux: `pageblock_order`.
  public var pageblockOrder: Order

  /// Sizes above the base page that the kernel offers as huge pages, smallest first.
  public var hugeSizes: [PageSize]

  /// Address bits that each level of page tables resolves, lowest level first. Linux: `PTRS_PER_PTE` and its like.
  public var tableBits: [UInt8]

  /// Zones from the lowest, without the movable one. Zones may be empty.
  public var zones: [ZoneLimit]

  /// The granule in which a virtual memmap may be valid, nil where whole sections are. Linux: `SUBSECTION_SIZE`.
  public var subsectionSize: ByteCount?

  /// Bytes of that kernel's descriptor of a frame, for predictions. Linux: `sizeof(struct page)`.
  public var descriptorSize: ByteCount

  /// Whether memory can be touched before it is put online, so that it can hold its own memmap.
  public var isMemoryAccessibleBeforeOnline: Bool

  /// The smallest unit of putting memory online.
  public var smallestMemoryBlock: ByteCount

  /// The largest unit of putting memory online.
  public var largestMemoryBlock: ByteCount

  /// Whether the first frame and 640 KiB to 1 MiB are never memory, whatever the firmware says.
  public var hasLegacyBIOSArea: Bool

  /// Frames of a section.
  public var sectionFrames: FrameCount { FrameCount(sectionSize, baseShift, rounded: .down) }

  /// Frames of a subsection, or of a section where there are none.
  public var validityFrames: FrameCount { FrameCount(subsectionSize ?? sectionSize, baseShift, rounded: .down) }

  /// Whether pages of `size` need more than one block of the largest order.
  public func isGigantic(_ size: PageSize) -> Bool {
    size.shift.rawValue >= baseShift.rawValue && size.order(baseShift: baseShift) > maxOrder
  }
}
