public import MemoryUnits

/// What happens to a machine, as a file describes it (Docs/Scenarios.md).
///
/// A value: the same scenario with the same seed gives the same run.
public struct Scenario: Hashable, Sendable {
  public var name: String
  /// What happens and why, for a reader.
  public var story = ""
  /// What is to be learnt from how it ends.
  public var lesson = ""
  public var seed: UInt64 = 1
  public var machine = MachineSpec()
  public var sampling = Sampling()
  /// In the order of the file: their numbers, and so their random streams, hang on it.
  public var clients: [ClientSpec] = []
  public var steps: [Step] = []

  public init(name: String) { self.name = name }

  /// How often a run is looked at.
  public struct Sampling: Hashable, Sendable {
    /// Between two rows of counters, while time passes; nil for none but at snapshots and at the end.
    public var counters: Seconds? = Seconds(3600)
    /// Between two maps; nil for none but at snapshots and at the end.
    public var maps: Seconds?
    /// Page sizes that are counted; nil for all of the architecture's.
    public var sizes: [PageSize]?
    /// How finely time passes: what happens within one tick happens at once.
    public var tick = Seconds(1)

    public init() {}
  }
}

/// A place in a file, from 1 on.
public struct TextPlace: Hashable, Sendable, Codable {
  public var line: Int
  public var column: Int

  public init(line: Int, column: Int) {
    self.line = line
    self.column = column
  }
}
