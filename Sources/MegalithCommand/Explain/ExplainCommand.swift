import ArgumentParser
import HostMemory
import MemoryUnits

struct ExplainCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "explain",
    abstract: "Range by range: the verdict, what stands in the way, who may be behind it, what helps.",
    discussion: """
      One row per naturally aligned range of the size (the host's largest by default). Frames are numbers of base pages.

      COLUMNS for -o
        range node zone verdict certainty free move blocking first reasons suspects remedy

      The kernel does not say who owns a frame: suspects are the largest slab caches, the processes with the most page \
      tables, and those with pinned memory.
      """)

  @OptionGroup var host: HostOptions
  @OptionGroup var sizeOption: SizeOption
  @Option(help: ArgumentHelp("Only ranges of this node.", valueName: "n")) var node: NodeID?
  @Option(
    help: ArgumentHelp("Only ranges that touch these frames or addresses: START-END, end excluded.", valueName: "start-end"))
  var range: FrameSelection?
  @Option(help: ArgumentHelp("At most this many ranges.", valueName: "n")) var limit: UInt64?
  @Option(name: .short, help: ArgumentHelp("Columns to show, separated by commas.", valueName: "columns"))
  var output: ColumnList = .standard
  @Flag(help: "Print a document of schema megalith.explain/1.") var json = false

  func run() throws {
    try host.requireHost()
    let root = host.root
    let chosen = try chosenSize(root)
    let survey = try Surveying.run(host, chosen)
    let suspects = Suspects(survey.reports)
    guard let result = survey.sizes.first else {
      if json {
        ExplainWriter(survey, nil, suspects).finish()
      } else {
        for line in SurveyScreen.unread(survey.reports) { StandardError.write(line + "\n") }
      }
      return try Surveying.finish(survey)
    }
    let shift = survey.reports.baseShift
    let selection = Survey.Selection(node: node, range: range?.frames(baseShift: shift), limit: limit)
    if json {
      var writer = ExplainWriter(survey, result, suspects)
      try reading { () throws(HostFileError) in try survey.explain(result, of: root, selection) { writer.add($0) } }
      writer.finish()
    } else {
      let table = StreamedTable(columns: output.columns.map { ($0.rawValue, $0.width, $0.isNumber) })
      var count = 0
      try reading { () throws(HostFileError) in
        try survey.explain(result, of: root, selection) { verdict in
          if count == 0 { print(table.header()) }
          let row = ExplainRow(verdict, survey, suspects)
          print(table.line(output.columns.map(row.cell)))
          count += 1
        }
      }
      if count == 0 { StandardError.write("megalith: no range of \(result.size) is selected.\n") }
    }
  }

  /// The size asked for, else the largest: one size is explained at a time.
  private func chosenSize(_ root: Sysroot) throws -> SizeOption {
    guard sizeOption.size == nil else { return sizeOption }
    var option = SizeOption()
    option.size = try reading { () throws(HostFileError) in try Survey.sizes(of: root) }.max()?.description
    return option
  }
}

/// `0x40000-0x80000` in frames, or `1G-2G` in addresses.
struct FrameSelection: ExpressibleByArgument {
  private enum Ends {
    case frames(FrameRange)
    case addresses(PhysicalRange)
  }
  private let ends: Ends

  init?(argument: String) {
    let parts = argument.split(separator: "-", omittingEmptySubsequences: false)
    guard parts.count == 2 else { return nil }
    if let start = Self.frame(parts[0]), let end = Self.frame(parts[1]) {
      guard start <= end else { return nil }
      ends = .frames(FrameRange(start: start, end: end))
    } else if let start = try? ByteCount(parsing: String(parts[0])), let end = try? ByteCount(parsing: String(parts[1])) {
      guard start <= end else { return nil }
      ends = .addresses(
        PhysicalRange(start: PhysicalAddress(start.rawValue), end: PhysicalAddress(end.rawValue)))
    } else {
      return nil
    }
  }

  private static func frame(_ text: Substring) -> FrameNumber? {
    if text.hasPrefix("0x") { return UInt64(text.dropFirst(2), radix: 16).map(FrameNumber.init(_:)) }
    return UInt64(text).map(FrameNumber.init(_:))
  }

  func frames(baseShift: PageShift) -> FrameRange {
    switch ends {
    case .frames(let range): range
    case .addresses(let range): FrameRange(range, baseShift, rounded: .up)
    }
  }
}
