import Foundation
import Lab
import TestSupport
import Testing

/// The report for a terminal against reviewed output. `MEGALITH_WRITE_EXPECTED=1 swift test` writes it anew, to be reviewed as a diff.
struct HtmlTerminalTests {
  private func compare(_ text: String, _ name: String) throws {
    let fixtures = FixtureFolder("lab")
    if ProcessInfo.processInfo.environment["MEGALITH_WRITE_EXPECTED"] == "1" { try fixtures.write(name, text) }
    #expect(try fixtures.text(name) == text, "differs from the reviewed \(name)")
  }

  private func widest(_ text: String) -> Int { text.split(separator: "\n").map(\.count).max() ?? 0 }

  @Test(arguments: [(UInt64(16), 80, "two-nodes"), (300, 120, "half-a-terabyte")])
  func asReviewed(_ gibibytes: UInt64, _ width: Int, _ name: String) throws {
    let trace = HtmlTraces.fragmenting(gibibytes: gibibytes, maps: gibibytes > 100 ? 3 : 25)
    let text = TerminalReport(trace, width: width).text
    try compare(text, "\(name).txt")
    #expect(widest(text) <= width)
  }

  @Test func inColour() throws {
    let trace = HtmlTraces.fragmenting(gibibytes: 4, maps: 5)
    let coloured = TerminalReport(trace, hasColour: true).text
    try compare(coloured, "colour.txt")
    let plain = coloured.replacing(/\u{1b}\[[0-9]+m/, with: "").split(separator: "\n").map {
      String($0.trimmingSuffix(while: \.isWhitespace))
    }
    #expect(plain == TerminalReport(trace).text.split(separator: "\n").map(String.init))
  }

  @Test func ofASCIIAlone() throws {
    let text = TerminalReport(HtmlTraces.fragmenting(gibibytes: 4, maps: 5), isASCII: true).text
    let others = text.filter { !$0.isASCII }
    #expect(others == "")
    try compare(text, "ascii.txt")
  }

  /// Names cannot command the terminal.
  @Test func nothingCommandsTheTerminal() {
    var trace = HtmlTraces.fragmenting(gibibytes: 4, maps: 2)
    let attack = "a\u{1b}[2Jb\u{7}\u{9b}c\rd"
    trace.scenario = attack
    trace.story = attack
    trace.lesson = attack
    trace.machine.architecture = attack
    trace.machine.policies = [attack]
    trace.maps[1].label = attack
    for index in trace.events.indices {
      trace.events[index].step = attack
      trace.events[index].note = attack
      trace.events[index].text = attack
    }
    for index in trace.series.indices { trace.series[index].name = attack }
    for index in trace.figures.indices { trace.figures[index].name = attack }
    let text = TerminalReport(trace).text
    let commands = text.unicodeScalars.filter { ($0.value < 0x20 && $0 != "\n") || (0x7f...0x9f).contains($0.value) }
    #expect(commands.isEmpty)
  }

  @Test func anEmptyRun() {
    let trace = HtmlTraces.empty()
    #expect(TerminalReport(trace).text.hasPrefix("fragmenting\nNo steps.\n\nMachine\n"))
  }
}

extension StringProtocol {
  fileprivate func trimmingSuffix(while isOut: (Character) -> Bool) -> SubSequence {
    self[..<(lastIndex { !isOut($0) }.map { index(after: $0) } ?? startIndex)]
  }
}
