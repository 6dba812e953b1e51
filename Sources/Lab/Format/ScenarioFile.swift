/// Files that describe scenarios (Docs/Scenarios.md).
public enum ScenarioFile {
  /// Reads a scenario.
  ///
  /// The same text with the same overrides gives the same scenario. No file is touched: a capture's path is put behind that of the
  /// file's folder, and is for the run to open.
  ///
  /// - Parameters:
  ///   - text: YAML.
  ///   - name: the file's path, for messages and for paths in it.
  ///   - overrides: values to be set before the text is read, in order, by paths of keys and, of lists, indices from 0 on:
  ///     `machine.policy.group`, `steps.2.pool.pages`. Each value is YAML: `1G`, `[1G, 2G]`, `{automatic: 60%}`.
  /// - Throws: ``ScenarioProblems`` with all that is wrong.
  /// - Complexity: O(length of the text * length of a list of keys).
  public static func read(
    _ text: String, named name: String = "", overriding overrides: [(key: String, value: String)] = []
  ) throws(ScenarioProblems) -> Scenario {
    var (value, problems) = YAMLText.read(text)
    guard value != nil || problems.isEmpty else { throw ScenarioProblems(file: name, problems: problems) }
    for override in overrides {
      if let problem = value?.override(override.key, with: override.value) { problems.append(problem) }
    }
    var reading = Reading()
    reading.problems = problems
    let scenario = value.flatMap { ScenarioForm.form.read($0, &reading) }
    if let value { StepNames.check(value, &reading) }
    reading.runChecks()
    guard reading.problems.isEmpty, var scenario else {
      throw ScenarioProblems(file: name, problems: sorted(reading.problems))
    }
    if case .capture(let path) = scenario.machine.source { scenario.machine.source = .capture(resolved(path, beside: name)) }
    return scenario
  }

  /// In the file's order, overrides last; what is at one place stays in the order in which it was found, without repetitions.
  private static func sorted(_ problems: [ScenarioProblem]) -> [ScenarioProblem] {
    var seen: Set<ScenarioProblem> = []
    let unique = problems.filter { seen.insert($0).inserted }
    let placed = unique.enumerated().map { index, problem -> (key: (Int, Int, Int), problem: ScenarioProblem) in
      guard case .place(let place) = problem.source else { return ((Int.max, 0, index), problem) }
      return ((place.line, place.column, index), problem)
    }
    return placed.sorted { $0.key < $1.key }.map(\.problem)
  }

  private static func resolved(_ path: String, beside file: String) -> String {
    guard !path.hasPrefix("/"), let slash = file.lastIndex(of: "/") else { return path }
    return String(file[...slash]) + path
  }
}
