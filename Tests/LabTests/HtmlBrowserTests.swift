import Foundation
import Lab
import TestSupport
import Testing

/// The page in a real browser (`MEGALITH_BROWSER`, or chromium where it is on the path).
@Suite(.serialized, .enabled(if: HtmlBrowser.found != nil, "needs chromium"))
struct HtmlBrowserTests {
  private func browser() throws -> HtmlBrowser {
    let browser = try HtmlBrowser(try #require(HtmlBrowser.found))
    try browser.setMedia()
    return browser
  }

  @Test func aReaderGoesThroughThePage() throws {
    let folder = try TemporaryFolder(), browser = try browser()
    let trace = HtmlTraces.fragmenting(gibibytes: 16)
    try folder.write("report.html", HTMLReport(trace).text)
    let problems = try HtmlTrial.problems(of: trace, at: "\(folder.path)/report.html", in: browser)
    #expect(problems.isEmpty, "\(problems.joined(separator: "\n"))")
  }

  /// That the trial can fail: pages whose script is broken in one place each.
  @Test func brokenPagesAreFound() throws {
    let folder = try TemporaryFolder(), browser = try browser()
    let trace = HtmlTraces.fragmenting(gibibytes: 16)
    let page = HTMLReport(trace).text
    let breaks = [
      ("const trace =", "const trace = ;", "SyntaxError"),
      ("putImageData(image, 0, 0)", "putImageData", "brings the last map back"),
      ("addEventListener(\"wheel\"", "addEventListener(\"no-wheel\"", "the wheel"),
      ("addEventListener(\"input\"", "addEventListener(\"no-input\"", "the slider"),
      ("tip.hidden = !lines", "tip.hidden = true", "a tip"),
      ("places[number] = y * width + x", "places[number] = number", "in the middle"),
      ("return 0;\n  const tile = tiles", "return 1;\n  const tile = tiles", "trail"),
    ]
    for (whole, broken, complaint) in breaks {
      try #require(page.contains(whole), "\(whole)")
      try folder.write("broken.html", page.replacingOccurrences(of: whole, with: broken))
      let problems = try HtmlTrial.problems(of: trace, at: "\(folder.path)/broken.html", in: browser, stopsEarly: true)
      #expect(problems.contains { $0.contains(complaint) }, "\(broken): \(problems)")
    }
  }

  /// Names that try to be markup are shown as they are, also by the script.
  @Test func hostileNamesAreShown() throws {
    let folder = try TemporaryFolder(), browser = try browser()
    let trace = HtmlTraces.hostile()
    try folder.write("report.html", HTMLReport(trace).text)
    try browser.open("\(folder.path)/report.html")
    try browser.evaluate("document.querySelector('#legend button').click()")
    try browser.evaluate("document.getElementById('map').focus()")
    try browser.press("ArrowRight", code: 39)
    #expect(try browser.text("typeof window.broken") == "undefined")
    #expect(try browser.number("document.querySelectorAll('img').length + document.scripts.length") == 2)
    let places = ["#legend .owner", "h1", ".chart .name", "#steps code", "#figures th[scope=row]"]
    for place in places {
      #expect(try browser.text("document.querySelector('\(place)').textContent") == trace.scenario, "\(place)")
    }
    #expect(
      try browser.text("document.getElementById('where').textContent").contains("</script><script>window.broken = 1</script>"))
    #expect(browser.troubles == [])
  }

  @Test func theDocumentCanBeKept() throws {
    let folder = try TemporaryFolder(), browser = try browser()
    let trace = HtmlTraces.fragmenting(gibibytes: 4, maps: 3)
    try folder.write("report.html", HTMLReport(trace).text)
    try browser.call("Browser.setDownloadBehavior", ["behavior": "allow", "downloadPath": folder.path])
    try browser.open("\(folder.path)/report.html")
    try browser.evaluate("document.getElementById('download').click()")
    let path = "\(folder.path)/run.json"
    for _ in 0..<100 where !FileManager.default.fileExists(atPath: path) {
      try browser.evaluate("new Promise(done => setTimeout(done, 50))")
    }
    let kept = try Data(contentsOf: URL(fileURLWithPath: path))
    #expect(try JSONDecoder().decode(RunTrace.self, from: kept) == trace)
  }

  private static let mebibyte: UInt64 = 1 << 20

