import FrameAllocator
import MemoryUnits
import PhysicalLayout
import TestSupport
import Testing

/// Watermarks against those that real kernels set for the frames that their zones had.
@Suite struct WatermarkTests {
  struct Recorded {
    let node: NodeID
    let kind: ZoneKind
    let managed: FrameCount
    let marks: Watermarks
    /// By DMA, DMA32, Normal, Movable.
    let protection: [FrameCount]
  }

  static let oracle = FixtureFolder("oracle")

  static func zones(_ name: String) throws -> [Recorded] {
    try FixtureFolder("oracle/" + name).text("watermarks.txt").split(separator: "\n").map { line in
      let words = line.split(separator: " ")
      let numbers = try words[2..<6].map { FrameCount(try #require(UInt64($0))) }
      return Recorded(
        node: NodeID(try #require(UInt32(words[0]))),
        kind: try #require(ZoneKind.allCases.first { $0.description == words[1] }), managed: numbers[0],
        marks: Watermarks(min: numbers[1], low: numbers[2], high: numbers[3]),
        protection: try words[6].split(separator: ",").map { FrameCount(try #require(UInt64($0))) })
    }
  }

  @Test(arguments: oracle.names) func marksAndReservesAreTheKernels(name: String) throws {
    let zones = try Self.zones(name)
    // Kernels before 6.3 let a movable zone share in the minimum as others do.
    let isOld = name != "f-hp-1g-mom0-6.12" && name != "f-hp-1g-mom1-6.12"
    let forKernel = zones.filter { $0.kind <= .normal }
    let frames = forKernel.reduce(FrameCount.zero) { $0 + $1.managed }
    let minimum = max(
      Watermarks.defaultMinimum(frames, PageShift(12)),
      Watermarks.minimumForHugePages(zones: ZoneCount(UInt64(forKernel.count)), pageblock: Order(9), frames: frames))
    let marks = Watermarks.of(
      zones.map { Watermarks.Share(managed: $0.managed, isForKernel: isOld || $0.kind <= .normal) }, minimum: minimum)
    // A kernel sets its marks before the last pages of the boot reach the zones, so that the shares are slightly others; the sum
    // and the distances are not.
    for (own, recorded) in zip(marks, zones) {
      #expect(isNear(own.min, recorded.marks.min))
      let gap = max(
        FrameCount(recorded.marks.min.rawValue / 4), FrameCount(recorded.managed.rawValue * 10 / 10_000))
      #expect(isNear(recorded.marks.min + gap, recorded.marks.low) && isNear(recorded.marks.min + gap * 2, recorded.marks.high))
    }
    let sums = (marks.reduce(.zero) { $0 + $1.min }, zones.reduce(FrameCount.zero) { $0 + $1.marks.min })
    // Each share was rounded down.
    #expect(isNear(sums.0, sums.1, within: FrameCount(UInt64(zones.count))))

    let set = try ZoneSetFixture(
      zones.map { ($0.node, $0.kind, $0.managed) }, minimum: minimum)
    // Gigantic pages of the boot were not yet counted when the reserves were computed.
    let hasBootPages = Self.oracle.names.contains(name) && (try? FixtureFolder("oracle/" + name).text("pages.txt")) != nil
    for (index, zone) in zip(set.zones.indices, zones) where !hasBootPages {
      // The last column of recordings is for device memory, and repeats the one before.
      for (kind, recorded) in zip([ZoneKind.dma, .dma32, .normal, .movable], zone.protection) {
        let own = set.zones.reserve(of: index, for: kind)
        #expect(isNear(own, recorded), "\(zone.kind) of node \(zone.node) for \(kind): \(own), not \(recorded)")
      }
    }
    try set.finish()
  }

  /// Within one in a hundred, or `margin`.
  private func isNear(_ own: FrameCount, _ recorded: FrameCount, within margin: FrameCount? = nil) -> Bool {
    let distance = max(own, recorded) - min(own, recorded)
    return distance <= margin ?? FrameCount(recorded.rawValue / 100 + 1)
  }
}
