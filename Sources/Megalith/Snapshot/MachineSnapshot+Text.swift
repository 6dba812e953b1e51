import MemoryUnits
import PhysicalLayout

// As kernels print them, so that what reads a kernel's files reads these.

extension MachineSnapshot {
  /// A line a zone with the number of free blocks of each order. Linux: `/proc/buddyinfo`.
  public var buddyinfo: String {
    zones.map { zone in
      "Node \(zone.node), zone \(right(zone.kind.description, 8)) "
        + zone.freeBlocks.map { right($0.description, 6) + " " }.joined() + "\n"
    }.joined()
  }

  /// The counters of each zone that this machine keeps. Linux: `/proc/zoneinfo`, without what is about reclaim.
  public var zoneinfo: String {
    zones.map { zone in
      let marks = zone.watermarks
      let rows: [(String, FrameCount)] = [
        ("min", marks.min), ("low", marks.low), ("high", marks.high), ("spanned", zone.span.count),
        ("present", zone.present), ("managed", zone.managed),
      ]
      return "Node \(zone.node), zone \(right(zone.kind.description, 8))\n" + "  pages free     \(zone.free)\n"
        + rows.map { "        " + left($0.0, 9) + "\($0.1)\n" }.joined()
        + "        protection: (" + zone.reserves.map { "\($0)" }.joined(separator: ", ") + ")\n"
        + "  start_pfn:           \(zone.span.start.rawValue)\n"
    }.joined()
  }

  /// Linux: the first lines of `/proc/meminfo`.
  public var meminfo: String {
    [("MemTotal:", total), ("MemFree:", free)]
      .map { left($0.0, 16) + right(String($0.1.rawValue >> 10), 8) + " kB\n" }.joined()
  }

  /// The counters of each pool, under the names of the files in a kernel's folder of the size. Linux: `/sys/kernel/mm/hugepages`.
  public var hugepages: String {
    pools.map { pool in
      let counts = pool.counts
      let rows: [(String, PageCount)] = [
        ("nr_hugepages", counts.total), ("free_hugepages", counts.free), ("resv_hugepages", counts.reserved),
        ("surplus_hugepages", counts.surplus), ("nr_overcommit_hugepages", counts.overcommit),
      ]
      return "hugepages-\(pool.size.bytes.rawValue >> 10)kB\n"
        + rows.map { "  " + left($0.0, 24) + "\($0.1)\n" }.joined()
    }.joined()
  }

  private func right(_ text: String, _ width: Int) -> String { String(repeating: " ", count: max(0, width - text.count)) + text }
  private func left(_ text: String, _ width: Int) -> String { text + String(repeating: " ", count: max(0, width - text.count)) }
}
