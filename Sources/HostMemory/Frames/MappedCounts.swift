import MemoryUnits
import PhysicalLayout

/// How often frames without flags are mapped by processes, from `/proc/kpagecount`, read only where asked.
///
/// The file is far slower than the flags, and tells something new only of frames without flags: such a frame that is
/// mapped belongs to a driver, and does not move.
struct MappedCounts {
  static let wordsPath = "proc/kpagecount"
  static let runsPath = "proc/kpagecount.runs"
  static let runsHeader: StaticString = "megalith.kpagecount/1"

  /// Mapped frames of a range.
  struct Finding {
    var count = FrameCount.zero
    var first: FrameNumber?

    mutating func add(_ range: FrameRange) {
      guard !range.isEmpty else { return }
      count += range.count
      first = min(first ?? range.start, range.start)
    }
  }

  private enum Source {
    case words(counts: HostFile, flags: HostFile)
    /// Mapped frames without flags, ascending.
    case runs([FrameRange])
    case none
  }

  private let source: Source

  /// Without the file nothing counts as mapped.
  init(_ root: Sysroot) throws(HostFileError) {
    if root.exists(Self.runsPath) {
      source = .runs(try Self.parse(root))
    } else if let counts = try? root.open(Self.wordsPath), let flags = try? root.open(FlagSource.wordsPath) {
      source = .words(counts: counts, flags: flags)
    } else {
      source = .none
    }
  }

  /// Looks for frames of `range` that are mapped although they have no flags.
  func look(in range: FrameRange, _ finding: inout Finding) throws(HostFileError) {
    switch source {
    case .none: return
    case .runs(let runs):
      var index = runs.firstIndex(endingAbove: range.start)
      while index < runs.count, runs[index].start < range.end {
        finding.add(runs[index].intersection(range))
        index += 1
      }
    case .words(let counts, let flags):
      try Self.forEachMapped(counts, flags: flags, in: range) { finding.add($0) }
    }
  }

  /// Calls `body` with each frame of `range` that is mapped and has no flags.
  ///
  /// The flags are read after the counts: in between a free frame may have become a process's, and then has some.
  static func forEachMapped(
    _ counts: HostFile, flags: HostFile, in range: FrameRange, _ body: (FrameRange) -> Void
  ) throws(HostFileError) {
    var start = range.start
    while start < range.end {
      let part = FrameRange(start: start, count: min(range.end - start, FrameCount(1 << 15)))
      let mapped = try words(counts, of: part)
      if mapped.contains(where: { $0 != 0 }) {
        for (offset, (count, flag)) in zip(mapped, try words(flags, of: part)).enumerated() where count != 0 && flag == 0 {
          body(FrameRange(start: start + FrameCount(UInt64(offset)), count: FrameCount(1)))
        }
      }
      start = part.end
    }
  }

  /// The words of some frames; fewer where the file ends.
  private static func words(_ file: HostFile, of range: FrameRange) throws(HostFileError) -> [UInt64] {
    try file.seek(to: range.start.rawValue * 8)
    var buffer = [UInt8](repeating: 0, count: Int(range.count.rawValue) * 8)
    let length = try file.read(into: &buffer)
    return buffer.withUnsafeBytes { bytes in
      (0..<length / 8).map { bytes.loadUnaligned(fromByteOffset: $0 * 8, as: UInt64.self) }
    }
  }

  private static func parse(_ root: Sysroot) throws(HostFileError) -> [FrameRange] {
    var runs: [FrameRange] = []
    var isComplete = false
    let end = try LineStream(try root.open(runsPath)).forEachLine { (number, line) throws(HostFileError) in
      let fields = line.fields
      if number == LineNumber(1) {
        guard fields.count == 1, fields[0] == runsHeader else {
          throw .damaged(path: runsPath, line: number, reason: "not a capture of mapped frames")
        }
        return true
      }
      guard !isComplete, fields.count == 2, let count = fields[1].decimal else {
        throw .damaged(path: runsPath, line: number, reason: "not a run of mapped frames")
      }
      if fields[0] == "end" {
        guard count == UInt64(runs.count) else {
          throw .damaged(path: runsPath, line: number, reason: "\(runs.count) runs, not \(count)")
        }
        isComplete = true
        return true
      }
      guard let start = fields[0].hexadecimal, start < 1 << 52, count > 0, count < 1 << 52,
        (runs.last?.end.rawValue ?? 0) <= start
      else { throw .damaged(path: runsPath, line: number, reason: "not a run of mapped frames, or out of order") }
      runs.append(FrameRange(start: FrameNumber(start), count: FrameCount(count)))
      return true
    }
    if case .atEnd(let last) = end, !isComplete {
      throw .damaged(path: runsPath, line: last, reason: "no end: cut off")
    }
    return runs
  }
}

extension [FrameRange] {
  /// The index of the first range that ends above `frame`; the ranges ascend. O(log ranges).
  func firstIndex(endingAbove frame: FrameNumber) -> Int {
    var low = 0
    var high = count
    while low < high {
      let middle = (low + high) / 2
      if self[middle].end <= frame { low = middle + 1 } else { high = middle }
    }
    return low
  }
}
