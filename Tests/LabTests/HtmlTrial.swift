import Foundation
import Lab

/// What a reader does with a page, step by step, and what must be seen; each thing that is not is a problem.
struct HtmlTrial {
  let browser: HtmlBrowser
  let trace: RunTrace
  private(set) var problems: [String] = []

  /// Opens a page and goes through all of it, or up to the first part with a problem.
  static func problems(of trace: RunTrace, at path: String, in browser: HtmlBrowser, stopsEarly: Bool = false) throws -> [String]
  {
    try browser.open(path)
    var trial = HtmlTrial(browser: browser, trace: trace)
    let parts: [(inout HtmlTrial) throws -> Void] = [
      { try $0.readHead() }, { try $0.moveSlider() }, { try $0.zoomWithWheel() }, { try $0.zoomWithDoubleClicks() },
      { try $0.goByKeys() },
      { try $0.highlight() }, { try $0.play() }, { try $0.readCharts() }, { try $0.goToStep() },
    ]
    do {
      for part in parts where !stopsEarly || trial.problems.isEmpty { try part(&trial) }
    } catch {
      trial.problems.append("\(error)")
    }
    trial.problems += browser.troubles
    trial.problems += browser.requests.filter { address in !["file:", "data:", "blob:"].contains { address.hasPrefix($0) } }
    return trial.problems
  }

  private mutating func expect(_ isTrue: Bool, _ what: String) { if !isTrue { problems.append(what) } }

  private var now: String { get throws { try browser.text("document.getElementById('now').textContent") } }
  private var crumbs: [String] {
    get throws { try browser.evaluate("[...document.querySelectorAll('#crumbs li')].map(e => e.textContent)") as? [String] ?? [] }
  }
  private var tip: String {
    get throws { try browser.text("document.getElementById('tip').hidden ? '' : document.getElementById('tip').innerText") }
  }
  private var selected: String { get throws { try browser.text("document.getElementById('where').textContent") } }

  /// A number for what the map shows.
  private var picture: Double {
    get throws {
      try browser.number(
        """
        (() => { const map = document.getElementById('map');
          const data = map.getContext('2d').getImageData(0, 0, map.width, map.height).data;
          let sum = 0; for (let at = 0; at < data.length; at += 3) sum = (sum * 31 + data[at]) % 2147483647; return sum; })()
        """)
    }
  }

  private func box(_ element: String) throws -> (x: Double, y: Double, width: Double, height: Double) {
    try browser.evaluate("document.querySelector('\(element)').scrollIntoView({block: 'center'})")
    try browser.settle()
    let rectangle = "document.querySelector('\(element)').getBoundingClientRect()"
    let parts = try browser.evaluate("(r => [r.left, r.top, r.width, r.height])(\(rectangle))") as? [Double] ?? [0, 0, 0, 0]
    return (parts[0], parts[1], parts[2], parts[3])
  }

  private func click(_ element: String) throws {
    let place = try box(element)
    try browser.click(x: place.x + place.width / 2, y: place.y + place.height / 2)
  }

  private mutating func readHead() throws {
    expect(try browser.text("document.title").hasPrefix("fragmenting"), "the title")
    expect(try browser.number("document.querySelectorAll('#steps tbody tr').length") == 9, "a row for each step")
    expect(try browser.number("document.querySelectorAll('#steps tr.failed').length") == 1, "the failed step")
    expect(try browser.number("Number(document.getElementById('slider').max)") == 24, "the slider's end")
    expect(try now == "Map 25 of 25: 7d, at the end", "the last map is shown first: \(try now)")
    // The reviewed report for a terminal (two-nodes.txt) counts the same trace by other means.
    let tally = try browser.text("document.getElementById('ranges').textContent")
    expect(
      tally == "Ranges of 1 GiB: 2 with nothing unmovable (outlined), 24 blocked, 5 in pools, 5 cut short", "the tally: \(tally)")
    // The script and the page's own table write numbers by the same rules; the trace has its series in the charts' order.
    let inCharts = try browser.text("[...document.querySelectorAll('.chart .value')].map(e => e.textContent).join('; ')")
    let inTable = try browser.text(
      "[...document.querySelectorAll('#counters details tbody td:last-child')].map(e => e.textContent).join('; ')")
    expect(inCharts == inTable && !inTable.isEmpty, "values in charts and in the table: \(inCharts) and \(inTable)")
    let nameless =
      "[...document.querySelectorAll('button, input, canvas[tabindex], nav')].filter(e => !(e.textContent.trim() || "
      + "e.getAttribute('aria-label') || e.closest('label'))).length"
    expect(try browser.number(nameless) == 0, "everything that can be operated has a name")
  }

