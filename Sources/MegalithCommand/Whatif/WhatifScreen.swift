import Lab
import MemoryUnits

/// Two lives of a host side by side, at most 80 columns wide.
struct WhatifScreen {
  private let result: WhatifResult
  private let terminal: Terminal

  init(_ result: WhatifResult, _ terminal: Terminal) {
    self.result = result
    self.terminal = terminal
  }

  func lines() -> [String] {
    let words = result.settings.words
    var lines = Paragraph.wrap(
      words.isEmpty ? ["A boot without other settings"] : ["A boot with"] + words.map { $0 + ($0 == words.last ? "" : ",") },
      indent: "")
    lines[0] = terminal.heading(lines[0])
    lines += ["", terminal.heading("Pages that could be had")]
    var table = TextTable([
      .init(title: "pages of", isNumber: false), .init(title: "now: survey", isNumber: true),
      .init(title: "machine", isNumber: true), .init(title: "in \(result.length)", isNumber: true),
      .init(title: "booted anew", isNumber: true), .init(title: "in \(result.length)", isNumber: true),
    ])
    for size in result.sizes {
      let moments = [size.now, size.later, size.booted, size.bootedLater]
      table.add(["\(size.size)", "\(size.survey)"] + moments.map { "\($0.obtainable)" })
      if moments.contains(where: { $0.held > 0 }) { table.add(["  in pools", ""] + moments.map { "\($0.held)" }) }
    }
    lines += table.lines(indent: "  ")
    lines += after()
    lines += ["", terminal.heading("Who lives there")]
    for (name, size) in result.life.amounts { lines.append("  " + name.leftAligned(34) + size.forPeople.rightAligned(10)) }
    lines += ["", terminal.heading("What is assumed")]
    for text in result.assumptions { lines += Paragraph.wrap("- " + text, indent: "  ", hanging: "    ") }
    return lines
  }

  private func after() -> [String] {
    let steps = result.steps
    guard !steps.isEmpty else { return [] }
    return ["", terminal.heading("After the boot")]
      + steps.flatMap { step in
        Paragraph.wrap(
          "\(step.step): " + (step.outcome == .failed ? "FAILED, " : "") + step.text, indent: "  ", hanging: "    ")
      }
  }
}
