/// A run as a JSON document, `megalith.run/1` (Docs/JSON.md): keys sorted, no white space, absent values left out. The same trace gives
/// the same bytes.
public struct JSONReport: Sendable {
  let trace: RunTrace
  /// Whether the document stands in a page's script element.
  let isInPage: Bool

  public init(_ trace: RunTrace) { self.init(trace, isInPage: false) }

  init(_ trace: RunTrace, isInPage: Bool) {
    self.trace = trace
    self.isInPage = isInPage
  }

  /// - Complexity: O(numbers in the trace), all of it in memory; see ``write(to:)``.
  public var text: String {
    var text = ""
    write { text += $0 }
    return text
  }

  /// Hands out the document in pieces, in order; none is much longer than a map.
  public func write<E: Error>(to sink: (String) throws(E) -> Void) throws(E) {
    var writer = JSONWriter(isInPage: isInPage)
    writer.open("{")
    events(&writer)
    figures(&writer)
    writer.member("lesson", trace.lesson)
    machine(&writer)
    writer.key("maps")
    writer.open("[")
    for map in trace.maps {
      writer.open("{")
      writer.key("cells")
      writer.numbers(map.cells)
      if let label = map.label { writer.member("label", label) }
      writer.member("time", map.time)
      writer.close("}")
      try sink(writer.take())
    }
    writer.close("]")
    owners(&writer)
    writer.member("scenario", trace.scenario)
    writer.member("schema", trace.schema)
    writer.member("seed", trace.seed)
    series(&writer)
    states(&writer)
    writer.member("story", trace.story)
    writer.key("times")
    writer.numbers(trace.times)
    writer.close("}")
    try sink(writer.take())
  }

  private func events(_ writer: inout JSONWriter) {
    writer.list("events", trace.events) { event, writer in
      writer.member("line", event.line)
      if let note = event.note { writer.member("note", note) }
      writer.member("outcome", event.outcome.rawValue)
      writer.member("step", event.step)
      writer.member("text", event.text)
      writer.member("time", event.time)
    }
  }

  private func figures(_ writer: inout JSONWriter) {
    writer.list("figures", trace.figures) { figure, writer in
      writer.member("name", figure.name)
      writer.member("unit", figure.unit.rawValue)
      writer.member("value", figure.value)
    }
  }

  private func machine(_ writer: inout JSONWriter) {
    let machine = trace.machine
    writer.key("machine")
    writer.open("{")
    writer.member("architecture", machine.architecture)
    writer.member("baseBytes", machine.baseBytes)
    writer.member("cellBytes", machine.cellBytes)
    writer.member("memoryBytes", machine.memoryBytes)
    writer.member("model", machine.model)
    writer.member("pageblockBytes", machine.pageblockBytes)
    writer.key("policies")
    writer.open("[")
    for policy in machine.policies { writer.text(policy) }
    writer.close("]")
    writer.list("ranges", machine.ranges) { range, writer in
      writer.member("cells", range.cells)
      writer.member("node", UInt64(range.node))
      writer.member("start", range.start)
      writer.member("zone", range.zone)
    }
    writer.key("sizes")
    writer.numbers(machine.sizes)
    writer.close("}")
  }

  private func owners(_ writer: inout JSONWriter) {
    writer.list("owners", trace.owners) { owner, writer in
      writer.member("kind", owner.kind.rawValue)
      writer.member("name", owner.name)
    }
  }

  private func series(_ writer: inout JSONWriter) {
    writer.list("series", trace.series) { series, writer in
      writer.member("name", series.name)
      writer.member("unit", series.unit.rawValue)
      writer.key("values")
      writer.numbers(series.values)
    }
  }

  private func states(_ writer: inout JSONWriter) {
    writer.list("states", trace.states) { state, writer in
      writer.member("free", UInt64(state.free))
      writer.member("movable", UInt64(state.movable))
      writer.member("owner", state.owner)
      writer.member("unmovable", UInt64(state.unmovable))
    }
  }
}

extension JSONWriter {
  fileprivate mutating func member(_ name: String, _ value: String) {
    key(name)
    text(value)
  }

  fileprivate mutating func member(_ name: String, _ value: UInt64) {
    key(name)
    number(value)
  }

  /// A line's number or an index, neither of which is below zero.
  fileprivate mutating func member(_ name: String, _ value: Int) { member(name, UInt64(value)) }

  fileprivate mutating func list<Element>(
    _ name: String, _ elements: [Element], _ write: (Element, inout JSONWriter) -> Void
  ) {
    key(name)
    open("[")
    for element in elements {
      open("{")
      write(element, &self)
      close("}")
    }
    close("]")
  }
}
