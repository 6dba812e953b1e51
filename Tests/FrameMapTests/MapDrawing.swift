import FrameMap
import HostArena
import MemoryUnits
import PhysicalLayout

/// Memory drawn as text, a letter a piece of 16 frames: a digit is memory of that node, `.` is none. Sections of 64 frames
/// are parted by a blank, which stands for nothing.
///
/// A subsection is one letter.
struct MapDrawing {
  static let letterFrames: UInt64 = 16
  static let sectionFrames = FrameCount(64)

  let layout: FrameMapLayout

  init(_ picture: String, limit: UInt64 = 64 * 1024) throws {
    var ranges: [UInt32: [FrameRange]] = [:]
    for (place, letter) in picture.filter({ $0 != " " }).enumerated() {
      guard let node = letter.wholeNumberValue.map({ UInt32($0) }) else { continue }
      let frames = FrameRange(start: FrameNumber(UInt64(place) * Self.letterFrames), count: FrameCount(Self.letterFrames))
      if let last = ranges[node]?.last, last.end == frames.start {
        ranges[node]?.removeLast()
        ranges[node]?.append(FrameRange(start: last.start, end: frames.end))
      } else {
        ranges[node, default: []].append(frames)
      }
    }
    layout = try FrameMapLayout(
      sectionFrames: Self.sectionFrames, subsectionFrames: FrameCount(Self.letterFrames),
      nodes: ranges.map { NodeMemory(NodeID($0.key), $0.value) }, limit: FrameNumber(limit))
  }

  /// The map drawn again, over `letters` letters: `M` memory, `h` a hole with descriptors, `.` a hole without. A border of
  /// runs is drawn as `|`.
  static func draw(_ table: FrameTable, letters: Int) -> String {
    var text = ""
    var lastRun: FrameNumber?
    for letter in 0..<letters {
      let frame = FrameNumber(UInt64(letter) * letterFrames)
      let everything = FrameRange(start: .zero, end: FrameNumber(UInt64(letters) * letterFrames))
      let run = table.runs(in: everything).first { $0.frames.contains(frame) }?.frames.start
      if letter > 0, run != lastRun { text += "|" }
      lastRun = run
      text += table.isMemory(frame) ? "M" : table.isValid(frame) ? "h" : "."
    }
    return text
  }

  static func frames(_ letters: Range<UInt64>) -> FrameRange {
    FrameRange(start: FrameNumber(letters.lowerBound * letterFrames), end: FrameNumber(letters.upperBound * letterFrames))
  }
}
