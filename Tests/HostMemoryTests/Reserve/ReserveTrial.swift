import HostMemory
import MemoryUnits
import PhysicalLayout
import SystemPackage
import TestSupport
import Testing

/// A simulated kernel, and a reservation on it that keeps its promises: it writes what its plan names and nothing else, and keeps
/// the margin of each node.
struct ReserveTrial {
  let kernel: SimulatedKernel
  let journal = MemoryJournal()
  var options = ReserveOptions()

  init(_ picture: String, nodes: [Int] = [], _ change: (inout HostDrawing) -> Void = { _ in }) throws {
    var drawing = HostDrawing(picture)
    drawing.nodes = nodes
    change(&drawing)
    kernel = try SimulatedKernel(drawing)
    options.margin = .zero
    let kernel = kernel
    journal.isDead = { kernel.isDead }
  }

  static let everything = Set(ReservePermission.allCases)

  func plan(_ text: String) throws -> ReservePlan {
    try Reservation(try PoolRequest.parse(text), options: options, of: kernel.root).plan(of: kernel.root)
  }

  func run(_ text: String) throws -> ReserveReport {
    let plan = try plan(text)
    #expect(kernel.writes.isEmpty, "a dry run writes nothing")
    let report = try Reservation(try PoolRequest.parse(text), options: options, of: kernel.root)
      .run(through: kernel, journal: journal)
    let named = Set(plan.steps.flatMap(\.writes).map(\.path))
    for write in kernel.writes { #expect(named.contains(write.path), "\(write.path) is not in the plan") }
    // What the report says was written is what was written, rollbacks aside.
    let told = report.steps.flatMap(\.changes).filter { !$0.path.hasPrefix("proc/<child>") }
    for change in told { #expect(kernel.writes.contains { $0.path == change.path && $0.text == "\(change.value)\n" }) }
    for memory in try NodeMemory.all(of: kernel.root) where report.steps.contains(where: { !$0.gain.isEmpty }) {
      #expect(ByteCount(memory.available, PageShift(12)) >= options.margin ?? .zero)
    }
    if report.troubles.isEmpty, !kernel.isDead { #expect(journal.lines == nil) }
    return report
  }

  func outcome(_ report: ReserveReport, _ kind: ReserveStepKind) -> ReserveStepReport.Outcome? {
    report.steps.first { $0.kind == kind }?.outcome
  }

  func gain(_ report: ReserveReport, _ kind: ReserveStepKind, _ size: PageSize = SimulatedKernel.gigantic) -> UInt64 {
    report.steps.filter { $0.kind == kind }.reduce(0) { $0 + ($1.gain[size]?.rawValue ?? 0) }
  }

  static func poolPath(_ size: PageSize, _ node: UInt32) -> String { HugePoolFiles(size: size, node: NodeID(node)).totalPath }
}
