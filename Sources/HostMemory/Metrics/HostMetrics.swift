import MemoryUnits
import PhysicalLayout

/// A survey as numbers to watch over time.
///
/// Pages are counted by node and size. What no file tells is left out, not told as zero, so that its absence can be alarmed on.
public struct HostMetrics: Sendable {
  private let survey: Survey
  private let duration: Duration

  /// - Parameter duration: how long the survey took.
  public init(_ survey: Survey, took duration: Duration) {
    self.survey = survey
    self.duration = duration
  }

  /// The text of all families.
  ///
  /// - Complexity: O(sizes x nodes x reasons).
  public func text() -> String {
    var text = MetricText()
    addHost(&text)
    addPools(&text)
    addRanges(&text)
    return text.document
  }

  private typealias Samples = [(labels: [MetricText.Label], value: String)]

  private func addHost(_ text: inout MetricText) {
    let reports = survey.reports
    func one(_ value: UInt64?) -> Samples { value.map { [([], "\($0)")] } ?? [] }
    text.gauge(
      "megalith_memory_bytes", help: "Memory of the host.", unit: "bytes", one(reports.memory?.bytes("MemTotal")?.rawValue))
    text.gauge(
      "megalith_memory_available_bytes", help: "Memory that programs could have without swapping.", unit: "bytes",
      one(reports.memory?.bytes("MemAvailable")?.rawValue))
    text.gauge(
      "megalith_pinned_frames", help: "Base pages that are pinned, for a device or for long.", one(reports.pinnedFrames.rawValue))
    text.gauge(
      "megalith_frames_readable", help: "1 where the state of frames could be read, which needs root, else 0.",
      one(survey.framesError == nil ? 1 : 0))
    text.gauge(
      "megalith_survey_duration_seconds", help: "How long the survey took.", unit: "seconds", [([], Self.seconds(duration))])
  }

  /// Milliseconds are exact enough, and need no floating point.
  static func seconds(_ duration: Duration) -> String {
    let (seconds, attoseconds) = duration.components
    let milliseconds = String(max(0, attoseconds) / 1_000_000_000_000_000)
    return "\(max(0, seconds))." + String(repeating: "0", count: 3 - milliseconds.count) + milliseconds
  }

  private func addPools(_ text: inout MetricText) {
    let pools = survey.reports.pools
    let ofNodes = pools.filter { $0.node != nil }
    func byNode(_ value: (HugePool) -> HugePageCount) -> Samples {
      ofNodes.map { ([("node", $0.node?.description ?? ""), ("size", "\($0.size)")], "\(value($0))") }
    }
    func byHost(_ value: (HugePool) -> HugePageCount?) -> Samples {
      pools.filter { $0.node == nil }.compactMap { pool in value(pool).map { ([("size", "\(pool.size)")], "\($0)") } }
    }
    text.gauge("megalith_pages_held", help: "Pages in pools.", byNode(\.total))
    text.gauge("megalith_pages_free", help: "Pages in pools that nobody has.", byNode(\.free))
    text.gauge("megalith_pages_surplus", help: "Pages that leave the pool with their last user.", byNode(\.surplus))
    text.gauge("megalith_pages_reserved", help: "Pages promised to mappings and not yet taken.", byHost(\.reserved))
    text.gauge("megalith_pages_overcommit", help: "Pages that may be taken beyond the pool.", byHost(\.overcommit))
  }

  private func addRanges(_ text: inout MetricText) {
    let nodes = Set(survey.reports.zones.map(\.node)).sorted()
    var obtainable: Samples = []
    var certainties: Samples = []
    var ranges: Samples = []
    var blocked: Samples = []
    for result in survey.sizes {
      let size: MetricText.Label = ("size", "\(result.size)")
      for node in nodes {
        let node: (id: NodeID, label: MetricText.Label) = (node, ("node", "\(node)"))
        obtainable.append(([node.label, size], "\(result.obtainableByNode[node.id] ?? .zero)"))
        for (reason, count) in (result.blockedByNode[node.id] ?? [:]).sorted(by: { $0.key.rawValue < $1.key.rawValue }) {
          blocked.append(([node.label, size, ("reason", reason.rawValue)], "\(count)"))
        }
      }
      for certainty in Certainty.allCases {
        certainties.append(([size, ("certainty", certainty.rawValue)], "\(result.obtainableBy[certainty] ?? 0)"))
      }
      for verdict in Verdict.allCases { ranges.append(([size, ("verdict", verdict.rawValue)], "\(result[verdict])")) }
    }
    text.gauge("megalith_pages_obtainable", help: "Pages that the kernel would give if asked now.", obtainable)
    text.gauge(
      "megalith_pages_obtainable_by_certainty", help: "The same over all nodes, by how well the data support each.", certainties)
    text.gauge("megalith_ranges", help: "Naturally aligned ranges by verdict.", ranges)
    text.gauge(
      "megalith_ranges_blocked", help: "Blocked ranges, each under every reason that occurs in it.", blocked)
  }
}
