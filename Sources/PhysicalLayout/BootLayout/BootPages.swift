import MemoryUnits

/// Gigantic pages that a kernel sets aside while it boots, of one size on one node.
public struct BootPages: Hashable, Sendable {
  public let size: PageSize
  public let node: NodeID
  /// The pages' first frames, ascending.
  public let frames: [FrameNumber]

  public init(size: PageSize, node: NodeID, frames: [FrameNumber]) {
    self.size = size
    self.node = node
    self.frames = frames
  }
}

extension BootLayout {
  /// The pages that `hugepages=` obtains from the boot allocator: those that the page allocator could not make later.
  ///
  /// Each page is the highest free aligned place of its node. A count without nodes goes over the nodes with memory by
  /// turns, and ends when none has a place left; a node's own count never takes from others (kernels before 6.14 fell
  /// back to any node). Where `hugetlb_cma=` is given, gigantic pages come from there, and none are set aside.
  ///
  /// Linux: `hugetlb_hstate_alloc_pages`, `alloc_bootmem_huge_page`.
  ///
  /// - Parameters:
  ///   - commandLine: of the boot; requests are served in its order.
  ///   - reserved: what was reserved before: the kernel, descriptors, the initial file system.
  /// - Returns: by size and node, sizes in the order of the command line, nodes ascending; nothing for a node without any.
  /// - Complexity: O(pages * (regions + reservations)).
  public func bootPages(_ commandLine: KernelCommandLine, reserved: [FrameRange]) -> [BootPages] {
    guard commandLine.hugePageArea == nil else { return [] }
    var regions = regions
    for range in reserved { regions.reserve(PhysicalRange(range, architecture.baseShift)) }
    var taken: [BootPages] = []
    for request in commandLine.hugePages {
      let size = request.size ?? commandLine.defaultHugePageSize ?? architecture.hugeSizes.min()
      guard let size, architecture.hugeSizes.contains(size), architecture.isGigantic(size) else { continue }
      let frames =
        switch request.amount {
        case .total(let count): take(size, count, &regions)
        case .perNode(let shares):
          shares.reduce(into: [NodeID: [FrameNumber]]()) { result, share in
            result[share.node, default: []] += take(size, share.count, on: share.node, &regions)
          }
        }
      taken += frames.keys.sorted().map { BootPages(size: size, node: $0, frames: (frames[$0] ?? []).sorted()) }
    }
    return taken.filter { !$0.frames.isEmpty }
  }

  private func take(
    _ size: PageSize, _ count: HugePageCount, on node: NodeID, _ regions: inout RegionSet
  ) -> [FrameNumber] {
    var frames: [FrameNumber] = []
    while UInt64(frames.count) < count.rawValue, let frame = take(size, on: node, &regions) { frames.append(frame) }
    return frames
  }

  private func take(
    _ size: PageSize, _ count: HugePageCount, _ regions: inout RegionSet
  ) -> [NodeID: [FrameNumber]] {
    var frames: [NodeID: [FrameNumber]] = [:]
    var left = count.rawValue
    var wasAnyTaken = true
    while left > 0, wasAnyTaken {
      wasAnyTaken = false
      for layout in nodes where left > 0 {
        guard let frame = take(size, on: layout.node, &regions) else { continue }
        frames[layout.node, default: []].append(frame)
        left -= 1
        wasAnyTaken = true
      }
    }
    return frames
  }

  private func take(_ size: PageSize, on node: NodeID, _ regions: inout RegionSet) -> FrameNumber? {
    guard let place = try? regions.allocate(size.bytes, alignment: size.bytes, from: .topDown, on: node) else { return nil }
    return FrameNumber(place.start, architecture.baseShift, rounded: .down)
  }
}
