import FrameMap
import MemoryUnits

/// How clients are written.
enum ClientForm {
  /// All clients, in the file's order.
  static let clients = Form<[ClientSpec]>(table.shape) { value, reading in
    for entry in value.entries ?? [] {
      reading.facts.clients.append(entry.key)
      if entry.value.entries?.contains(where: { $0.key == "workload" }) ?? false { reading.facts.workloads.insert(entry.key) }
    }
    return table.read(value, &reading)?.map { ClientSpec(name: $0.key.name, kind: $0.value, place: $0.key.place) }
  }

  private typealias Key = (name: String, place: TextPlace)

  private static let table = Form<[(key: (name: String, place: TextPlace), value: ClientSpec.Kind)]>.table(key, client)

  private static let key = Form<(name: String, place: TextPlace)>(Form<String>.name.shape) { value, reading in
    Form<String>.name.read(value, &reading).map { ($0, value.source.textPlace) }
  }

  private static let client = Form<ClientSpec.Kind>(.either([workload.shape, figures.shape])) { value, reading in
    let isWorkload = value.entries?.contains { $0.key == "workload" } ?? false
    return isWorkload
      ? workload.read(value, &reading).map { .workload($0) } : figures.read(value, &reading).map { .figures($0) }
  }

  static let workload = Form<WorkloadSpec>.object(
    "workload", "A client that is a whole set of clients, with calibrated figures.", from: WorkloadSpec(.server),
    [
      Field("workload", .choice, isRequired: true, "Which one (Docs/Workloads.md).") { $0.kind = $1 },
      Field("load", .load, "Of the calibrated load; `100%` where it is left out.") { $0.load = $1 },
      Field(
        "amount", .size, "How much memory guests or pins take; the workload's own share of the machine's where it is left out."
      ) {
        $0.amount = $1
      },
      Field("page", .page(.huge), "The guests' page size; the largest below the gigantic ones where it is left out.") {
        $0.pageSize = $1
      },
      Field("node", .node, "Where its memory is asked for first; 0 where it is left out.") { $0.node = $1 },
    ]
  ) { spec, object, reading in
    guard object.good.contains("workload") else { return }
    if spec.amount != nil, spec.kind != .guests, spec.kind != .pins {
      reading.report(object.source(of: "amount"), "workload \(spec.kind.rawValue) takes no amount; guests and pins do")
    }
    if spec.pageSize != nil, spec.kind != .guests {
      reading.report(object.source(of: "page"), "workload \(spec.kind.rawValue) takes no page size; guests do")
    }
  }

  static let figures = Form<ClientFigures>.object(
    "client", "Somebody who allocates, by figures.", from: ClientFigures(sizes: []),
    [
      Field(
        "mobility",
        .words([("movable", FrameMobility.movable), ("reclaimable", .reclaimable), ("unmovable", .unmovable)]),
        "Whether its memory can move, be given back, or neither; `movable` where it is left out."
      ) { $0.mobility = $1 },
      Field(
        "sizes", sizes, isRequired: true,
        "Its folios' size; or a list of sizes, each as likely; or sizes with weights, by number of folios."
      ) {
        $0.sizes = $1
      },
      Field("rate", .size, "Bytes a second while it runs; left out for one that only `allocate` steps feed.") { $0.rate = $1 },
      Field("limit", .size, "It holds no more; left out for no limit but the machine's memory.") { $0.limit = $1 },
      Field("lifetime", lifetime, "How long a folio lives; `forever` where it is left out.") { $0.lifetime = $1 },
      Field("cache", .truth, "Whether it can be dropped when memory is short, oldest first: clean file cache.") {
        $0.isCache = $1
      },
      Field("pinned", .truth, "Whether pins hold its folios, so that even movable ones cannot move.") { $0.isPinned = $1 },
      Field("node", .node, "Where its memory is asked for first; 0 where it is left out.") { $0.node = $1 },
      Field("bind", .truth, "Whether it takes memory of its node only.") { $0.isNodeFixed = $1 },
    ]
  ) { figures, object, reading in
    if figures.isCache, figures.isPinned {
      reading.report(object.source(of: "pinned"), "what is pinned cannot be dropped: a cache cannot be pinned")
    }
  }

