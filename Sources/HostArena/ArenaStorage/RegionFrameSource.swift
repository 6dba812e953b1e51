import FrameMap
import MemoryUnits
import PhysicalLayout
import Synchronization

/// The boot allocator as a source: the highest free memory of the node that is described, else of any other node.
///
/// The memmap's frames are reservations in ``regions``. May be used from any thread.
///
/// Linux: `memblock_alloc_try_nid`.
public final class RegionFrameSource: MemmapFrameSource {
  private let state: Mutex<RegionSet>
  private let baseShift: PageShift

  /// - Parameter regions: memory by node; reservations are kept out of.
  public init(_ regions: RegionSet, baseShift: PageShift) {
    state = Mutex(regions)
    self.baseShift = baseShift
  }

  /// Memory, and reservations with the memmap's among them.
  public var regions: RegionSet { state.withLock { $0 } }

  /// - Complexity: O(regions + reservations) for each range that is taken.
  public func takeFrames(
    _ size: ByteCount, granule: ByteCount, describing described: FrameRange
  ) throws(MemmapStorageError) -> [PhysicalRange] {
    let near = PhysicalRange(described, baseShift)
    return try state.withLock { regions throws(MemmapStorageError) in
      let before = regions
      let node = regions.memory.first { $0.range.overlaps(near) }?.node
      var taken: [PhysicalRange] = []
      var rest = size
      while rest > .zero {
        let place = node.flatMap { RegionFrameSource.highest(rest, granule, regions.freeRanges(on: $0)) }
        guard let place = place ?? RegionFrameSource.highest(rest, granule, regions.freeRanges()) else {
          regions = before
          throw .noMemory(size)
        }
        regions.reserve(place, node: regions.node(at: place.start))
        taken.append(place)
        rest -= place.count
      }
      return taken
    }
  }

  public func giveBack(_ range: PhysicalRange) { state.withLock { $0.unreserve(range) } }

  /// The end of the highest free range that holds `size`, else the whole of the largest.
  private static func highest(_ size: ByteCount, _ granule: ByteCount, _ free: [PhysicalRange]) -> PhysicalRange? {
    let usable = free.map { $0.aligned(to: granule, .down) }.filter { !$0.isEmpty }
    guard let place = usable.last(where: { $0.count >= size }) else { return usable.max { $0.count < $1.count } }
    return PhysicalRange(start: place.end - size, count: size)
  }
}
