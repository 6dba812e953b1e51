import MemoryUnits
import Synchronization

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// What the terminal, if there is one, allows.
struct Terminal {
  let usesColour: Bool

  /// Standard output: colour only on a terminal and where `NO_COLOR` is unset or empty.
  static let output = Terminal(
    usesColour: isatty(STDOUT_FILENO) == 1 && (getenv("NO_COLOR").map { $0.pointee == 0 } ?? true)
      && getenv("TERM").map { String(cString: $0) } != "dumb")

  /// Columns; 80 where there is no terminal.
  var width: Int {
    var size = winsize()
    guard isatty(STDOUT_FILENO) == 1, ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return 80 }
    return Int(size.ws_col)
  }

  enum Colour: Int {
    case red = 31
    case green = 32
    case yellow = 33
    case blue = 34
    case grey = 90
  }

  func paint(_ text: String, _ colour: Colour?) -> String {
    guard usesColour, let colour else { return text }
    return "\u{1b}[\(colour.rawValue)m\(text)\u{1b}[0m"
  }

  func heading(_ text: String) -> String { usesColour ? "\u{1b}[1m\(text)\u{1b}[0m" : text }
}

/// One line on the terminal that tells how far long work is; silent elsewhere.
struct ProgressLine {
  private let isShown = isatty(STDERR_FILENO) == 1
  private let task: String

  init(_ task: String) { self.task = task }

  func show(_ frame: FrameNumber, of end: FrameNumber) {
    guard isShown, end > FrameNumber(0) else { return }
    show("\(min(frame, end).rawValue * 100 / end.rawValue) %")
  }

  func show(_ state: String) {
    if isShown { StandardError.write("\r\(task) \(state)\u{1b}[K") }
  }

  func clear() {
    if isShown { StandardError.write("\r\u{1b}[K") }
  }
}

/// Remembers Ctrl-C, for work that has something to put back.
enum Interruption {
  private static let seen = Atomic<Bool>(false)

  static func watch() {
    // Whoever started this may have blocked them, and a child inherits that.
    var signals = sigset_t()
    sigemptyset(&signals)
    for number in [SIGINT, SIGHUP, SIGTERM] { sigaddset(&signals, number) }
    sigprocmask(SIG_UNBLOCK, &signals, nil)
    signal(SIGINT) { _ in Interruption.seen.store(true, ordering: .relaxed) }
    signal(SIGHUP) { _ in Interruption.seen.store(true, ordering: .relaxed) }
    signal(SIGTERM) { _ in Interruption.seen.store(true, ordering: .relaxed) }
  }

  /// The first one is remembered; after it signals do again what they would, for work that a second Ctrl-C may end at once.
  static func watchOnce() {
    watch()
    for number in [SIGINT, SIGHUP, SIGTERM] {
      signal(number) { number in
        Interruption.seen.store(true, ordering: .relaxed)
        signal(number, SIG_DFL)
      }
    }
  }

  static var isRequested: Bool { seen.load(ordering: .relaxed) }
}
