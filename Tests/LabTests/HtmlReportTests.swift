import Foundation
import Lab
import TestSupport
import Testing

/// The page as text: what it holds, and that nothing in a trace becomes part of it.
struct HtmlReportTests {
  private func embedded(_ page: String) throws -> RunTrace {
    let begin = try #require(page.range(of: "<script type=\"application/json\" id=\"trace\">"))
    let end = try #require(page.range(of: "</script>", range: begin.upperBound..<page.endIndex))
    return try JSONDecoder().decode(RunTrace.self, from: Data(page[begin.upperBound..<end.lowerBound].utf8))
  }

  @Test func theTraceStandsInThePage() throws {
    let trace = HtmlTraces.fragmenting(gibibytes: 8, maps: 5)
    #expect(try embedded(HTMLReport(trace).text) == trace)
    let hostile = HtmlTraces.hostile()
    #expect(try embedded(HTMLReport(hostile).text) == hostile)
  }

  @Test func nothingIsLoaded() {
    let page = HTMLReport(HtmlTraces.fragmenting(gibibytes: 4, maps: 2)).text
    for address in ["http:", "https:", "//www", "url(", "@import", " src="] { #expect(!page.contains(address), "\(address)") }
    #expect(page.contains("default-src 'none'"))
  }

  /// Two script elements, both the page's own, and no element of the trace's making.
  @Test func textStaysText() {
    let page = HTMLReport(HtmlTraces.hostile()).text
    #expect(page.components(separatedBy: "<script").count - 1 == 2)
    #expect(page.components(separatedBy: "</script").count - 1 == 2)
    #expect(!page.contains("<img"))
    #expect(!page.contains("<!--"))
    #expect(page.contains("&lt;/script&gt;&lt;script&gt;window.broken = 1"))
    #expect(page.contains(#"\u003c/script\u003e"#))
  }

  @Test func piecesAreTheWhole() {
    let report = HTMLReport(HtmlTraces.fragmenting(gibibytes: 4, maps: 3))
    var pieces: [String] = []
    report.write { pieces.append($0) }
    #expect(pieces.count > 3)
    #expect(pieces.joined() == report.text)
  }

  @Test func aSinkMayFail() {
    struct Full: Error {}
    var room = 3
    #expect(throws: Full.self) {
      try HTMLReport(HtmlTraces.fragmenting(gibibytes: 4, maps: 3)).write { (_: String) throws(Full) in
        room -= 1
        if room == 0 { throw Full() }
      }
    }
  }

  /// A run of which nothing is known but its machine still has a page.
  @Test func anEmptyRun() throws {
    let trace = HtmlTraces.empty()
    let page = HTMLReport(trace).text
    #expect(try embedded(page) == trace)
    for part in ["id=\"memory\"", "id=\"counters\"", "id=\"figures\"", "id=\"lesson\""] {
      #expect(!page.contains(part), "\(part)")
    }
    #expect(page.contains("No steps."))
  }

  @Test func stepsAndFiguresAsWords() {
    let page = HTMLReport(HtmlTraces.fragmenting(gibibytes: 4, maps: 2)).text
    #expect(page.contains("1 of 9 steps failed, 2 in part."))
    #expect(page.contains("5 of 16 pages; 11 ranges blocked by slab, network"))
    for value in ["412 MiB", "12,345", "91.07 %", "4 pages", "6d 16h"] { #expect(page.contains(value), "\(value)") }
  }
}

/// The document: the same as the general encoder makes of the trace, key by key.
struct HtmlDocumentTests {
  @Test(arguments: [false, true]) func theDocumentIsTheTrace(isHostile: Bool) throws {
    let trace = isHostile ? HtmlTraces.hostile() : HtmlTraces.fragmenting(gibibytes: 4, maps: 3)
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    let expected = String(decoding: try encoder.encode(trace), as: UTF8.self)
    #expect(JSONReport(trace).text == expected)
    #expect(try JSONDecoder().decode(RunTrace.self, from: Data(JSONReport(trace).text.utf8)) == trace)
  }

  @Test func controlCharactersAreEscaped() throws {
    var trace = HtmlTraces.fragmenting(gibibytes: 4, maps: 1)
    trace.story = "\0\u{1}\u{8}\t\n\u{c}\r\u{1f}\u{7f}\u{2029}é"
    #expect(try JSONDecoder().decode(RunTrace.self, from: Data(JSONReport(trace).text.utf8)) == trace)
  }
}
