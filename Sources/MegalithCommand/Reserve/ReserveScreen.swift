import HostMemory
import MemoryUnits
import PhysicalLayout

/// What a reservation came to, for people.
struct ReserveScreen {
  private let report: ReserveReport
  private let options: ReserveOptions
  private let terminal: Terminal

  init(_ report: ReserveReport, _ options: ReserveOptions, _ terminal: Terminal) {
    self.report = report
    self.options = options
    self.terminal = terminal
  }

  /// A step as soon as it is over.
  static func lines(_ step: ReserveStepReport) -> [String] {
    let name = step.kind.rawValue.leftAligned(12)
    let text =
      switch step.outcome {
      case .done: "\(gains(step.gain)) in \(step.time.forPeople)"
      case .skipped(let why): "skipped: \(why)"
      case .failed(let why): "\(gains(step.gain)) in \(step.time.forPeople), then: \(why)"
      }
    return ["\(name) \(text)"] + step.notes.map { "             \($0)" }
  }

  static func gains(_ gain: [PageSize: HugePageCount]) -> String {
    gain.isEmpty ? "no page" : gain.sorted { $1.key < $0.key }.map { "+\($0.value) of \($0.key)" }.joined(separator: ", ")
  }

  func lines() -> [String] {
    var goals = TextTable([
      .init(title: "pages of", isNumber: false), .init(title: "node", isNumber: true), .init(title: "before", isNumber: true),
      .init(title: "target", isNumber: true), .init(title: "now", isNumber: true), .init(title: "obtained", isNumber: true),
      .init(title: "missing", isNumber: true),
    ])
    for outcome in report.goals {
      goals.add([
        "\(outcome.goal.size)", outcome.goal.node?.description ?? "any", "\(outcome.goal.before)", "\(outcome.goal.target)",
        "\(outcome.after)", "\(outcome.obtained)", "\(outcome.missing)",
      ])
    }
    var lines = [""] + goals.lines()
    let nodes = report.pools.filter { $0.before != $0.after && $0.files.node != nil }
    if !nodes.isEmpty {
      lines += [""] + nodes.map { "pool of \($0.files.size)\($0.files.place): \($0.before) to \($0.after)" }
    }
    lines += report.returned.map { "returned: pool of \($0.files.size)\($0.files.place) from \($0.before) to \($0.after)" }
    for node in report.nodesAtMargin { lines.append("node \(node) is at its margin; less would be left to others") }
    if let stop = report.stop { lines.append("stopped: \(stop)") }
    lines += report.troubles.map { "could not be put back: \($0)" }
    if let survey = report.survey {
      lines += ReserveAdvice(survey, goals: report.goals.filter { $0.missing > .zero }.map(\.goal), terminal).lines()
    }
    return lines
  }
}

/// The plan of a reservation, for people.
struct ReservePlanScreen {
  private let plan: ReservePlan
  private let options: ReserveOptions
  private let terminal: Terminal

  init(_ plan: ReservePlan, _ options: ReserveOptions, _ terminal: Terminal) {
    self.plan = plan
    self.options = options
    self.terminal = terminal
  }

  func lines() -> [String] {
    var goals = TextTable([
      .init(title: "pages of", isNumber: false), .init(title: "node", isNumber: true), .init(title: "now", isNumber: true),
      .init(title: "target", isNumber: true), .init(title: "obtainable", isNumber: true),
      .init(title: "above the margin", isNumber: true),
    ])
    for prediction in plan.predictions {
      let goal = prediction.goal
      goals.add([
        "\(goal.size)", goal.node?.description ?? "any", "\(goal.before)", "\(goal.target)", "\(prediction.obtainable)",
        "\(prediction.aboveMargin)",
      ])
    }
    var lines = [terminal.heading("Nothing is written: this is what would be done, until the target is reached."), ""]
    lines += goals.lines() + [""]
    for (node, room) in plan.room.sorted(by: { $0.key < $1.key }) {
      lines.append("node \(node) has \(room.forPeople) above its margin")
    }
    for (index, step) in plan.steps.enumerated() { lines += [""] + self.lines(step, number: index + 1) }
    return lines
      + ReserveAdvice(plan.survey, goals: plan.predictions.filter { $0.aboveMargin < $0.goal.asked }.map(\.goal), terminal)
      .lines()
  }

