/// A run as one page that needs nothing but a browser: no network, no other file (Docs/Reports.md).
///
/// The words stand in the page itself; the map, the charts and what moves are drawn by its script from the run's own JSON. All text of the
/// trace is escaped, and the page forbids itself to load anything.
public struct HTMLReport: Sendable {
  let trace: RunTrace

  public init(_ trace: RunTrace) { self.trace = trace }

  /// - Complexity: O(numbers in the trace), all of it in memory; see ``write(to:)``.
  public var text: String {
    var text = ""
    write { text += $0 }
    return text
  }

  /// Hands out the page in pieces, in order; none is much longer than a map.
  public func write<E: Error>(to sink: (String) throws(E) -> Void) throws(E) {
    try sink(head)
    try sink(introduction)
    try sink(machine)
    try sink(steps)
    if !trace.maps.isEmpty { try sink(PageSkeleton.map) }
    if !trace.series.isEmpty { try sink(PageSkeleton.charts + seriesTable + "</section>\n") }
    try sink(figures)
    if !trace.lesson.isEmpty { try sink("<section id=\"lesson\"><h2>Lesson</h2>\(paragraphs(trace.lesson))</section>\n") }
    try sink(PageSkeleton.data)
    try sink("</main>\n<script type=\"application/json\" id=\"trace\">")
    try JSONReport(trace, isInPage: true).write(to: sink)
    try sink("</script>\n<script>\n" + PageScript.text + "</script>\n</body>\n</html>\n")
  }

  private var head: String {
    """
    <!DOCTYPE html>
    <html lang="en">
    <head>
    <meta charset="utf-8">
    <meta http-equiv="Content-Security-Policy" content="\(PageSkeleton.policy)">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <meta name="color-scheme" content="light dark">
    <title>\(escaped(trace.scenario)) - megalith run</title>
    <link rel="icon" href="data:,">
    <style>
    \(PageStyle.text)</style>
    </head>
    <body>
    <main>

    """
  }

  private var introduction: String {
    let isGood = trace.isGood
    return """
      <header>
      <h1>\(escaped(trace.scenario))</h1>
      <p class="verdict \(isGood ? "good" : "bad")"><span aria-hidden="true">\(isGood ? "\u{2713}" : "\u{2717}")</span> \
      \(escaped(trace.verdict))</p>
      \(paragraphs(trace.story))
      </header>

      """
  }

  private var machine: String {
    let facts = trace.machine
    var rows: [(String, String)] = [
      ("Architecture", facts.architecture), ("Memory model", facts.model), ("Memory", ReportNumbers.bytes(facts.memoryBytes)),
      ("Base page", ReportNumbers.bytes(facts.baseBytes)), ("Pageblock", ReportNumbers.bytes(facts.pageblockBytes)),
      ("Cell of the map", ReportNumbers.bytes(facts.cellBytes)),
      ("Page sizes", facts.sizes.map(ReportNumbers.bytes).joined(separator: ", ")), ("Seed", String(trace.seed)),
    ]
    rows.append(("Policies", facts.policies.isEmpty ? "the architecture's own" : facts.policies.joined(separator: "\n")))
    let list = rows.map { "<div><dt>\($0.0)</dt><dd>\(escaped($0.1))</dd></div>" }.joined(separator: "\n")
    return "<section id=\"machine\"><h2>Machine</h2><dl class=\"facts\">\n\(list)\n</dl></section>\n"
  }

  private var steps: String {
    let rows = trace.events.map { event in
      """
      <tr class="\(event.outcome.rawValue)"><td class="number"><button type="button" class="time" data-time="\(event.time)" \
      title="show the map of this time">\(ReportNumbers.seconds(event.time))</button></td><td class="number">\(event.line)</td>\
      <td><code>\(escaped(event.step))</code>\(event.note.map { "<p class=\"note\">\(escaped($0))</p>" } ?? "")</td>\
      <td class="outcome">\(event.outcome.word)</td><td>\(escaped(event.text))</td></tr>
      """
    }
    return """
      <section id="steps"><h2 id="steps-title">Steps</h2>
      <div class="scroll" role="region" tabindex="0" aria-labelledby="steps-title"><table>
      <thead><tr><th scope="col" class="number">Time</th><th scope="col" class="number">Line</th><th scope="col">Step</th>\
      <th scope="col">Outcome</th><th scope="col">What came of it</th></tr></thead>
      <tbody>
      \(rows.joined(separator: "\n"))
      </tbody></table></div></section>

      """
  }

  private var seriesTable: String {
    let rows = trace.series.map { series in
      let values = series.values
      let cells = [values.first, values.min(), values.max(), values.last].map { value in
        "<td class=\"number\">\(value.map { ReportNumbers.value($0, series.unit) } ?? "")</td>"
      }
      return "<tr><th scope=\"row\">\(escaped(series.name))</th>\(cells.joined())</tr>"
    }
    return """
      <details><summary>Counters as a table</summary><div class="scroll" role="region" tabindex="0" aria-label="Counters as a table"><table>
      <thead><tr><th scope="col">Counter</th><th scope="col" class="number">First</th><th scope="col" class="number">Least</th>\
      <th scope="col" class="number">Most</th><th scope="col" class="number">Last</th></tr></thead>
      <tbody>
      \(rows.joined(separator: "\n"))
      </tbody></table></div></details>

      """
  }

  private var figures: String {
    if trace.figures.isEmpty { return "" }
    let rows = trace.figures.map {
      "<tr><th scope=\"row\">\(escaped($0.name))</th><td class=\"number\">\(ReportNumbers.value($0.value, $0.unit))</td></tr>"
    }
    return """
      <section id="figures"><h2>Figures at the end</h2><table class="narrow">
      <thead><tr><th scope="col">Figure</th><th scope="col" class="number">Value</th></tr></thead>
      <tbody>
      \(rows.joined(separator: "\n"))
      </tbody></table></section>

      """
  }

  /// Text as paragraphs, which an empty line parts.
  private func paragraphs(_ text: String) -> String {
    var blocks: [[Substring]] = [[]]
    for line in text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline) {
      if line.allSatisfy(\.isWhitespace) { blocks.append([]) } else { blocks[blocks.count - 1].append(line) }
    }
    return blocks.filter { !$0.isEmpty }.map { "<p>\(escaped($0.joined(separator: "\n")))</p>" }.joined(separator: "\n")
  }
}

/// Text for an element's content or a quoted attribute.
func escaped(_ text: String) -> String {
  var result = ""
  result.reserveCapacity(text.utf8.count)
  for scalar in text.unicodeScalars {
    switch scalar {
    case "&": result += "&amp;"
    case "<": result += "&lt;"
    case ">": result += "&gt;"
    case "\"": result += "&quot;"
    case "'": result += "&#39;"
    case "\0": result += "\u{fffd}"
    default: result.unicodeScalars.append(scalar)
    }
  }
  return result
}
