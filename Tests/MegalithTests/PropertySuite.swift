import FrameMap
import Foundation
import MemoryUnits
import PhysicalLayout
import Synchronization
import TestSupport
import Testing

/// Every model and every preset, with random holes, against the naive machine.
///
/// `MEGALITH_SUITE_SEEDS=n` runs n seeds of each instead of 4, `MEGALITH_SUITE_CASE=sparse/ppc64-64k/3` one alone, and
/// `MEGALITH_SUITE_TRACE=1` names each case as it begins: what a trap would not.
@Suite struct PropertySuite {
  struct Totals: Sendable {
    var cases = 0
    var steps = 0
    var checks = 0
    var served = 0
    var refused = 0
    var failures: [String] = []
  }

  static let steps = 1000
  static let interval = 50

  static func variable(_ name: String) -> String? { ProcessInfo.processInfo.environment[name] }

  static var seeds: UInt64 { variable("MEGALITH_SUITE_SEEDS").flatMap { UInt64($0) } ?? 4 }

  static var cases: [PropertyCase] {
    let only = variable("MEGALITH_SUITE_CASE")
    // A seed is a layout and a policy; no two presets or models share one.
    var seed: UInt64 = 0
    var cases: [PropertyCase] = []
    for _ in 0..<max(1, seeds) {
      for model in MemoryModel.allCases {
        for architecture in Architecture.allPresets {
          seed += 1
          cases.append(PropertyCase(model: model, architecture: architecture, seed: seed))
        }
      }
    }
    guard let only else { return cases }
    let parts = only.split(separator: "/")
    return cases.filter { "\($0.model)" == parts[0] && $0.architecture.name == parts[1] }.prefix(1).map {
      PropertyCase(model: $0.model, architecture: $0.architecture, seed: UInt64(parts.last ?? "") ?? 0)
    }
  }

  /// Runs a script on a new machine; what went wrong, or nil.
  static func run(
    _ one: PropertyCase, _ script: [PropertyStep], _ account: (borrowing PropertyRun) -> Void = { _ in }
  ) -> String? {
    do {
      var run = PropertyRun(try one.machine())
      try run.run(script, checkingEvery: interval)
      account(run)
      return nil
    } catch {
      return "\(error)"
    }
  }

  static func script(_ one: PropertyCase) -> [PropertyStep] {
    var random = one.random(7)
    return PropertyScript.random(steps, &random)
  }

  /// What all threads found together.
  final class Account: Sendable {
    let totals = Mutex(Totals())
    let next = Atomic<Int>(0)
  }

  private static func work(on cases: [PropertyCase], _ account: Account) {
    let isTraced = variable("MEGALITH_SUITE_TRACE") != nil
    while true {
      let index = account.next.wrappingAdd(1, ordering: .relaxed).oldValue
      guard index < cases.count else { return }
      let one = cases[index]
      if isTraced { write("property suite: \(one)\n") }
      let script = script(one)
      let failure = run(one, script) { run in
        let (checks, served, refused) = (run.checks, run.served, run.refused)
        account.totals.withLock {
          $0.checks += checks
          $0.served += served
          $0.refused += refused
        }
      }
      var report: String?
      if let failure {
        let short = PropertyScript.shrunken(script, attempts: 150) { run(one, $0) != nil }
        let lines = short.map { "  \($0)" }.joined(separator: "\n")
        report = "\(one): \(failure)\nshrunken: \(run(one, short) ?? "passes")\n\(lines)"
      }
      account.totals.withLock { [report] in
        $0.cases += 1
        $0.steps += script.count
        if let report { $0.failures.append(report) }
      }
    }
  }

  private static func write(_ text: String) { FileHandle.standardError.write(Data(text.utf8)) }

  @Test func machinesAgreeWithTheOracle() {
    let account = Account()
    let cases = Self.cases
    concurrently(2) { _ in Self.work(on: cases, account) }
    let found = account.totals.withLock { $0 }
    for failure in found.failures { Issue.record("\(failure)") }
    let line =
      "property suite: \(found.cases) cases (\(MemoryModel.allCases.count) models x \(Architecture.allPresets.count) presets x "
      + "\(Self.seeds) seeds), \(found.steps) steps (\(found.served) requests served, \(found.refused) refusals), \(found.checks) invariant checks, "
      + "\(found.failures.count) failures\n"
    Self.write(line)
    #expect(found.cases == cases.count)
    // A suite in which nothing is served, or nothing refused, would agree with anything.
    guard found.failures.isEmpty else { return }
    #expect(found.served > found.steps / 8 && found.refused > found.steps / 20)
    #expect(found.checks >= found.cases * (1 + Self.steps / Self.interval))
  }

  /// The suite is no better than its shrinking: of 200 steps the two that matter are left, in their order.
  @Test func shrinkingLeavesWhatMatters() {
    var tries = 0
    let shrunken = PropertyScript.shrunken(Array(0..<200)) { script in
      tries += 1
      guard let first = script.firstIndex(of: 17), let second = script.firstIndex(of: 180) else { return false }
      return first < second
    }
    #expect(shrunken == [17, 180])
    #expect(tries <= 400)
  }

  /// A frame that is missing from the start is found, and no step is needed to show it.
  @Test func aFaultIsFoundAndShrunken() throws {
    let one = PropertyCase(model: .sparse, architecture: .x86_64, seed: 1)
    let script = Self.script(one)
    func fails(_ script: [PropertyStep]) -> Bool {
      guard let machine = try? one.machine() else { return false }
      let index = machine.zones.indices[machine.zones.count - 1]
      guard let start = machine.zones.descriptions[Int(index.rawValue)].memory.last?.end else { return false }
      var run = PropertyRun(machine)
      // Behind the oracle's back.
      try? run.machine.zones[index].claim(FrameRange(start: start - FrameCount(1), count: FrameCount(1)))
      do { try run.run(script, checkingEvery: Self.interval) } catch { return true }
      return false
    }
    #expect(fails(script))
    #expect(PropertyScript.shrunken(script, attempts: 30, fails).isEmpty)
  }
}
