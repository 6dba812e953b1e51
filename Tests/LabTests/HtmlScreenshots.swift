import Foundation
import Lab
import Testing

/// `MEGALITH_REPORT_FOLDER=folder swift test --filter HtmlScreenshots` leaves pages and pictures of them there, to be looked at.
@Suite(
  .serialized, .enabled(if: HtmlBrowser.found != nil, "needs chromium"), .enabled(if: HtmlBrowser.folder != nil, "needs a folder")
)
struct HtmlScreenshots {
  @Test(arguments: [false, true]) func pictures(isDark: Bool) throws {
    let folder = try #require(HtmlBrowser.folder), look = isDark ? "dark" : "light"
    let browser = try HtmlBrowser(try #require(HtmlBrowser.found))
    try browser.setMedia(isDark: isDark)
    for (name, gibibytes) in [("small", UInt64(16)), ("large", 2046)] {
      let path = "\(folder)/\(name).html"
      try Data(HTMLReport(HtmlTraces.fragmenting(gibibytes: gibibytes)).text.utf8).write(to: URL(fileURLWithPath: path))
      try browser.resize(width: 1200, height: 800)
      try browser.open(path)
      func take(_ view: String, isWhole: Bool = false) throws {
        try browser.settle()
        try browser.screenshot(isWhole: isWhole).write(to: URL(fileURLWithPath: "\(folder)/\(name)-\(look)-\(view).png"))
      }
      try take("page", isWhole: true)
      try browser.evaluate("document.getElementById('memory').scrollIntoView()")
      try take("whole")
      let x = try browser.number("document.getElementById('map').getBoundingClientRect().left + 260")
      let y = try browser.number("document.getElementById('map').getBoundingClientRect().top + 130")
      try browser.mouse("mouseMoved", x: x, y: y)
      try take("hover")
      try browser.click(x: x, y: y, clicks: 2)
      try browser.mouse("mouseMoved", x: x, y: y)
      try take("range")
      try browser.click(x: x, y: y, clicks: 2)
      try take("cell")
      try browser.evaluate("document.getElementById('zoom-reset').click()")
      try browser.resize(width: 390, height: 844, ratio: 2, isPhone: true)
      try take("phone", isWhole: true)
      try #require(browser.troubles.isEmpty, "\(browser.troubles)")
    }
  }
}
