import HostMemory
import MemoryUnits

/// One range on the map: a letter that says the same without colour.
enum MapCell: CaseIterable {
  case held, free, movable, deferred, unknown, blocked, excluded

  init(_ verdict: RangeVerdict) {
    switch verdict.verdict {
    case .held: self = .held
    case .free: self = .free
    case .movable: self = .movable
    case .excluded: self = .excluded
    case .blocked:
      if verdict.remedies == [.touch] {
        self = .deferred
      } else {
        self = verdict.certainty == .unknown ? .unknown : .blocked
      }
    }
  }

  var letter: Character {
    switch self {
    case .held: "#"
    case .free: "."
    case .movable: "o"
    case .deferred: "d"
    case .unknown: "?"
    case .blocked: "X"
    case .excluded: "-"
    }
  }

  var name: String {
    switch self {
    case .held: "held"
    case .free: "free"
    case .movable: "movable"
    case .deferred: "not handed over yet"
    case .unknown: "unknown"
    case .blocked: "blocked"
    case .excluded: "excluded"
    }
  }

  var colour: Terminal.Colour? {
    switch self {
    case .held: .blue
    case .free, .movable: .green
    case .deferred, .unknown: .yellow
    case .blocked: .red
    case .excluded: .grey
    }
  }
}

/// The map of physical memory, at most 80 columns wide.
struct MemoryMap {
  private static let cellsPerLine = 64

  let result: SizeResult
  let terminal: Terminal

  func lines() -> [String] {
    let cells = result.verdicts.map(MapCell.init)
    let shown = MapCell.allCases.filter { cells.contains($0) }
    let legend = shown.map { "\($0.letter) \($0.name)" }
    var lines = [terminal.heading("Map, one cell per \(result.size)")] + Paragraph.wrap(legend, separator: "  ", indent: "  ")
    var start = 0
    while start < cells.count {
      let row = cells[start..<min(start + Self.cellsPerLine, cells.count)]
      let address = ByteCount(result.size.bytes.rawValue * UInt64(start)).description
      lines.append("  " + address.rightAligned(8) + "  " + row.map { terminal.paint(String($0.letter), $0.colour) }.joined())
      start += Self.cellsPerLine
    }
    return lines
  }
}