  private func lines(_ step: ReserveStepPlan, number: Int) -> [String] {
    var state = "  gives up to \(ReserveScreen.gains(step.gain))"
    if step.gain.isEmpty { state = "  gives what nobody can foretell" }
    switch step.readiness {
    case .idle(let why): state = "  not needed: \(why)"
    case .refused(let why): state = "  refused: \(why)"
    case .ready: break
    }
    var lines = [terminal.heading("\(number). \(step.kind.rawValue)")]
    if let permission = step.kind.permission, !options.allowed.contains(permission) {
      lines[0] += "   only with --allow \(permission.rawValue)"
    }
    lines.append(state)
    if case .idle = step.readiness { return lines }
    if !step.cost.isEmpty { lines += Paragraph.wrap("costs: " + step.cost, indent: "  ", hanging: "    ") }
    let shown = step.writes.prefix(Self.shownWrites)
    lines += shown.map { "  may write \($0.path): \($0.value)" }
    if step.writes.count > shown.count {
      lines.append("  ... and \(step.writes.count - shown.count) more writes; --json has all")
    }
    return lines
  }

  /// A host has thousands of blocks.
  private static let shownWrites = 16
}

/// What blocks the rest, and who or what could help.
struct ReserveAdvice {
  private let survey: Survey
  private let goals: [PoolGoal]
  private let terminal: Terminal

  init(_ survey: Survey, goals: [PoolGoal], _ terminal: Terminal) {
    self.survey = survey
    self.goals = goals
    self.terminal = terminal
  }

  func lines() -> [String] {
    var lines: [String] = []
    let screen = SurveyScreen(survey, terminal)
    let sizes = Set(goals.map(\.size))
    for result in survey.sizes.reversed() where sizes.contains(result.size) {
      lines += screen.more(result) + screen.blockers(result)
    }
    let names = processes
    if !names.isEmpty {
      lines += ["", terminal.heading("Processes to move or restart, the likeliest first")] + names.map { "  \($0)" }
    }
    for goal in goals where (survey.sizes.first { $0.size == goal.size }?.remedies[.nextBoot] ?? 0) > 0 {
      lines += [""]
      lines += Paragraph.wrap(
        "The next boot gives \(goal.size) pages that this one cannot: hugepagesz=\(goal.size) "
          + "hugepages=\(goal.node.map { "\($0):" } ?? "")\(goal.target) on the kernel's command line.")
    }
    return lines
  }

  /// Those that explain names as suspects, with what makes them so.
  var processes: [String] {
    let hasMoves = survey.sizes.contains { result in
      goals.contains { $0.size == result.size } && ((result.remedies[.moveProcess] ?? 0) > 0 || survey.reports.hasPins)
    }
    guard hasMoves else { return [] }
    let suspects = Suspects(survey.reports)
    let limit = 3
    return suspects.pinning.prefix(limit).map { "\($0.name)(\($0.id)): \($0.pinned.forPeople) pinned for a device" }
      + suspects.locking.prefix(limit).map { "\($0.name)(\($0.id)): \($0.locked.forPeople) locked" }
      + suspects.mapping.prefix(limit).map { "\($0.name)(\($0.id)): \($0.pageTables.forPeople) of page tables" }
  }
}

extension Duration {
  /// `1.2 s`
  var forPeople: String {
    let (seconds, attoseconds) = components
    return "\(seconds).\(attoseconds / 100_000_000_000_000_000) s"
  }
}
