import FrameAllocator
import FrameMap
import MemoryUnits
import Mobility

// What is done in the background, once a tick. Linux: `kswapd`, `kcompactd`.

extension LabEngine {
  /// Drops cache on each node of which no zone is above its low mark, until one is above its high mark; where large folios were sought
  /// and not had, also compacts for one. Without fallback, keeps whole pageblocks free in its place.
  func balance() {
    for node in lab.machine.zones.nodes {
      let request = FrameRequest(.movable, node: node, isNodeFixed: true)
      let isLow = !isAbove({ $0.low }, request)
      var left = isLow ? 64 : 0
      while !isAbove({ $0.high }, request), left > 0, reclaim(FrameCount(4096), for: request, on: CPUIndex(0)) > .zero {
        left -= 1
      }
      if spec.policy.fallback == .never {
        keepPageblocksFree(request)
      } else if wanted > Self.costlyOrder {
        _ = compact(wanted, for: request)
      }
    }
    wanted = Order(0)
  }

  /// Has each zone's high mark met in whole pageblocks, so that each mobility finds its own: compacts on from where the last compaction
  /// ended, until the mark is met or two rounds brought nothing. Cache is dropped where a zone has no room for that, as long as no zone
  /// of the node has its mark met. Zones whose mark is less than a pageblock have none to keep.
  ///
  /// Linux: `vm.defrag_mode`, where reclaim and compaction in the background watch `NR_FREE_PAGES_BLOCKS`; they are woken by requests
  /// there, here by the tick.
  private func keepPageblocksFree(_ request: FrameRequest) {
    // A small zone cannot have whole pageblocks for each mobility; cache would be dropped for it each time, and elsewhere.
    let zones = lab.machine.zones.zones(for: request).filter { index in
      lab.machine.zones[index].watermarks.high >= lab.machine.zones[index].pageblockOrder.frames
    }
    for index in zones {
      let mark = lab.machine.zones[index].watermarks.high
      // Compaction needs room to move to.
      let room = mark + lab.machine.zones[index].pageblockOrder.frames
      var whole = lab.machine.zones[index].freeInLargeBlocks()
      var futile = 0
      while whole < mark, futile < 2 {
        let free = lab.machine.zones[index].freeInTree()
        if free < room || futile > 0, !zones.contains(where: { hasItsPageblocks($0, request) }) {
          reclaim(max(mark - whole, room.saturatingSubtracting(free)), for: request, on: CPUIndex(0))
        }
        compactFurther(index) { lab.machine.zones[index].freeInLargeBlocks() >= mark }
        let before = whole
        whole = lab.machine.zones[index].freeInLargeBlocks()
        futile = whole > before ? 0 : futile + 1
      }
    }
  }

  /// Whether a zone meets its high mark in whole pageblocks, beside what it keeps back from such requests.
  private func hasItsPageblocks(_ index: ZoneIndex, _ request: FrameRequest) -> Bool {
    lab.machine.zones[index].freeInLargeBlocks()
      >= lab.machine.zones[index].watermarks.high + lab.machine.zones.reserve(of: index, for: request.highestZone)
  }

  /// Compacts a zone from where the last compaction ended, until it is enough or the scanners meet. Unlike a request's compaction it
  /// does not stop at a pageblock that is free already, where the next one would begin and stop again.
  private func compactFurther(_ index: ZoneIndex, isEnough: () -> Bool) {
    var last: FrameNumber?
    let result = lab.machine.zones.compact(index, for: nil, from: compactionPlaces[Int(index.rawValue)], with: context) { place in
      last = place
      return !isEnough()
    }
    compactionPlaces[Int(index.rawValue)] = result.isComplete ? nil : last
    if result.moved > .zero { forgetMissing() }
  }

  /// Whether a zone that serves the request has more free than its mark.
  private func isAbove(_ mark: (Watermarks) -> FrameCount, _ request: FrameRequest) -> Bool {
    lab.machine.zones.zones(for: request).contains { index in
      lab.machine.zones[index].isAbove(
        mark(lab.machine.zones[index].watermarks), order: Order(0),
        reserve: lab.machine.zones.reserve(of: index, for: request.highestZone))
    }
  }
}
