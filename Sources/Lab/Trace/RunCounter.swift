public import MemoryUnits

/// What is counted while a scenario runs: rows of a trace, its figures, and what expectations are about.
public struct RunCounter: Hashable, Sendable {
  /// As files and reports write it, without a page size.
  public let name: String
  public let unit: RunTrace.Unit
  /// Whether there is one for each page size: `obtainable.1G`.
  public let takesSize: Bool
  /// What it counts, for people.
  public let text: String

  /// All of them, in the order in which reports show them.
  public static let all: [RunCounter] = [
    RunCounter("free", .bytes, "memory that is free"),
    RunCounter("used", .bytes, "memory that somebody holds"),
    RunCounter("cache", .bytes, "file cache that can be dropped"),
    RunCounter("unmovable", .bytes, "the kernel's own memory, which cannot move"),
    RunCounter("reclaimable", .bytes, "memory that cannot move, but be given back: caches of the kernel"),
    RunCounter("movable", .bytes, "memory that can move"),
    RunCounter("pinned", .bytes, "movable memory that pins hold in its place"),
    RunCounter("tables", .bytes, "page tables"),
    RunCounter("pools", .bytes, "pages of huge pools, used or not"),
    RunCounter("memmap", .bytes, "descriptors in the machine's own frames"),
    RunCounter("reserved", .bytes, "memory that never reached the allocator, descriptors apart"),
    RunCounter(
      "fixed", .bytes, "all memory that stays where it is: reserved, descriptors, unmovable, reclaimable, pinned, page tables"),
    RunCounter("fixed-share", .basisPoints, "share of the memory that is fixed"),
    RunCounter(poolName, .pages, takesSize: true, "pages in the huge pool of the size"),
    RunCounter("mapped", .pages, takesSize: true, "pages of the size in processes' tables, in each process by itself"),
    RunCounter("spoilt", .basisPoints, takesSize: true, "share of aligned ranges of the size that have unmovable memory in them"),
    RunCounter(
      "obtainable", .pages, takesSize: true, "pages of the size that could be had, with all that the machine can do for them"),
    RunCounter("free-blocks", .pages, takesSize: true, "free blocks of the size, which nothing has to move for"),
    RunCounter("failures", .count, "requests that got nothing"),
    RunCounter("migrated", .bytes, "memory that was moved"),
    RunCounter("dropped", .bytes, "file cache that was dropped"),
    RunCounter("claimed", .count, "free pageblocks that became another mobility's"),
    RunCounter("stolen", .count, "pageblocks in use that became another mobility's"),
    RunCounter("polluted", .count, "requests served from a pageblock that stayed another mobility's"),
    RunCounter("huge-asked", .count, "requests for huge pages"),
    RunCounter("huge-had", .count, "those among them that got one"),
    RunCounter("huge-success", .basisPoints, "share of requests for huge pages that got one"),
    RunCounter("pin-calls", .count, "calls that pinned memory of processes"),
    RunCounter("pin-batches", .count, "what each of these calls had of one page, added to the page's counts at once"),
    RunCounter("pin-runs", .count, "runs of descriptors in these batches: a look-up each for who walks them"),
    RunCounter("steps", .count, "folios allocated and freed by clients, and pages touched by processes"),
  ]

  /// The counter that only sizes of huge pools have.
  static let poolName = "pool"

  public static let names: [String] = all.map(\.name)

  /// The counter that a name means, with its page size: `free`, `obtainable.1G`. Nil for an unknown name, for a size that is none,
  /// and for a name whose size is missing or too many.
  public static func named(_ text: String) -> (counter: RunCounter, size: PageSize?)? {
    let parts = text.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
    guard let counter = all.first(where: { $0.name == parts[0] }), counter.takesSize == (parts.count == 2) else { return nil }
    guard parts.count == 2 else { return (counter, nil) }
    guard let bytes = try? ByteCount(parsing: String(parts[1])), let size = PageSize(exactly: bytes) else { return nil }
    return (counter, size)
  }

  /// The name of its row: `free`, `obtainable.1G`. Traps where there is a size that the counter does not take, or none that it does.
  public func name(_ size: PageSize? = nil) -> String {
    precondition(takesSize == (size != nil), "a counter with a page size where it takes none, or without")
    return size.map { "\(name).\($0)" } ?? name
  }

  private init(_ name: String, _ unit: RunTrace.Unit, takesSize: Bool = false, _ text: String) {
    self.name = name
    self.unit = unit
    self.takesSize = takesSize
    self.text = text
  }
}
