import ArgumentParser
import FrameMap
import HostArena
import MemoryUnits

struct GupBench: Suite {
  static let configuration = CommandConfiguration(
    commandName: "gup",
    abstract: "Pinning memory that is mapped and faulted in, in every memory model.",
    discussion: """
      16 GiB in pages of 1 GiB, 1 GiB in pages of 2 MiB, 32 MiB in base pages; 512 frames a call, metadata only. A call finds the \
      entry, the folio and its descriptor, adds the pins at once, looks again, and records. What a group of eight calls records stays \
      in the nearest cache, and is given back before the next. Baseline vmemmap: the same in that memory model; c: a loop in C that only \
      records.

      gup/<page>/numbers       pin, recording frame numbers
      gup/<page>/descriptors   pin, recording addresses of descriptors
      gup/<page>/ranges        pin everything in one call, recording ranges: time a folio
      gup/<page>/ranges-512    pin 512 frames, recording ranges: time a call
      gup/<page>/unpin         give the numbers of `numbers` back
      gup/1G/array             as `numbers`, into one array of 32 MiB, as a program would that keeps them all
      gup/record               the loop that records, without pins, next to the same loop in C: c, as \
      one writes it; c8, eight words a turn, spelled out as the engine's is
      gup/1G/ladder            one page of 1 GiB, three ways to pin it, recording descriptors; baseline shipped: what the engine does. \
      unbatched: for each frame find the head and add one pin, atomically; look-up: one add for the folio, and the descriptor of each \
      frame looked up. Both know the frame without a walk of the tables. one-call: the engine, asked for one frame at a time.
      """)

  @OptionGroup var options: BenchOptions
  @OptionGroup var parts: BenchParts

  /// Rounds are short here, and differences small: so many for each that is asked for.
  private static func rounds(_ options: BenchOptions) -> Int { options.roundCount * (options.quick ? 1 : 5) }

  static func measure(_ options: BenchOptions, into report: inout Report) throws {
    for page in PinnedPage.allCases { try measure(page, options, into: &report) }
    try measureRecord(options, into: &report)
    try measureLadder(options, into: &report)
  }

  /// Something that is timed on each model.
  private struct Case {
    /// The figures' names, in the order in which they are told.
    let names: [String]
    let unit: String
    let target: Double?
    let own: @Sendable (PinGround) -> [Double]
    let inC: (@Sendable (PinBuffers) -> [Double])?
  }

  private static func cases(_ page: PinnedPage) -> [Case] {
    let isGigantic = page == .gigantic
    var cases = [
      Case(
        names: ["numbers", "unpin"], unit: "ns/frame", target: isGigantic ? 0.5 : nil, own: { $0.numbers() },
        inC: { $0.recordNumbersInC() }),
      Case(
        names: ["descriptors"], unit: "ns/frame", target: isGigantic ? 1 : nil, own: { $0.descriptors() },
        inC: { $0.recordDescriptorsInC() }),
      Case(names: ["ranges"], unit: "ns/folio", target: nil, own: { $0.ranges(page) }, inC: nil),
    ]
    if page != .base {
      cases.append(Case(names: ["ranges-512"], unit: "ns/call", target: nil, own: { $0.rangesByCall() }, inC: nil))
    }
    if isGigantic { cases.append(Case(names: ["array"], unit: "ns/frame", target: nil, own: { $0.array() }, inC: nil)) }
    return cases
  }

  private static func measure(_ page: PinnedPage, _ options: BenchOptions, into report: inout Report) throws {
    let models = MemoryModel.allCases
    func id(_ name: String, _ model: MemoryModel) -> String { "gup/\(page.rawValue)/\(name)/\(model)" }
    let wanted = cases(page).filter { one in one.names.contains { name in models.contains { options.wants(id(name, $0)) } } }
    guard !wanted.isEmpty else { return }
    let grounds = try models.map { try PinGround($0, page) }
    let virtual = models.firstIndex(of: .vmemmap) ?? 0
    for one in wanted {
      var sides: [@Sendable () -> [Double]] = grounds.map { ground in { one.own(ground) } }
      if let inC = one.inC { sides.append { [buffers = grounds[0].buffers] in inC(buffers) } }
      let samples = interleaved(sides, rounds: rounds(options), onProcessor)
      for (figure, name) in one.names.enumerated() {
        let median = samples[virtual][figure].median
        let others = models.indices.filter { $0 != virtual && options.wants(id(name, models[$0])) }
        if page == .gigantic, !others.isEmpty {
          report.remarks.append(
            remark("gup/1G/\(name)", others.map { (models[$0], samples[$0][figure].median / median) }))
        }
        for (index, model) in models.enumerated() where options.wants(id(name, model)) {
          var baselines = [(name: "vmemmap", samples: samples[virtual][figure])]
          if figure == 0, one.inC != nil { baselines.append(("c", samples[models.count][0])) }
          report.rows.append(
            Row(
              id: id(name, model), unit: one.unit, samples: samples[index][figure], baselines: baselines,
              target: figure == 0 ? one.target : nil))
        }
      }
    }
    for ground in grounds { try ground.finish() }
  }