  static let sizes = Form<[WeightedSize]>.either([
    Form<PageSize>.page(.any).map { [WeightedSize($0, weight: 1)] },
    Form<[PageSize]>.list(.page(.any)).map { $0.map { WeightedSize($0, weight: 1) } },
    Form<[(key: PageSize, value: UInt64)]>.table(.page(.any), .integer(1...1_000_000)).map {
      $0.map { WeightedSize($0.key, weight: UInt32($0.value)) }
    },
  ]).checked { sizes, value, reading in
    for (index, size) in sizes.enumerated() where sizes[..<index].contains(where: { $0.size == size.size }) {
      reading.report(value.source, "size \(size.size) is there twice")
      return false
    }
    return true
  }

  static let lifetime = Form<Lifetime>.either([.word("forever", .forever), Form<Seconds>.time.map { .fixed($0) }, distribution])

  private static let distribution = Form<Lifetime>.object(
    "lifetime", "How long folios live, each as chance has it.", from: .forever,
    [
      Field("uniform", uniform, "Each time between two is as likely.") { $0 = $1 },
      Field("exponential", exponential, "As things break that do not age.") { $0 = $1 },
      Field("pareto", pareto, "Most die young, and some live long.") { $0 = $1 },
    ],
    rules: [.exactlyOne(["uniform", "exponential", "pareto"])])

  /// Two times and an exponent, as far as a distribution has them.
  private struct Span: Sendable {
    var least = Seconds.zero
    var most = Seconds.longest
    var hundredths: UInt32 = 100
  }

  private static let uniform = Form<Lifetime>.object(
    "uniform", "Each time between two is as likely.", from: Span(), [least, most]
  ) { span, object, reading in ordered(span, object, &reading) ? .uniform(span.least, span.most) : nil }

  private static let exponential = Form<Lifetime>.object(
    "exponential", "As things break that do not age.", from: Seconds.zero,
    [Field("mean", .time, isRequired: true, "How long they live on average.") { $0 = $1 }]
  ) { mean, _, _ in .exponential(mean: mean) }

  private static let pareto = Form<Lifetime>.object(
    "pareto", "Most die young, and some live long.", from: Span(),
    [
      least,
      Field("shape", hundredths, isRequired: true, "The exponent, from 0.01 to 100: the smaller, the more live long.") {
        $0.hundredths = $1
      }, most,
    ]
  ) { span, object, reading in
    ordered(span, object, &reading) ? .pareto(least: span.least, hundredths: span.hundredths, most: span.most) : nil
  }

  private static let least = Field<Span>("least", .time, isRequired: true, "None dies earlier.") { $0.least = $1 }
  private static let most = Field<Span>("most", .time, isRequired: true, "None dies later.") { $0.most = $1 }

  private static func ordered(_ span: Span, _ object: ReadObject, _ reading: inout Reading) -> Bool {
    if span.least <= span.most { return true }
    reading.report(object.source(of: "most"), "the longest life, \(span.most), is shorter than the shortest, \(span.least)")
    return false
  }

  /// A number with at most two digits behind the point.
  private static let hundredths = Form<UInt32>(.hundredths(1...10_000)) { value, reading in
    guard let text = value.plainText, let number = readHundredths(text), (1...10_000).contains(number) else {
      reading.refuse(value, .hundredths(1...10_000))
      return nil
    }
    return UInt32(number)
  }
}

/// Hundredths of a number with at most two digits behind a point: 125 for `1.25`.
func readHundredths(_ text: String) -> UInt64? {
  let parts = text.split(separator: ".", omittingEmptySubsequences: false)
  guard parts.count <= 2, let whole = decimal(String(parts[0])), whole <= UInt64.max / 100 - 1 else { return nil }
  guard parts.count == 2 else { return whole * 100 }
  let digits = String(parts[1])
  guard (1...2).contains(digits.utf8.count), digits.utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }), let part = UInt64(digits)
  else {
    return nil
  }
  return whole * 100 + (digits.utf8.count == 1 ? part * 10 : part)
}
