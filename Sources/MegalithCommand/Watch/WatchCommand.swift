import ArgumentParser
import FoundationEssentials
import HostMemory
import MemoryUnits

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

struct WatchCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "watch",
    abstract: "The numbers and the map, again and again.",
    discussion: """
      On a terminal the screen is drawn anew; elsewhere one block follows the other. Changes since the survey before are in \
      brackets. Ctrl-C ends it. Nothing on the host is changed.
      """)

  @OptionGroup var host: HostOptions
  @OptionGroup var sizeOption: SizeOption
  @Option(help: "Seconds between two surveys.") var interval: UInt32 = 2
  @Option(help: "End after so many surveys.") var count: UInt32?

  func validate() throws {
    if count == 0 { throw ValidationError("--count is at least 1") }
  }

  func run() throws {
    try host.requireHost()
    let sizes = try reading { () throws(HostFileError) in try Survey.sizes(of: host.root) }
    let wanted = try sizeOption.resolved(among: sizes).map { [$0] }
    let root = host.root
    Interruption.watch()
    let survey: () throws(ExitStatus) -> Survey = { () throws(ExitStatus) in
      try reading { () throws(HostFileError) in try Survey(of: root, sizes: wanted) }
    }
    let loop = WatchLoop(
      count: count, interval: .seconds(Int64(interval)), rows: Terminal.isScreen ? { Terminal.rows() } : nil,
      terminal: Terminal.output, survey: survey, now: Self.timeOfDay, sleep: Self.sleep,
      isStopped: { Interruption.isRequested }, write: Self.write)
    if let last = try loop.run() { try Surveying.finish(last) }
  }

  private static func timeOfDay() -> String { Date.now.ISO8601Format() }

  /// At once, so that whoever reads along sees each survey when it is made.
  private static func write(_ text: String) {
    print(text, terminator: "")
    fflush(nil)
  }

  /// A signal ends it early: at once, or after a quarter of a second where it came just before the system call.
  private static func sleep(_ duration: Duration) {
    let clock = ContinuousClock()
    let end = clock.now + duration
    while !Interruption.isRequested, clock.now < end {
      var time = timespec(tv_sec: 0, tv_nsec: 250_000_000)
      nanosleep(&time, nil)
    }
  }
}

extension Terminal {
  /// Whether standard output is a terminal that can be drawn on.
  static var isScreen: Bool { isatty(STDOUT_FILENO) == 1 && getenv("TERM").map { String(cString: $0) } != "dumb" }

  /// Lines of the terminal; 24 where it does not tell.
  static func rows() -> Int {
    var size = winsize()
    return ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0 && size.ws_row > 0 ? Int(size.ws_row) : 24
  }
}
