import MemoryUnits
import PhysicalLayout

/// Where the flags of a host's frames come from: the kernel's file of 8-byte words, or a capture's runs.
///
/// Both are streamed; memory use does not depend on the host's size.
struct FlagSource {
  static let wordsPath = "proc/kpageflags"
  static let runsPath = "proc/kpageflags.runs"
  static let runsHeader: StaticString = "megalith.kpageflags/1"

  private let file: HostFile
  private let isRuns: Bool

  /// Opens whichever form the root holds.
  init(_ root: Sysroot) throws(HostFileError) {
    isRuns = root.exists(Self.runsPath)
    file = try root.open(isRuns ? Self.runsPath : Self.wordsPath)
  }

  var path: String { file.path }

  /// Yields every run of frames with the same flags, in ascending order from frame 0, and returns the end.
  ///
  /// - Parameter body: gets the run's start, its length and its flags; returning false stops the walk.
  func forEachRun(
    _ body: (FrameNumber, FrameCount, FrameFlags) throws(HostFileError) -> Bool
  ) throws(HostFileError) -> FrameNumber {
    isRuns ? try walkRuns(body) : try walkWords(body)
  }

  private func walkWords(
    _ body: (FrameNumber, FrameCount, FrameFlags) throws(HostFileError) -> Bool
  ) throws(HostFileError) -> FrameNumber {
    // The kernel refuses reads that are not multiples of a word, and is slowest at reads of one page.
    var buffer = [UInt8](repeating: 0, count: 512 << 10)
    var frame: UInt64 = 0
    while true {
      let length = try file.read(into: &buffer)
      if length == 0 { return FrameNumber(frame) }
      guard length % 8 == 0 else {
        throw .damaged(path: path, line: nil, reason: "ends inside the word of frame \(frame + UInt64(length) / 8)")
      }
      let words = length / 8
      var position = 0
      while position < words {
        // Found before the callback so that the scan is one tight loop; the buffer cannot move inside it.
        let run = buffer.withUnsafeBytes { bytes in
          // Safe: `position..<words` lies inside the buffer, and unaligned loads are asked for.
          let word = bytes.loadUnaligned(fromByteOffset: position &* 8, as: UInt64.self)
          var next = position &+ 1
          while next < words, bytes.loadUnaligned(fromByteOffset: next &* 8, as: UInt64.self) == word { next &+= 1 }
          return (flags: FrameFlags(rawValue: UInt64(littleEndian: word)), count: next &- position)
        }
        let goesOn = try body(FrameNumber(frame), FrameCount(UInt64(run.count)), run.flags)
        frame += UInt64(run.count)
        if !goesOn { return FrameNumber(frame) }
        position += run.count
      }
    }
  }

  private func walkRuns(
    _ body: (FrameNumber, FrameCount, FrameFlags) throws(HostFileError) -> Bool
  ) throws(HostFileError) -> FrameNumber {
    var frame: UInt64 = 0
    var isComplete = false
    let path = path
    let end = try LineStream(file).forEachLine { (number, line) throws(HostFileError) -> Bool in
      let fields = line.fields
      if number == LineNumber(1) {
        guard fields.count == 1, fields[0] == Self.runsHeader else {
          throw .damaged(path: path, line: LineNumber(1), reason: "not a capture of frame flags")
        }
        return true
      }
      guard !isComplete, fields.count == 2 else {
        throw .damaged(path: path, line: number, reason: "not a run of frames")
      }
      if fields[0] == "end" {
        guard fields[1].decimal == frame else {
          throw .damaged(path: path, line: number, reason: "runs make \(frame) frames, not \(fields[1].text)")
        }
        isComplete = true
        return true
      }
      guard let count = fields[0].decimal, count > 0, count <= Self.frameLimit - frame, let flags = fields[1].hexadecimal
      else { throw .damaged(path: path, line: number, reason: "not a run of frames") }
      let goesOn = try body(FrameNumber(frame), FrameCount(count), FrameFlags(rawValue: flags))
      frame += count
      return goesOn
    }
    if case .atEnd(let last) = end, !isComplete {
      throw .damaged(path: path, line: last, reason: "ends at frame \(frame) without an end: cut off")
    }
    return FrameNumber(frame)
  }

  /// No machine's frames reach this far; a corrupt count must not keep a survey busy for hours.
  private static let frameLimit: UInt64 = 1 << 36
}

/// The lines of a file of any length, in constant memory.
struct LineStream {
  private let file: HostFile
  init(_ file: HostFile) { self.file = file }

  enum End {
    case atEnd(LineNumber)
    case stopped
  }

  /// Calls `body` with each line's number and bytes until it returns false.
  func forEachLine(
    _ body: (LineNumber, ArraySlice<UInt8>) throws(HostFileError) -> Bool
  ) throws(HostFileError) -> End {
    var chunk = [UInt8](repeating: 0, count: 256 << 10)
    var carried: [UInt8] = []
    var number: UInt64 = 0
    while true {
      let length = try file.read(into: &chunk)
      if length == 0 {
        guard !carried.isEmpty else { return .atEnd(LineNumber(number)) }
        let last = LineNumber(number + 1)
        return try body(last, carried[...]) ? .atEnd(last) : .stopped
      }
      var start = 0
      while let newline = chunk[start..<length].firstIndex(of: 0x0a) {
        number += 1
        if carried.isEmpty {
          guard try body(LineNumber(number), chunk[start..<newline]) else { return .stopped }
        } else {
          carried += chunk[start..<newline]
          let line = carried[...]
          carried = []
          guard try body(LineNumber(number), line) else { return .stopped }
        }
        start = newline + 1
      }
      carried += chunk[start..<length]
      guard carried.count < 1 << 20 else {
        throw .damaged(path: file.path, line: LineNumber(number + 1), reason: "line longer than 1 MiB")
      }
    }
  }
}