  private mutating func moveSlider() throws {
    _ = try box("#map")
    let before = try picture
    try browser.evaluate("document.getElementById('slider').focus()")
    try browser.press("ArrowLeft", code: 37)
    expect(try now.hasPrefix("Map 24 of 25: 6d 17h"), "a key moves the slider: \(try now)")
    let second = try picture
    expect(second != before, "the slider changes the map")
    try browser.press("Home", code: 36)
    expect(try now == "Map 1 of 25: 0s, after boot", "the slider's start: \(try now)")
    expect(try picture != second, "the first map")
    expect(
      try browser.text("document.getElementById('slider').getAttribute('aria-valuetext')") == "0s, after boot",
      "the slider's text")
    try browser.press("End", code: 35)
    expect(try picture == before, "the slider brings the last map back")
  }

  private mutating func zoomWithWheel() throws {
    let whole = try picture, map = try box("#map")
    let x = map.x + map.width * 0.3, y = map.y + map.height * 0.2
    try browser.mouse("mouseMoved", x: x, y: y)
    try browser.settle()
    expect(try tip.contains("[0x") && tip.contains("Node 0"), "a tip at the whole machine: \(try tip)")
    expect(try crumbs == ["whole machine"], "the trail at the start: \(try crumbs)")
    var depths: [Int] = []
    for _ in 0..<40 where try crumbs.count < 4 {
      try browser.mouse("mouseWheel", x: x, y: y, wheel: -120)
      try browser.settle()
      depths.append(try crumbs.count)
    }
    expect(depths == depths.sorted() && Set(depths).isSuperset(of: [2, 3, 4]), "the wheel goes through all depths: \(depths)")
    expect(try picture != whole, "the wheel changes the map")
    let trail = try crumbs
    expect(
      trail.count == 4 && trail[1] == "node 0" && trail[2].hasPrefix("1 GiB [0x") && trail[3].hasPrefix("pageblock [0x"),
      "\(trail)")
    try browser.mouse("mouseMoved", x: x + 3, y: y + 2)
    try browser.settle()
    let words = try tip
    expect(
      words.contains("pageblock") && words.contains("unmovable") && words.contains("Node 0, zone DMA32"), "a cell's tip: \(words)"
    )
    expect(words.contains("the 1 GiB page [0x"), "why a cell matters: \(words)")
    let deep = try picture
    try browser.mouse("mousePressed", x: x, y: y, clicks: 1)
    for step in 1...5 { try browser.mouse("mouseMoved", x: x + Double(step * 20), y: y, clicks: 1) }
    try browser.mouse("mouseReleased", x: x + 100, y: y, clicks: 1)
    try browser.settle()
    expect(try picture != deep, "a drag moves the map")
    try click("#crumbs button")
    expect(try crumbs == ["whole machine"] && picture == whole, "the trail leads back")
  }

  private mutating func zoomWithDoubleClicks() throws {
    let map = try box("#map")
    let x = map.x + map.width * 0.6, y = map.y + map.height * 0.65
    try browser.click(x: x, y: y, clicks: 2)
    expect(try crumbs.count == 3, "a double click goes to a range: \(try crumbs)")
    try browser.click(x: map.x + map.width / 2, y: map.y + map.height / 2, clicks: 2)
    expect(try crumbs.count == 4, "another goes to a pageblock: \(try crumbs)")
    let range = String(try crumbs.last?.dropFirst("pageblock ".count) ?? "?")
    expect(try selected.hasPrefix(range), "what is selected is what the trail says: \(range), \(try selected)")
    try browser.mouse("mouseMoved", x: map.x + map.width / 2, y: map.y + map.height / 2)
    try browser.settle()
    expect(try tip.hasPrefix(range), "what is selected is in the middle: \(try tip)")
    expect(try selected.hasPrefix(words(of: range)), "the cell as the trace has it: \(try selected), not \(words(of: range))")
    try click("#zoom-out")
    try click("#zoom-out")
    expect(try crumbs.count == 3, "the button goes back: \(try crumbs)")
    try click("#zoom-reset")
    expect(try crumbs == ["whole machine"], "reset")
  }