  /// Pages of machines of other shapes than most have.
  static let oddMachines: [(String, RunTrace)] = [
    (
      "one cell",
      HtmlTraces.odd(cellBytes: 2 * mebibyte, pageblockBytes: 2 * mebibyte, sizes: [2 * mebibyte], ranges: [range(0, 1)])
    ),
    (
      "no gigantic size, a cut start",
      HtmlTraces.odd(
        cellBytes: 4 * mebibyte, pageblockBytes: 4 * mebibyte, sizes: [4 * mebibyte], ranges: [range(12 * mebibyte, 700)])
    ),
    (
      "cells as large as gigantic pages",
      HtmlTraces.odd(
        cellBytes: 1024 * mebibyte, pageblockBytes: 2 * mebibyte, sizes: [2 * mebibyte, 1024 * mebibyte], ranges: [range(0, 3000)]
      )
    ),
    (
      "two gigantic sizes",
      HtmlTraces.odd(
        cellBytes: 32 * mebibyte, pageblockBytes: 32 * mebibyte, sizes: [32 * mebibyte, 512 * mebibyte, 16384 * mebibyte],
        ranges: [range(1 << 30, 900), range(1 << 36, 2000, node: 1)])
    ),
    (
      "nodes that take turns within a range",
      HtmlTraces.odd(
        cellBytes: 2 * mebibyte, pageblockBytes: 2 * mebibyte, sizes: [2 * mebibyte, 1024 * mebibyte],
        ranges: (0..<40).map { range(UInt64($0) * 200 * mebibyte, 100, node: UInt32($0 % 2)) })
    ),
  ]

  private static func range(_ start: UInt64, _ cells: UInt64, node: UInt32 = 0) -> RunTrace.Range {
    RunTrace.Range(start: start, cells: cells, node: node, zone: "Normal")
  }

  @Test func oddMachinesHavePagesToo() throws {
    let folder = try TemporaryFolder(), browser = try browser()
    for (name, trace) in Self.oddMachines {
      try folder.write("odd.html", HTMLReport(trace).text)
      try browser.open("\(folder.path)/odd.html")
      try browser.evaluate("document.getElementById('map').focus()")
      try browser.press("ArrowRight", code: 39)
      let crumbs = "[...document.querySelectorAll('#crumbs li')].map(e => e.textContent).join(' / ')"
      var trail: [String] = []
      for _ in 0..<4 {
        try browser.press("Enter", code: 13, text: "\r")
        trail.append(try browser.text(crumbs))
      }
      try browser.press("ArrowRight", code: 39)
      try browser.press("ArrowDown", code: 40)
      let words = try browser.text("document.getElementById('where').textContent")
      #expect(words.contains("[0x") && words.contains("Node"), "\(name): \(words)")
      #expect(trail.last?.contains("[0x") == true, "\(name): \(trail)")
      #expect(browser.troubles == [], "\(name)")
      #expect(TerminalReport(trace).text.contains("Memory at 0s"))
    }
  }

  /// Where motion is welcome, the map glides to the same place.
  @Test func theMapGlides() throws {
    let folder = try TemporaryFolder(), browser = try browser()
    try browser.setMedia(isCalm: false)
    try folder.write("report.html", HTMLReport(HtmlTraces.fragmenting(gibibytes: 8, maps: 2)).text)
    try browser.open("\(folder.path)/report.html")
    try browser.evaluate("document.getElementById('map').focus()")
    try browser.press("ArrowRight", code: 39)
    let depth = "document.querySelectorAll('#crumbs li').length"
    for expected in [3.0, 4] {
      try browser.press("Enter", code: 13, text: "\r")
      for _ in 0..<60 where try browser.number(depth) != expected { try browser.settle() }
      #expect(try browser.number(depth) == expected)
      try browser.evaluate("new Promise(done => setTimeout(done, 400))")
      #expect(try browser.number(depth) == expected)
    }
    #expect(browser.troubles == [])
  }

  /// Nothing is wider than a phone, and no page without maps or counters complains.
  @Test func smallAndEmpty() throws {
    let folder = try TemporaryFolder(), browser = try browser()
    try folder.write("report.html", HTMLReport(HtmlTraces.fragmenting(gibibytes: 4, maps: 3)).text)
    try browser.resize(width: 390, height: 844, ratio: 2, isPhone: true)
    try browser.open("\(folder.path)/report.html")
    #expect(try browser.number("document.documentElement.scrollWidth") <= 390)
    try folder.write("empty.html", HTMLReport(HtmlTraces.empty()).text)
    try browser.open("\(folder.path)/empty.html")
    #expect(browser.troubles == [])
  }
}
