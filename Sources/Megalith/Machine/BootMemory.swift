import FrameMap
import MemoryUnits
import PhysicalLayout

/// The memory that a boot takes before there are zones.
public struct BootMemory: Hashable, Sendable {
  /// Named by the machine's maker, and by the layout; whole frames, lowest first, memory or not.
  public let reserved: [FrameRange]
  /// Where the machine's own descriptors lie, if it has contents to hold them; else where those of the architecture's kernel would,
  /// or nothing, as the policy says.
  public let memmap: [FrameRange]
  /// What `hugepages=` obtained, without pages that would lie in two zones.
  public let hugePages: [BootPages]

  private let taken: RegionSet
  private let shift: PageShift

  init(
    _ layout: BootLayout, _ model: MemoryModel, _ policy: MachinePolicy, _ commandLine: KernelCommandLine,
    reserved: [FrameRange], memmap own: [FrameRange]
  ) throws(MachineError) {
    shift = layout.architecture.baseShift
    var regions = layout.regions
    for range in reserved { regions.reserve(PhysicalRange(range, shift)) }
    let before = regions.reserved.map { FrameRange($0.range, layout.architecture.baseShift, rounded: .up) }
    self.reserved = before
    for range in own { regions.reserve(PhysicalRange(range, shift)) }
    switch policy.memmap {
    case .accounted: memmap = own.isEmpty ? try BootMemory.placeMemmap(layout, model, &regions) : own
    case .elsewhere: memmap = own
    }
    taken = regions
    hugePages = layout.bootPages(commandLine, reserved: before + memmap).compactMap { pages in
      let order = pages.size.order(baseShift: layout.architecture.baseShift)
      let whole = pages.frames.filter { BootMemory.isInOneZone(FrameRange(blockAt: $0, order: order), of: pages.node, layout) }
      return whole.isEmpty ? nil : BootPages(size: pages.size, node: pages.node, frames: whole)
    }
  }

  /// A folio belongs to one zone, so that a page of two is left to the allocator. Linux: `hugetlb_bootmem_page_zones_valid`.
  private static func isInOneZone(_ page: FrameRange, of node: NodeID, _ layout: BootLayout) -> Bool {
    layout.zones.contains { $0.node == node && $0.span.contains(page) }
  }

  /// Sets each node's descriptors aside, at the top of its memory where there is room, else on another node.
  ///
  /// Linux: `sparse_init`, `vmemmap_alloc_block`.
  private static func placeMemmap(
    _ layout: BootLayout, _ model: MemoryModel, _ regions: inout RegionSet
  ) throws(MachineError) -> [FrameRange] {
    let architecture = layout.architecture
    let page = architecture.baseShift.bytes
    var placed: [FrameRange] = []
    for share in try memmapShares(layout, model) {
      var left = share.bytes.aligned(to: page, .up)
      var piece = left
      while left > .zero {
        piece = min(piece, left)
        let place =
          (try? regions.allocate(piece, alignment: page, from: .topDown, on: share.node))
          ?? (try? regions.allocate(piece, alignment: page, from: .topDown))
        if let place {
          placed.append(FrameRange(place, architecture.baseShift, rounded: .down))
          left -= piece
        } else if piece == page {
          throw .noRoomForMemmap(wanted: share.bytes, missing: left)
        } else {
          piece = ByteCount(piece.rawValue / 2).aligned(to: page, .up)
        }
      }
    }
    return placed.sorted { $0.start < $1.start }
  }

  /// The bytes of descriptors by node. A section of two nodes counts for the first.
  private static func memmapShares(
    _ layout: BootLayout, _ model: MemoryModel
  ) throws(MachineError) -> [(node: NodeID, bytes: ByteCount)] {
    do {
      let size = layout.architecture.descriptorSize
      var left = MemmapAccount(try FrameMapLayout(layout), model: model, descriptorSize: size).memmapBytes
      var shares: [(node: NodeID, bytes: ByteCount)] = []
      for node in layout.nodes {
        let own = try FrameMapLayout(layout.architecture, nodes: [NodeMemory(node.node, node.memory)])
        let bytes = min(left, MemmapAccount(own, model: model, descriptorSize: size).memmapBytes)
        shares.append((node.node, bytes))
        left -= bytes
      }
      // Holes between nodes, where the model describes these too.
      shares[0].bytes += left
      return shares
    } catch {
      throw .map(error)
    }
  }

  /// The parts of `range` that the zones get, huge pages among them.
  func free(in range: FrameRange) -> [FrameRange] {
    taken.freeRanges(in: PhysicalRange(range, shift)).map { FrameRange($0, shift, rounded: .down) }.filter { !$0.isEmpty }
  }
}