  /// How the models compare with the one whose descriptors lie in one array.
  private static func remark(_ id: String, _ ratios: [(MemoryModel, Double)]) -> String {
    let worst = ratios.map { $0.1 }.max() ?? 0
    return "\(id): " + ratios.map { "\($0.0) \(decimal($0.1))x" }.joined(separator: ", ")
      + " of vmemmap, at most 1.05x wanted: " + (worst <= 1.05 ? "ok" : "above")
  }

  private static func measureRecord(_ options: BenchOptions, into report: inout Report) throws {
    let models = MemoryModel.allCases
    if options.wants("gup/record/numbers") {
      let buffers = PinBuffers()
      let sides: [@Sendable () -> [Double]] = [
        { buffers.recordOwnNumbers() }, { buffers.recordNumbersInC() }, { buffers.recordWideInC(step: 1) },
      ]
      let samples = interleaved(sides, rounds: rounds(options), onProcessor)
      report.rows.append(
        Row(
          id: "gup/record/numbers", unit: "ns/frame", samples: samples[0][0],
          baselines: [("c", samples[1][0]), ("c8", samples[2][0])],
          target: samples[1][0].median * 1.05))
    }
    let ids = models.map { "gup/record/descriptors/\($0)" }
    guard ids.contains(where: options.wants) else { return }
    let grounds = try models.map { try PinGround($0, .base, amount: .mebibytes(2)) }
    var sides: [@Sendable () -> [Double]] = grounds.map { ground in { ground.record() } }
    sides.append { [buffers = grounds[0].buffers] in buffers.recordDescriptorsInC() }
    sides.append { [buffers = grounds[0].buffers] in
      buffers.recordWideInC(step: UInt64(MemoryLayout<FrameDescriptor>.size))
    }
    let samples = interleaved(sides, rounds: rounds(options), onProcessor)
    let (c, wide) = (samples[models.count][0], samples[models.count + 1][0])
    for (index, id) in ids.enumerated() where options.wants(id) {
      report.rows.append(
        Row(id: id, unit: "ns/frame", samples: samples[index][0], baselines: [("c", c), ("c8", wide)], target: c.median * 1.05))
    }
    for ground in grounds { try ground.finish() }
  }

  private static func measureLadder(_ options: BenchOptions, into report: inout Report) throws {
    for model in MemoryModel.allCases {
      let rungs = PinRung.allCases
      let ids = rungs.map { "gup/1G/ladder/\($0.rawValue)/\(model)" }
      guard ids.contains(where: options.wants) else { continue }
      let ground = try PinGround(model, .gigantic, total: .gibibytes(8), amount: .gibibytes(1))
      let sides: [@Sendable () -> [Double]] = rungs.map { rung in { ground.climb(rung) } }
      let samples = interleaved(sides, rounds: options.roundCount, onProcessor)
      let shipped = samples[rungs.firstIndex(of: .shipped) ?? 0][0]
      for (index, id) in ids.enumerated() where options.wants(id) {
        report.rows.append(
          Row(id: id, unit: "ns/frame", samples: samples[index][0], baselines: [("shipped", shipped)], target: nil))
      }
      try ground.finish()
    }
  }

  /// One round of a side, on the first processor.
  private static func onProcessor(_ side: @escaping @Sendable () -> [Double]) -> [Double] {
    nonisolated(unsafe) var figures: [Double] = []
    onThreads(1) { _ in figures = side() }
    return figures
  }
}
