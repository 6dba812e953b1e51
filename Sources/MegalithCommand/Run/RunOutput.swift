import ArgumentParser
import HostMemory
import Lab
import MemoryUnits

/// Where a run's report goes.
struct RunOutputOptions: ParsableArguments {
  @Flag(help: "Print a document of schema megalith.run/1, or of a sweep megalith.sweep/1.") var json = false
  @Option(help: ArgumentHelp("Also write the report as one page for a browser.", valueName: "file")) var html: String?
  @Flag(help: "Print no characters but ASCII.") var ascii = false

  func write(_ trace: RunTrace) throws(ExitStatus) {
    if let html { try OutputFile.replace(html, with: HTMLReport(trace).text) }
    if json {
      JSONReport(trace).write { print($0, terminator: "") }
      print()
    } else {
      let report = TerminalReport(
        trace, width: Terminal.output.width, hasColour: Terminal.output.usesColour, isASCII: ascii)
      print(report.text, terminator: "")
    }
  }
}

/// A file that the user named for what a command has to say.
enum OutputFile {
  /// A reader sees the old content or the new one, never a part.
  static func replace(_ path: String, with text: String) throws(ExitStatus) {
    do throws(FileWriteError) {
      try FileReplacement(of: path, with: text, draftName: FileReplacement.draftName(for: path)).commit()
    } catch {
      throw ExitStatus(error)
    }
  }
}

/// Tells on a terminal how far a run is; silent elsewhere.
final class RunProgressLine {
  private let line: ProgressLine
  private let clock = ContinuousClock()
  private let start: ContinuousClock.Instant
  private var next: ContinuousClock.Instant

  init(_ task: String = "running") {
    line = ProgressLine(task)
    start = clock.now
    next = start + .milliseconds(200)
  }

  func show(_ progress: RunProgress) {
    let now = clock.now
    guard now >= next else { return }
    next = now + .milliseconds(200)
    let milliseconds = (now - start) / .milliseconds(1)
    let steps = UInt64(Double(progress.operations) * 1000 / max(milliseconds, 1))
    // Whole minutes where there are hours to go, or the line would jump about.
    let unit: UInt64 = progress.total > Seconds(3600) ? 60 : 1
    line.show("\(Seconds(rawValue: progress.time.rawValue / unit * unit)) of \(progress.total), \(steps) steps a second")
  }

  func clear() { line.clear() }
}
