/// All that is known of a run: what reports are made of. Its JSON is the schema `megalith.run/1` (Docs/JSON.md).
public struct RunTrace: Hashable, Sendable, Codable {
  public static let schema = "megalith.run/1"

  public var schema = RunTrace.schema
  public var scenario: String
  public var story: String
  public var lesson: String
  public var seed: UInt64
  public var machine: MachineFacts
  /// Whose memory a map shows; `MapState.owner` is an index into it.
  public var owners: [Owner] = []
  /// In scenario seconds, rising: the moments of the counters' rows.
  public var times: [UInt64] = []
  public var series: [Series] = []
  /// What was met in any map: `MapFrame.cells` numbers these.
  public var states: [MapState] = []
  public var maps: [MapFrame] = []
  public var events: [Event] = []
  /// Figures at the end, by name: what a sweep compares.
  public var figures: [Figure] = []

  public init(scenario: String, story: String, lesson: String, seed: UInt64, machine: MachineFacts) {
    self.scenario = scenario
    self.story = story
    self.lesson = lesson
    self.seed = seed
    self.machine = machine
  }

  public struct MachineFacts: Hashable, Sendable, Codable {
    public var architecture: String
    public var model: String
    public var memoryBytes: UInt64
    public var baseBytes: UInt64
    public var pageblockBytes: UInt64
    /// Bytes of one cell of a map: a pageblock, or a power of two of them on large machines.
    public var cellBytes: UInt64
    /// Which memory the cells stand for, in their order; starts are multiples of a cell.
    public var ranges: [Range]
    /// Bytes of the page sizes that were counted, smallest first.
    public var sizes: [UInt64]
    /// What differs from the architecture's own policies, as a reader says it.
    public var policies: [String]

    public init(
      architecture: String, model: String, memoryBytes: UInt64, baseBytes: UInt64, pageblockBytes: UInt64, cellBytes: UInt64,
      ranges: [Range], sizes: [UInt64], policies: [String]
    ) {
      self.architecture = architecture
      self.model = model
      self.memoryBytes = memoryBytes
      self.baseBytes = baseBytes
      self.pageblockBytes = pageblockBytes
      self.cellBytes = cellBytes
      self.ranges = ranges
      self.sizes = sizes
      self.policies = policies
    }
  }

  /// Cells of a range of physical memory.
  public struct Range: Hashable, Sendable, Codable {
    /// A physical address.
    public var start: UInt64
    public var cells: UInt64
    public var node: UInt32
    /// The zone that most of it is in, at boot.
    public var zone: String

    public init(start: UInt64, cells: UInt64, node: UInt32, zone: String) {
      self.start = start
      self.cells = cells
      self.node = node
      self.zone = zone
    }
  }

  public struct Owner: Hashable, Sendable, Codable {
    public var name: String
    public var kind: Kind

    public init(name: String, kind: Kind) {
      self.name = name
      self.kind = kind
    }

    /// How its memory behaves, which gives a cell its colour.
    public enum Kind: String, CaseIterable, Hashable, Sendable, Codable {
      case free, cache, movable, reclaimable, unmovable, pinned, pageTable, pool, reserved, memmap, offline, hole
    }
  }

  /// A row of numbers over `times`.
  public struct Series: Hashable, Sendable, Codable {
    public var name: String
    public var unit: Unit
    public var values: [UInt64]

    public init(name: String, unit: Unit, values: [UInt64] = []) {
      self.name = name
      self.unit = unit
      self.values = values
    }
  }

  public enum Unit: String, CaseIterable, Hashable, Sendable, Codable {
    case bytes, pages, count
    /// Hundredths of a percent.
    case basisPoints
  }

  /// What a cell looks like: shares in 255ths of the cell, rounded up, so that one frame is seen.
  public struct MapState: Hashable, Sendable, Codable {
    /// Who has most of what is most in the way: of what cannot move, if there is any, else of what can, else free.
    public var owner: Int
    public var free: UInt8
    public var movable: UInt8
    public var unmovable: UInt8

    public init(owner: Int, free: UInt8, movable: UInt8, unmovable: UInt8) {
      self.owner = owner
      self.free = free
      self.movable = movable
      self.unmovable = unmovable
    }
  }

  public struct MapFrame: Hashable, Sendable, Codable {
    public var time: UInt64
    public var label: String?
    /// Runs over all cells of all ranges, in their order: state, number of cells, state, number of cells, ...
    public var cells: [UInt32]

    public init(time: UInt64, label: String?, cells: [UInt32]) {
      self.time = time
      self.label = label
      self.cells = cells
    }
  }

  public struct Event: Hashable, Sendable, Codable {
    public enum Outcome: String, Hashable, Sendable, Codable {
      case done, inPart, failed
    }

    public var time: UInt64
    public var line: Int
    /// What the step was: `pool 1G:16`.
    public var step: String
    public var note: String?
    public var outcome: Outcome
    /// What came of it: `11 of 16 pages; 5 ranges blocked by slab`.
    public var text: String

    public init(time: UInt64, line: Int, step: String, note: String?, outcome: Outcome, text: String) {
      self.time = time
      self.line = line
      self.step = step
      self.note = note
      self.outcome = outcome
      self.text = text
    }
  }

  public struct Figure: Hashable, Sendable, Codable {
    public var name: String
    public var unit: Unit
    public var value: UInt64

    public init(name: String, unit: Unit, value: UInt64) {
      self.name = name
      self.unit = unit
      self.value = value
    }
  }

  /// Whether every step and every expectation came true.
  public var isGood: Bool { events.allSatisfy { $0.outcome != .failed } }
}
