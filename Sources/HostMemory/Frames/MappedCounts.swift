import MemoryUnits

/// How often frames are mapped by processes, from `/proc/kpagecount`, read only where asked.
///
/// The file is far slower than the flags, and tells something new only of frames without flags: such a frame that is
/// mapped belongs to a driver, and does not move.
struct MappedCounts {
  static let wordsPath = "proc/kpagecount"
  static let runsPath = "proc/kpagecount.runs"
  static let runsHeader: StaticString = "megalith.kpagecount/1"

  private enum Source {
    case words(HostFile)
    /// Mapped frames, ascending.
    case runs([FrameRange])
    case none
  }

  private let source: Source

  /// Without the file nothing counts as mapped.
  init(_ root: Sysroot) throws(HostFileError) {
    if root.exists(Self.runsPath) {
      source = .runs(try Self.parse(try root.read(Self.runsPath)))
    } else if let file = try? root.open(Self.wordsPath) {
      source = .words(file)
    } else {
      source = .none
    }
  }

  func mapped(in doubt: FrameScan.Doubt) throws(HostFileError) -> FrameCount {
    switch source {
    case .none: return .zero
    case .runs(let runs):
      return runs.reduce(.zero) { $0 + $1.intersection(doubt.range).count }
    case .words(let file):
      var mapped = FrameCount.zero
      try Self.forEachMapped(file, in: doubt.range) { mapped += $0.count }
      return mapped
    }
  }

  /// Calls `body` with each run of mapped frames.
  static func forEachMapped(
    _ file: HostFile, in range: FrameRange, _ body: (FrameRange) -> Void
  ) throws(HostFileError) {
    try file.seek(to: range.start.rawValue * 8)
    var buffer = [UInt8](repeating: 0, count: Int(min(range.count.rawValue, 1 << 15)) * 8)
    var frame = range.start
    while frame < range.end {
      let length = try file.read(into: &buffer)
      guard length >= 8 else { return }
      for position in 0..<min(UInt64(length / 8), (range.end - frame).rawValue) {
        let word = buffer.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: Int(position) * 8, as: UInt64.self) }
        if word != 0 { body(FrameRange(start: frame + FrameCount(position), count: FrameCount(1))) }
      }
      frame = frame + FrameCount(UInt64(length / 8))
    }
  }

  private static func parse(_ content: [UInt8]) throws(HostFileError) -> [FrameRange] {
    var runs: [FrameRange] = []
    for (number, line) in TextLines(content) {
      let fields = line.fields
      if number == 1 {
        guard fields.first.map({ $0 == runsHeader }) ?? false else {
          throw .damaged(path: runsPath, line: 1, reason: "not a capture of mapped frames")
        }
        continue
      }
      guard fields.count == 2, let start = fields[0].hexadecimal, let count = fields[1].decimal, start < 1 << 52,
        count < 1 << 52
      else { throw .damaged(path: runsPath, line: number, reason: "not a run of mapped frames") }
      runs.append(FrameRange(start: FrameNumber(start), count: FrameCount(count)))
    }
    return runs
  }
}
