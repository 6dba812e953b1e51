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