  /// A cell of the last map, by its range, and its shares, but not what they mean.
  private func words(of range: String) -> String {
    let address = UInt64(range.dropFirst(3).prefix { $0.isHexDigit }, radix: 16) ?? 0
    guard let map = trace.maps.last else { return "" }
    var states: [RunTrace.MapState] = []
    for run in stride(from: 0, to: map.cells.count, by: 2) {
      states += Array(repeating: trace.states[Int(map.cells[run])], count: Int(map.cells[run + 1]))
    }
    var cell = 0
    for part in trace.machine.ranges {
      let end = part.start + part.cells * trace.machine.cellBytes
      if address >= part.start, address < end {
        cell += Int((address - part.start) / trace.machine.cellBytes)
        let state = states[cell], owner = trace.owners[state.owner]
        func percent(_ share: UInt8) -> String {
          share == 255 ? "100 %" : share == 0 ? "0 %" : share < 3 ? "under 1 %" : "\(min(Int(Double(share) / 2.55), 99)) %"
        }
        let name = owner.kind == .free ? "Free" : owner.kind == .cache ? owner.name : "\(owner.name) (\(owner.kind.rawValue))"
        return "\(range), pageblock\nNode \(part.node), zone \(part.zone)\n\(name)\nunmovable \(percent(state.unmovable)), "
          + "movable \(percent(state.movable)), free \(percent(state.free))"
      }
      cell += Int(part.cells)
    }
    return ""
  }

  private mutating func goByKeys() throws {
    try browser.evaluate("document.getElementById('map').focus()")
    let before = try selected
    try browser.press("ArrowRight", code: 39)
    let next = try selected
    expect(next != before && next.hasPrefix("[0x"), "a key selects the next place: \(next)")
    try browser.press("ArrowDown", code: 40)
    expect(try selected != next, "a key selects the next range")
    try browser.press("Enter", code: 13, text: "\r")
    try browser.press("Enter", code: 13, text: "\r")
    expect(try crumbs.count == 4, "Enter goes nearer: \(try crumbs)")
    try browser.press("Backspace", code: 8)
    expect(try crumbs.count == 3, "Backspace goes back: \(try crumbs)")
    try browser.press("Home", code: 36)
    expect(try crumbs.count == 1, "Home: \(try crumbs)")
  }

  private mutating func highlight() throws {
    let before = try picture
    try click("#legend li:nth-child(5) button")
    let isPressed = "document.querySelectorAll('#legend [aria-pressed=true]').length"
    expect(try browser.number(isPressed) == 1 && picture != before, "the legend points an owner out")
    try click("#legend li:nth-child(5) button")
    expect(try browser.number(isPressed) == 0 && picture == before, "and lets it go")
  }

  private mutating func play() throws {
    try click("#play")
    expect(try now.hasPrefix("Map 1 of 25"), "play begins at the start: \(try now)")
    for _ in 0..<40 where try now.hasPrefix("Map 1 ") { try browser.evaluate("new Promise(done => setTimeout(done, 50))") }
    expect(try now.hasPrefix("Map 2 of 25"), "play goes on: \(try now)")
    try click("#play")
    expect(try browser.text("document.getElementById('play').textContent") == "Play", "pause")
  }

  private mutating func readCharts() throws {
    expect(try browser.number("document.querySelectorAll('.chart').length") == 4, "a chart for each unit")
    let values = "[...document.querySelectorAll('.chart .value')].map(e => e.textContent).join()"
    let chart = try box(".chart > svg")
    let atMap = try browser.text(values)
    try browser.mouse("mouseMoved", x: chart.x + chart.width * 0.8, y: chart.y + 60)
    try browser.settle()
    expect(try browser.text("document.getElementById('at').textContent").contains("pointed at"), "the time that is pointed at")
    expect(try browser.text(values) != atMap, "values follow the pointer")
    let line = "document.querySelector('.chart .shown').getAttribute('x1')"
    let before = try browser.text(line)
    try browser.click(x: chart.x + chart.width * 0.8, y: chart.y + 60)
    expect(try browser.text(line) != before && !now.hasPrefix("Map 2 of"), "a click shows the map of that time: \(try now)")
    let paths = try browser.number("document.querySelectorAll('.chart > svg > path').length")
    try click(".chart input")
    expect(try browser.number("document.querySelectorAll('.chart > svg > path').length") == paths - 1, "lines can be chosen")
  }

  private mutating func goToStep() throws {
    try click("#steps tbody tr:nth-child(3) button")
    expect(try now.hasPrefix("Map 4 of 25"), "a step's time leads to its map: \(try now)")
  }
}
