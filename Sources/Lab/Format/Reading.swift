import FrameMap
import MemoryUnits
import PhysicalLayout

/// A file that is being read: what is wrong so far, and what can be checked only when all is read.
struct Reading {
  var problems: [ScenarioProblem] = []
  var facts = Facts()
  private var checks: [@Sendable (Facts) -> ScenarioProblem?] = []

  /// What later checks lean on; nil where the file does not say it, or says it wrongly.
  struct Facts: Sendable {
    var architecture: Architecture? = Architecture.x86_64
    /// How many nodes the machine boots with.
    var nodes: UInt32? = 1
    /// Memory that may be added; nil for none, or where the file says it wrongly.
    var room: MachineSpec.Room?
    var hasRoom = false
    /// How often steps add memory.
    var adds: UInt64 = 0
    var sampled = Sampled.all

    /// Page sizes that are counted.
    enum Sampled: Sendable {
      /// The architecture's huge pages.
      case all
      case these([PageSize])
      case unknown
    }
    /// Clients that the file names, readable or not.
    var clients: [String] = []
    /// Those among them that are workloads.
    var workloads: Set<String> = []
  }

  mutating func report(
    _ source: ScenarioProblem.Source, _ text: String, allowed: String? = nil, suggestion: String? = nil
  ) {
    problems.append(ScenarioProblem(source, text, allowed: allowed, suggestion: suggestion))
  }

  /// Says that a value does not have its shape.
  mutating func refuse(_ value: FileValue, _ shape: Shape) {
    let meant = value.text.flatMap { suggestion(for: $0, among: shape.words) }
    report(value.source, "\(value.quoted) does not fit", allowed: shape.expected, suggestion: meant)
  }

  /// Checks when the whole file is read.
  mutating func later(_ check: @escaping @Sendable (Facts) -> ScenarioProblem?) { checks.append(check) }

  mutating func runChecks() {
    for check in checks {
      if let problem = check(facts) { problems.append(problem) }
    }
    checks = []
  }
}
