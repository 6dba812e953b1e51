import HostMemory
import MemoryUnits

/// Prints `megalith.explain/1` range by range, so that a large host's document never stands in memory as a whole.
struct ExplainWriter {
  private let survey: Survey
  private let suspects: Suspects
  private var isFirst = true

  struct Head: Encodable {
    let schema = "megalith.explain/1"
    let size: String?
    let obtainable: UInt64?
    let suspects: Suspects
    let unread: [SurveyDocument.Unread]

    struct Suspects: Encodable {
      let pinning: [Process]
      let locking: [Process]
      let mapping: [Process]
      let slabs: [Slab]
    }

    struct Process: Encodable {
      let pid: UInt32
      let name: String
      let bytes: UInt64
    }

    struct Slab: Encodable {
      let name: String
      let frames: UInt64
    }
  }

  struct Range: Encodable {
    let start: UInt64
    let end: UInt64
    let node: UInt32?
    let zone: String?
    let verdict: String
    let certainty: String
    let reasons: [String: UInt64]
    let firstBlocking: UInt64?
    let free: UInt64
    let toMove: UInt64
    let suspects: [String]
    let remedies: [String]

    enum Key: String, CodingKey {
      case start, end, node, zone, verdict, certainty, reasons, firstBlocking, free, toMove, suspects, remedies
    }

    /// Written out so that what is unknown is null and not left out.
    func encode(to encoder: any Encoder) throws {
      var values = encoder.container(keyedBy: Key.self)
      try values.encode(start, forKey: .start)
      try values.encode(end, forKey: .end)
      try values.encode(node, forKey: .node)
      try values.encode(zone, forKey: .zone)
      try values.encode(verdict, forKey: .verdict)
      try values.encode(certainty, forKey: .certainty)
      try values.encode(reasons, forKey: .reasons)
      try values.encode(firstBlocking, forKey: .firstBlocking)
      try values.encode(free, forKey: .free)
      try values.encode(toMove, forKey: .toMove)
      try values.encode(suspects, forKey: .suspects)
      try values.encode(remedies, forKey: .remedies)
    }
  }

  /// Suspects of the whole host that are listed at the head, of each kind.
  private static let suspectLimit = 10

  /// - Parameter result: nil where the frames could not be read; the document then has no ranges.
  init(_ survey: Survey, _ result: SizeResult?, _ suspects: Suspects) {
    self.survey = survey
    self.suspects = suspects
    func processes(_ list: [ProcessMemory], _ amount: KeyPath<ProcessMemory, ByteCount>) -> [Head.Process] {
      list.prefix(Self.suspectLimit).map {
        Head.Process(pid: $0.id, name: $0.name, bytes: $0[keyPath: amount].rawValue)
      }
    }
    let head = Head(
      size: result?.size.description, obtainable: result?.obtainable,
      suspects: Head.Suspects(
        pinning: processes(suspects.pinning, \.pinned), locking: processes(suspects.locking, \.locked),
        mapping: processes(suspects.mapping, \.pageTables),
        slabs: suspects.slabs.prefix(Self.suspectLimit).map { Head.Slab(name: $0.name, frames: $0.frames.rawValue) }),
      unread: SurveyDocument.Unread.all(survey.reports))
    // The head's closing brace makes room for the ranges.
    let text = (try? JSONText.makeLine(head)) ?? "{}"
    print(text.dropLast() + ",\"ranges\":[", terminator: "")
  }

  mutating func add(_ verdict: RangeVerdict) {
    let range = Range(
      start: verdict.range.start.rawValue, end: verdict.range.end.rawValue, node: survey.node(of: verdict)?.rawValue,
      zone: survey.zone(of: verdict)?.name,
      verdict: verdict.verdict.rawValue, certainty: verdict.certainty.rawValue,
      reasons: verdict.reasons.mapValues(\.rawValue).byName, firstBlocking: verdict.firstBlocking?.rawValue,
      free: verdict.free.rawValue, toMove: verdict.toMove.rawValue, suspects: suspects.names(for: verdict),
      remedies: verdict.remedies.map(\.rawValue))
    print(isFirst ? "\n" : ",\n", terminator: "")
    print((try? JSONText.makeLine(range)) ?? "{}", terminator: "")
    isFirst = false
  }

  func finish() { print("\n]}") }
}
