/// A map as lines of letters: a line for each gigantic range, or for a power of two of them where these are many.
struct TerminalMap {
  let machine: RunTrace.MachineFacts
  let owners: [RunTrace.Owner]
  let states: [RunTrace.MapState]
  let map: RunTrace.MapFrame
  let width: Int

  static let mostLines: UInt64 = 64

  /// What a letter stands for. The later of two in this order is the one that is more in the way.
  private struct Look: Comparable {
    var rank = 0
    var share: UInt8 = 0
    var kind: RunTrace.Owner.Kind = .hole

    static func < (one: Look, other: Look) -> Bool {
      one.rank != other.rank ? one.rank < other.rank : one.share < other.share
    }
  }

  private struct Line {
    let node: UInt32
    let start: UInt64
    var looks: [Look]
    var present: UInt64 = 0
    var blocking: UInt64 = 0
  }

  /// Bytes of a line, and columns that these make.
  private var scale: (line: UInt64, columns: Int) {
    var line = max(machine.sizes.first { $0 > machine.pageblockBytes && $0 > machine.cellBytes } ?? 1 << 30, machine.cellBytes)
    let bytes = machine.ranges.reduce(0) { $0 + $1.cells * machine.cellBytes }
    while bytes / line > Self.mostLines { line *= 2 }
    var columns = 1
    while columns * 2 <= width - 34, UInt64(columns) * 2 <= line / machine.cellBytes { columns *= 2 }
    return (line, columns)
  }

  private func look(_ state: RunTrace.MapState) -> Look {
    let kind = owners.indices.contains(state.owner) ? owners[state.owner].kind : .free
    switch kind {
    case .hole: return Look()
    case .offline: return Look(rank: 1, kind: kind)
    case .pool: return Look(rank: 3, share: max(state.unmovable, state.movable), kind: kind)
    case .free, .cache, .movable:
      return state.movable > 0 ? Look(rank: 2, share: state.movable, kind: kind) : Look(rank: 1, kind: .free)
    case .reclaimable, .unmovable, .pinned, .pageTable, .reserved, .memmap:
      return state.unmovable > 0
        ? Look(rank: 4, share: state.unmovable, kind: kind)
        : Look(rank: state.movable > 0 ? 2 : 1, share: state.movable, kind: state.movable > 0 ? .movable : .free)
    }
  }

  private func lines() -> [Line] {
    let scale = scale
    let perColumn = scale.line / UInt64(scale.columns)
    let looks = states.map(look)
    var lines: [Line] = []
    var run = 0
    var used: UInt64 = 0
    for range in machine.ranges {
      var address = range.start
      let end = range.start + range.cells * machine.cellBytes
      while address < end, run + 1 < map.cells.count {
        let left = UInt64(map.cells[run + 1]) - used
        if left == 0 {
          run += 2
          used = 0
          continue
        }
        let start = address / scale.line * scale.line
        if lines.last?.start != start || lines.last?.node != range.node {
          lines.append(Line(node: range.node, start: start, looks: Array(repeating: Look(), count: scale.columns)))
        }
        let column = (address - start) / perColumn
        let columnEnd = start + (column + 1) * perColumn
        let cells = min(left, (min(columnEnd, end) - address + machine.cellBytes - 1) / machine.cellBytes)
        let look = looks[Int(map.cells[run])]
        let last = lines.count - 1
        lines[last].looks[Int(column)] = max(lines[last].looks[Int(column)], look)
        if look.kind != .hole, look.kind != .offline { lines[last].present += cells }
        if look.rank == 4 { lines[last].blocking += cells }
        address += cells * machine.cellBytes
        used += cells
      }
    }
    return lines
  }

  func add(to text: inout TerminalText) {
    let lines = lines()
    let scale = scale
    let addresses = lines.map { ReportNumbers.address($0.start) }
    let addressWidth = addresses.map(\.count).max() ?? 0
    text.wrap(
      "A line is \(ReportNumbers.bytes(scale.line)), a letter \(ReportNumbers.bytes(scale.line / UInt64(scale.columns))): what in it "
        + "is most in the way. At the end: how many of a line's \(ReportNumbers.count(scale.line / machine.cellBytes)) cells hold "
        + "memory that cannot move.", indent: 2)
    var before: Line?
    for (line, address) in zip(lines, addresses) {
      if before?.node != line.node { text.add("  node \(line.node)") }
      if let before, line.start > before.start + scale.line, before.node == line.node {
        text.add(
          "  \(TerminalText.right("", addressWidth))  (no memory: \(ReportNumbers.bytes(line.start - before.start - scale.line)))"
        )
      }
      var letters = ""
      var index = 0
      while index < line.looks.count {
        let kind = line.looks[index].kind
        let end = line.looks[index...].firstIndex { $0.kind != kind } ?? line.looks.count
        letters += text.paint(String(repeating: kind.letter, count: end - index), kind.colour)
        index = end
      }
      let note =
        line.present < scale.line / machine.cellBytes
        ? (line.present == 0 ? "none online" : "cut, \(ReportNumbers.count(line.blocking))")
        : line.blocking == 0 ? "none" : ReportNumbers.count(line.blocking)
      text.add("  \(TerminalText.right(address, addressWidth))  \(letters)  \(note)")
      before = line
    }
    let met = Set(lines.flatMap { $0.looks.map(\.kind) })
    let legend = RunTrace.Owner.Kind.allCases.filter { met.contains($0) && $0 != .hole }.map { "\($0.letter) \($0.word)" }
    text.wrap(legend.joined(separator: ", "), indent: 2)
  }
}

extension RunTrace.Owner.Kind {
  fileprivate var letter: String {
    switch self {
    case .free: "."
    case .cache: "c"
    case .movable: "m"
    case .reclaimable: "R"
    case .unmovable: "U"
    case .pinned: "P"
    case .pageTable: "T"
    case .pool: "#"
    case .reserved: "K"
    case .memmap: "D"
    case .offline: "-"
    case .hole: " "
    }
  }

  fileprivate var word: String {
    switch self {
    case .cache: "file cache"
    case .pageTable: "page tables"
    case .memmap: "descriptors"
    case .hole: "no memory"
    default: rawValue
    }
  }

  fileprivate var colour: TerminalText.Colour? {
    switch self {
    case .free, .offline: .faint
    case .cache: .cyan
    case .movable: .blue
    case .reclaimable, .pageTable: .yellow
    case .unmovable: .red
    case .pinned: .magenta
    case .pool: .green
    case .reserved, .memmap: .strong
    case .hole: nil
    }
  }
}
