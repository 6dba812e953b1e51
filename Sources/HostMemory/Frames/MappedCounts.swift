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
    case words(counts: HostFile, flags: HostFile)
    /// Mapped frames, ascending.
    case runs([FrameRange])
    case none
  }

  private let source: Source

  /// Without the file nothing counts as mapped.
  init(_ root: Sysroot) throws(HostFileError) {
    if root.exists(Self.runsPath) {
      source = .runs(try Self.parse(try root.read(Self.runsPath)))
    } else if let counts = try? root.open(Self.wordsPath), let flags = try? root.open(FlagSource.wordsPath) {
      source = .words(counts: counts, flags: flags)
    } else {
      source = .none
    }
  }

  func mapped(in range: FrameRange) throws(HostFileError) -> FrameCount {
    switch source {
    case .none: return .zero
    case .runs(let runs):
      return runs.reduce(.zero) { $0 + $1.intersection(range).count }
    case .words(let counts, let flags):
      var mapped = FrameCount.zero
      try Self.forEachMapped(counts, flags: flags, in: range) { mapped += $0.count }
      return mapped
    }
  }

  /// Calls `body` with each mapped frame that still has no flags: between two reads it may have become a process's.
  static func forEachMapped(
    _ counts: HostFile, flags: HostFile, in range: FrameRange, _ body: (FrameRange) throws(HostFileError) -> Void
  ) throws(HostFileError) {
    var mapped: [FrameRange] = []
    try forEachWord(counts, in: range) { frame, word in
      if word != 0 { mapped.append(FrameRange(start: frame, count: FrameCount(1))) }
    }
    for frame in mapped {
      var isBare = false
      try forEachWord(flags, in: frame) { _, word in isBare = word == 0 }
      if isBare { try body(frame) }
    }
  }

  private static func forEachWord(
    _ file: HostFile, in range: FrameRange, _ body: (FrameNumber, UInt64) -> Void
  ) throws(HostFileError) {
    try file.seek(to: range.start.rawValue * 8)
    var buffer = [UInt8](repeating: 0, count: Int(min(range.count.rawValue, 1 << 15)) * 8)
    var frame = range.start
    while frame < range.end {
      let length = try file.read(into: &buffer)
      guard length >= 8 else { return }
      for position in 0..<min(UInt64(length / 8), (range.end - frame).rawValue) {
        let word = buffer.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: Int(position) * 8, as: UInt64.self) }
        body(frame + FrameCount(position), word)
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
