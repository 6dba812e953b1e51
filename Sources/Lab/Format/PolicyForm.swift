import MemoryUnits

/// How a machine's policies are written.
enum PolicyForm {
  static let form = Form<PolicySpec>.object(
    "policy", "What the machine's owner decides; the architecture's own choice where a key is left out.", from: PolicySpec(),
    [
      Field("max-order", top, "The largest block that ordinary requests are served, as log2 of base pages.") { $0.maxOrder = $1 },
      Field("pageblock-order", order(3...26), "The unit in which kinds of memory are kept apart, as log2 of base pages.") {
        $0.pageblockOrder = $1
      },
      Field("group", .page(.any), "Unmovable requests keep together in groups of this size.") { $0.group = $1 },
      Field(
        "fallback", .choice,
        "`steal`: a request without room among its own kind takes from other kinds' pageblocks. `never`: it compacts, drops file cache, or fails."
      ) {
        $0.fallback = $1
      },
      Field("memmap", .choice, "Whether descriptors take the machine's own frames, which is so where it is left out.") {
        $0.memmap = $1
      },
      Field(
        "huge-pages-in-range", .choice,
        "Whether pages of huge pools move away for a contiguous range, or the range is passed over."
      ) {
        $0.hugePagesInRange = $1
      },
      Field(
        "search-movable-zones", .truth, "Whether contiguous ranges are searched in movable zones; `true` where it is left out."
      ) {
        $0.searchesMovableZones = $1
      },
      Field("isolation-order", order(3...26), "The unit in which ranges are closed to the allocator, as log2 of base pages.") {
        $0.isolationOrder = $1
      },
      Field("minimum-free", .size, "What all zones together keep free.") { $0.minimumFree = $1 },
      Field("largest-cache-folio", .page(.any), "The largest folio that a file's pages are read in.") {
        $0.largestCacheFolio = $1
      },
    ]
  ) { policy, object, reading in
    reading.later { facts in
      guard let architecture = facts.architecture else { return nil }
      let pageblock = policy.pageblockOrder ?? architecture.pageblockOrder
      let base = architecture.baseShift
      if let group = policy.group, group.shift.rawValue >= base.rawValue, group.order(baseShift: base) <= pageblock {
        let size = ByteCount(pageblock.frames, base)
        return ScenarioProblem(object.source(of: "group"), "a group of \(group) is no larger than a pageblock, which is \(size)")
      }
      return nil
    }
    reading.later { facts in
      guard let architecture = facts.architecture, let pageblock = policy.pageblockOrder else { return nil }
      let top: Order? =
        switch policy.maxOrder {
        case .order(let order): order
        case .unlimited: nil
        case nil: architecture.maxOrder
        }
      guard let top, pageblock > top else { return nil }
      let source = object.source(of: "pageblock-order")
      return ScenarioProblem(source, "a pageblock of order \(pageblock) is larger than the largest block, of order \(top)")
    }
  }

  private static let top = Form<PolicySpec.Top>.either([
    .word("unlimited", .unlimited), order(0...26).map { .order($0) },
  ])

  private static func order(_ range: ClosedRange<UInt64>) -> Form<Order> {
    Form<UInt64>.integer(range).map { Order(UInt8($0)) }
  }
}
