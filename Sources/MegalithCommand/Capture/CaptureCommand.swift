import ArgumentParser
import HostMemory
import MemoryUnits

struct CaptureCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "capture",
    abstract: "Write what a survey reads to a folder that can be surveyed elsewhere.",
    discussion: """
      The folder is read with --sysroot. It holds nothing private: of the command line only memory parameters, of the \
      version only the release, of the resource map only memory and unnamed devices, of processes only short names and \
      amounts of locked, pinned and page-table memory; no arguments, no host name.
      """)

  @Argument(help: ArgumentHelp("The folder to make; it must not exist, or be empty.", valueName: "dir")) var folder: String
  @OptionGroup var host: HostOptions

  func run() throws {
    try host.requireHost()
    Interruption.watch()
    let line = ProgressLine("capturing")
    defer { line.clear() }
    let capture: HostCapture
    do {
      capture = try HostCapture.make(
        of: host.root, into: folder, isStopped: { Interruption.isRequested }, progress: line.show)
    } catch {
      throw ExitStatus(error)
    }
    line.clear()
    print("\(folder): \(capture.bytesWritten.forPeople)")
    let denied = capture.unread.filter { if case .denied = $0 { true } else { false } }
    for error in capture.unread { print("  left out: \(error)") }
    if let frames = capture.unread.first(where: { $0.path == "proc/kpageflags" }), case .missing = frames {
      throw ExitStatus.inPart("\(frames.path) is not there, so the capture has no frames.")
    }
    if let first = denied.first {
      throw ExitStatus.noPermission("\(first.path) may not be read, so the capture lacks it. Run as root.")
    }
  }
}

extension ExitStatus {
  init(_ failure: HostCapture.Failure) {
    switch failure {
    case .folderInUse(let path): self = .failed("\(path) is there already. Name a new folder.")
    case .unwritable(let path): self = .failed("\(path) cannot be written. Name a folder where you may write.")
    case .stopped: self = .interrupted
    case .host(let error): self = ExitStatus(error)
    }
  }
}
