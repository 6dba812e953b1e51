import FrameMap
import MemoryUnits

/// How far a run is.
public struct RunProgress: Hashable, Sendable {
  /// Of the scenario's own time.
  public let time: Seconds
  /// That all steps together let pass.
  public let total: Seconds
  /// Folios allocated and freed so far.
  public let operations: UInt64
}

/// Runs scenarios.
///
/// The same scenario and seed give the same trace, byte for byte. **Threads.** Runs are independent; each is one thread's.
public struct LabRun {
  /// - Parameters:
  ///   - machine: in place of the scenario's own, for those that are made of captures; nil to boot what the scenario says.
  ///   - adopting: whether the machine holds what clients with a ``WorkloadMix`` have allocated before, which is theirs then.
  ///   - shouldGoOn: told now and then how far the run is; false ends it after the tick. The trace says that it was stopped.
  /// - Throws: ``LabError`` where there is no machine. What fails later is an event of the trace.
  /// - Complexity: O(folios allocated), and O(folios held) for each row of counters and each map.
  public static func run(
    _ scenario: Scenario, on machine: consuming LabMachine? = nil, adopting: Bool = false,
    shouldGoOn: (RunProgress) -> Bool = { _ in true }
  ) throws(LabError) -> RunTrace {
    let lab: LabMachine
    if let given = machine.take() {
      lab = given
    } else {
      lab = try LabMachine(scenario.machine, seed: scenario.seed)
    }
    let runner = Runner(scenario, lab, adopting: adopting)
    runner.run(shouldGoOn)
    return runner.trace
  }
}

/// A run under way.
final class Runner {
  let scenario: Scenario
  let engine: LabEngine
  private(set) var trace: RunTrace
  private var samples: Sampler
  private let total: Seconds
  private var isStopped = false
  private var nextCounters: UInt64 = 0
  private var nextMap: UInt64 = 0

  init(_ scenario: Scenario, _ lab: consuming LabMachine, adopting: Bool = false) {
    self.scenario = scenario
    engine = LabEngine(lab, scenario.machine, seed: scenario.seed, tick: max(scenario.sampling.tick, Seconds(1)))
    for client in scenario.clients {
      switch client.kind {
      case .figures(let figures): engine.add(client.name, Flow(figures))
      case .workload(let workload): engine.install(workload, named: client.name)
      case .mix(let mix): engine.installServer(mix, client.name)
      }
    }
    if adopting {
      engine.adopt(
        scenario.clients.compactMap { if case .mix(let mix) = $0.kind { ($0.name, mix) } else { nil } })
    }
    samples = Sampler(engine, sizes: scenario.sampling.sizes)
    trace = RunTrace(
      scenario: scenario.name, story: scenario.story, lesson: scenario.lesson, seed: scenario.seed,
      machine: samples.facts(engine))
    total = Runner.duration(of: scenario.steps)
    nextCounters = scenario.sampling.counters?.rawValue ?? .max
    nextMap = scenario.sampling.maps?.rawValue ?? .max
  }

  /// The time that steps let pass.
  static func duration(of steps: [Step]) -> Seconds {
    steps.reduce(.zero) { sum, step in
      switch step.action {
      case .run(let time): sum + time
      case .repeated(let times, let steps): sum + Seconds(duration(of: steps).rawValue * UInt64(times))
      default: sum
      }
    }
  }

  func run(_ shouldGoOn: (RunProgress) -> Bool) {
    look("at the start", withMap: true)
    perform(scenario.steps, shouldGoOn)
    look(isStopped ? "when it was stopped" : "at the end", withMap: true)
    trace.owners = samples.owners(engine)
    trace.states = samples.states.states
    trace.figures = samples.lastFigures
    // Every scenario ends with its machine empty, and in order.
    engine.finish()
  }

  func perform(_ steps: [Step], _ shouldGoOn: (RunProgress) -> Bool) {
    for step in steps where !isStopped {
      if case .repeated(let times, let inner) = step.action {
        for _ in 0..<times where !isStopped { perform(inner, shouldGoOn) }
        continue
      }
      let begin = engine.time
      var outcome = perform(step.action, shouldGoOn)
      if step.mustFail { outcome = outcome.asItMustFail }
      trace.events.append(
        RunTrace.Event(
          time: begin.rawValue, line: step.place.line, step: step.action.title, note: step.note, outcome: outcome.kind,
          text: outcome.text))
    }
  }

  private func perform(_ action: Step.Action, _ shouldGoOn: (RunProgress) -> Bool) -> StepOutcome {
    switch action {
    case .start(let names):
      for name in names { engine.start(name) }
      return .done(names.joined(separator: ", "))
    case .stop(let names, let keeps):
      for name in names { engine.stop(name, keeps: keeps) }
      return .done(names.joined(separator: ", ") + (keeps ? ", what they hold stays" : ""))
    case .run(let time): return pass(time, shouldGoOn)
    case .allocate(let step): return engine.allocate(step)
    case .free(let client, let share, let pick): return engine.free(client, share, pick)
    case .pool(let step): return engine.pool(step)
    case .compact(let size): return engine.compact(size)
    case .drop(let amount): return engine.drop(amount)
    case .hotplug(let step): return engine.perform(step)
    case .space(let step): return engine.perform(step)
    case .expect(let expectation): return check(expectation)
    case .snapshot(let label):
      look(label, withMap: true)
      return .done("\(samples.summary)")
    case .repeated: return .done("")
    }
  }

  private func pass(_ time: Seconds, _ shouldGoOn: (RunProgress) -> Bool) -> StepOutcome {
    let end = engine.time + time
    let before = engine.operations
    var ticks: UInt64 = 0
    while engine.time < end {
      engine.advance()
      ticks += 1
      let now = engine.time.rawValue
      if now >= nextCounters || now >= nextMap {
        let withMap = now >= nextMap
        look(nil, withMap: withMap)
        if let every = scenario.sampling.counters { nextCounters = now - now % every.rawValue + every.rawValue }
        if withMap, let every = scenario.sampling.maps { nextMap = now - now % every.rawValue + every.rawValue }
      }
      if ticks % 16 == 0, !shouldGoOn(RunProgress(time: engine.time, total: total, operations: engine.operations)) {
        isStopped = true
        return .failed("stopped after \(engine.time)")
      }
    }
    return .done("\(engine.operations - before) folios allocated and freed")
  }

  private func check(_ expectation: Expectation) -> StepOutcome {
    samples.look(engine)
    guard let found = samples.value(of: expectation.counter) else { return .failed("there is no counter \(expectation.counter)") }
    let text = "\(expectation.counter) is \(found.unit.text(found.value))"
    let holds =
      switch expectation.comparison {
      case .less: found.value < expectation.value
      case .atMost: found.value <= expectation.value
      case .equal: found.value == expectation.value
      case .atLeast: found.value >= expectation.value
      case .more: found.value > expectation.value
      }
    return holds ? .done(text) : .failed(text)
  }

  /// Appends a row of counters, and a map.
  private func look(_ label: String?, withMap: Bool) {
    let scan = samples.look(engine)
    let now = engine.time.rawValue
    if trace.times.last != now {
      trace.times.append(now)
      samples.append(to: &trace.series)
    } else {
      samples.replaceLast(of: &trace.series)
    }
    guard withMap else { return }
    let cells = samples.map(scan)
    if label == nil || trace.maps.last?.time != now || trace.maps.last?.label != nil {
      trace.maps.append(RunTrace.MapFrame(time: now, label: label, cells: cells))
    } else {
      trace.maps[trace.maps.count - 1] = RunTrace.MapFrame(time: now, label: label, cells: cells)
    }
  }
}
