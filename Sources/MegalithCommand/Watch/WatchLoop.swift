import HostMemory
import MemoryUnits

/// Surveys again and again, and shows each. Everything that is not the same each time is handed in.
struct WatchLoop {
  /// Nil for no end.
  let count: UInt32?
  let interval: Duration
  /// Lines that the terminal has, asked for each time; nil prints one block after the other.
  let rows: (() -> Int)?
  let terminal: Terminal
  let survey: () throws(ExitStatus) -> Survey
  /// The time of day, as text.
  let now: () -> String
  /// May return early when a signal comes.
  let sleep: (Duration) -> Void
  let isStopped: () -> Bool
  let write: (String) -> Void

  private enum Control {
    static let clear = "\u{1b}[2J"
    static let home = "\u{1b}[H"
    static let endOfLine = "\u{1b}[K"
    static let endOfScreen = "\u{1b}[J"
    static let hideCursor = "\u{1b}[?25l"
    static let showCursor = "\u{1b}[?25h"
  }

  /// - Returns: the last survey; nil where it was stopped before the first.
  /// - Throws: what a survey throws, with the terminal as it was.
  func run() throws(ExitStatus) -> Survey? {
    if rows != nil { write(Control.hideCursor + Control.clear) }
    defer { if rows != nil { write(Control.showCursor) } }
    var last: Survey?
    var shown: UInt32 = 0
    while !isStopped(), count.map({ shown < $0 }) ?? true {
      let survey = try survey()
      show(WatchScreen(survey, since: last, terminal).lines(at: now()), isFirst: last == nil)
      last = survey
      shown += 1
      if count.map({ shown < $0 }) ?? true, !isStopped() { sleep(interval) }
    }
    return last
  }

  private func show(_ lines: [String], isFirst: Bool) {
    guard let rows else {
      write((isFirst ? "" : "\n") + lines.map { $0 + "\n" }.joined())
      return
    }
    // One line less than there are: the cursor stands in the last.
    let room = max(1, rows() - 1)
    var text = Control.home
    for line in lines.prefix(room) { text += line + Control.endOfLine + "\n" }
    write(text + Control.endOfScreen)
  }
}
