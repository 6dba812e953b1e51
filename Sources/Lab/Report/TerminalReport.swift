/// A run as text of a fixed width: story, steps, counters, the last map, figures and lesson.
public struct TerminalReport: Sendable {
  let trace: RunTrace
  let width: Int
  let hasColour: Bool
  let isASCII: Bool

  /// - Parameters:
  ///   - width: columns of the terminal; what is less than 60 counts as 60.
  ///   - hasColour: whether colours may be told to the terminal; without, words and letters say the same.
  ///   - isASCII: whether the report's own characters keep to ASCII. The scenario's text is never changed, but for what would command
  ///     the terminal.
  public init(_ trace: RunTrace, width: Int = 80, hasColour: Bool = false, isASCII: Bool = false) {
    self.trace = trace
    self.width = max(width, 60)
    self.hasColour = hasColour
    self.isASCII = isASCII
  }

  /// Lines without white space at their ends, each with a newline.
  ///
  /// - Complexity: O(numbers in the counters and in the last map).
  public var text: String {
    var text = TerminalText(width: width, hasColour: hasColour)
    addHead(to: &text)
    addSteps(to: &text)
    addCounters(to: &text)
    if let map = trace.maps.last {
      let title = "Memory at \(ReportNumbers.seconds(map.time))" + (map.label.map { ", " + TerminalText.plain($0) } ?? "")
      text.heading(title)
      TerminalMap(machine: trace.machine, owners: trace.owners, states: trace.states, map: map, width: width).add(to: &text)
    }
    addFigures(to: &text)
    if !trace.lesson.isEmpty {
      text.heading("Lesson")
      addParagraphs(trace.lesson, to: &text)
    }
    return text.lines.map { line in
      var line = line[...]
      while line.last == " " { line.removeLast() }
      return line + "\n"
    }.joined()
  }

  private func addHead(to text: inout TerminalText) {
    text.add(text.paint(TerminalText.plain(trace.scenario), .strong))
    text.add(text.paint(trace.verdict, trace.isGood ? .green : .red))
    if !trace.story.isEmpty {
      text.add()
      addParagraphs(trace.story, to: &text)
    }
    let machine = trace.machine
    text.heading("Machine")
    let sizes = machine.sizes.map(ReportNumbers.bytes).joined(separator: ", ")
    let words =
      "\(machine.architecture), \(machine.model); \(ReportNumbers.bytes(machine.memoryBytes)) of memory, pages of \(sizes); "
      + "seed \(trace.seed)"
    text.wrap(TerminalText.plain(words), indent: 2)
    for policy in machine.policies { text.wrap(TerminalText.plain(policy), indent: 4, first: "  - ") }
  }

  private func addParagraphs(_ words: String, to text: inout TerminalText) {
    var paragraph = ""
    var isFirst = true
    func end() {
      if paragraph.isEmpty { return }
      if !isFirst { text.add() }
      text.wrap(paragraph, indent: 2)
      paragraph = ""
      isFirst = false
    }
    for line in TerminalText.plain(words).split(separator: "\n", omittingEmptySubsequences: false) {
      if line.allSatisfy(\.isWhitespace) { end() } else { paragraph += line + " " }
    }
    end()
  }

  private func addSteps(to text: inout TerminalText) {
    if trace.events.isEmpty { return }
    text.heading("Steps")
    let times = trace.events.map { ReportNumbers.seconds($0.time) }
    let timeWidth = max(times.map(\.count).max() ?? 0, 4)
    let lineWidth = max(trace.events.map { String($0.line).count }.max() ?? 0, 4)
    text.add(
      text.paint("  \(TerminalText.right("time", timeWidth))  \(TerminalText.right("line", lineWidth))  outcome  step", .faint))
    for (event, time) in zip(trace.events, times) {
      let outcome = TerminalText.left(event.outcome == .failed ? "FAILED" : event.outcome.word, 7)
      let colour: TerminalText.Colour = event.outcome == .failed ? .red : event.outcome == .inPart ? .yellow : .green
      let start =
        "  \(TerminalText.right(time, timeWidth))  \(TerminalText.right(String(event.line), lineWidth))  "
        + "\(text.paint(outcome, colour))  "
      let indent = 2 + timeWidth + 2 + lineWidth + 2 + 7 + 2
      text.wrap(TerminalText.plain("\(event.step): \(event.text)"), indent: indent, first: start)
      if let note = event.note { text.wrap("(\(TerminalText.plain(note)))", indent: indent) }
    }
  }

  private func addCounters(to text: inout TerminalText) {
    if trace.series.isEmpty { return }
    text.heading("Counters")
    var rows = [["", "first", "least", "most", "last"]]
    for series in trace.series {
      let values = [series.values.first, series.values.min(), series.values.max(), series.values.last]
      // The word stands once, or there would be no room for the course.
      let isPages = series.unit == .pages
      let texts = values.map { value in
        value.map { isPages ? ReportNumbers.count($0) : ReportNumbers.value($0, series.unit) } ?? ""
      }
      rows.append([TerminalText.plain(series.name) + (isPages ? ", pages" : "")] + texts)
    }
    let widths = rows[0].indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
    let course = max(min(width - widths.reduce(2, +) - widths.count * 2, 40), 0)
    for (index, row) in rows.enumerated() {
      var line = "  " + TerminalText.left(row[0], widths[0])
      for column in row.indices.dropFirst() { line += "  " + TerminalText.right(row[column], widths[column]) }
      if index == 0 {
        text.add(text.paint(line, .faint))
      } else {
        let spark = course < 6 ? "" : Sparkline.make(trace.series[index - 1].values, width: course, isASCII: isASCII)
        text.add(line + "  " + text.paint(spark, .cyan))
      }
    }
  }

  private func addFigures(to text: inout TerminalText) {
    if trace.figures.isEmpty { return }
    text.heading("Figures at the end")
    let rows = trace.figures.map { (TerminalText.plain($0.name), ReportNumbers.value($0.value, $0.unit)) }
    let nameWidth = rows.map(\.0.count).max() ?? 0
    let valueWidth = rows.map(\.1.count).max() ?? 0
    for row in rows { text.add("  " + TerminalText.left(row.0, nameWidth) + "  " + TerminalText.right(row.1, valueWidth)) }
  }
}
