import FrameMap
import MemoryUnits
import PhysicalLayout
import Testing

@testable import Lab

/// Small machines of every architecture, in every model.
struct EnginePresetTests {
  struct Case: CustomTestStringConvertible {
    let architecture: Architecture
    let model: MemoryModel
    var testDescription: String { "\(architecture.name), \(model)" }

    static let all = Architecture.allPresets.flatMap { preset in
      MemoryModel.allCases.map { Case(architecture: preset, model: $0) }
    }

    /// A scenario of such a machine, whose events all have to come true.
    func run(_ rest: String, room: String = "", steps: String) throws {
      let trace = try LabRun.run(
        try EngineFixture.scenario(
          """
          machine: {preset: \(architecture.name), memory: 1G, kernel: 16M, model: \(model)\(room)}
          sampling: {counters: never, sizes: [\(architecture.hugeSizes[0])]}
          clients: {heap: {sizes: 64K}}
          steps:
          \(rest)\(steps)
          """))
      for event in trace.events where event.outcome != .done { Issue.record("\(testDescription): \(event.step): \(event.text)") }
    }
  }

  private static let life = """
      - allocate: {client: heap, amount: 64M, required: true}
      - space: {name: a, map: 4M}
      - space: {name: a, pin: 10%}
      - expect: pinned > 0
      - space: {name: a, exit: true}
      - free: {client: heap}

    """

  @Test(arguments: Case.all) func everyMachineBoots(_ at: Case) throws {
    try at.run(Self.life, steps: "  - expect: free > 512M\n")
  }

  /// What was added is used, is emptied, goes away, and comes again; behind the room nothing comes.
  @Test(arguments: Case.all.filter(\.model.canChange)) func everyMachineGrowsIntoItsRoom(_ at: Case) throws {
    let block = at.architecture.smallestMemoryBlock
    let room = ", room: {size: \(block * 2), block: \(block)}"
    try at.run(
      Self.life, room: room,
      steps: """
          - add: {size: \(block), online: kernel}
          - add: {size: \(block), online: movable}
          - add: {size: \(block)}
            fails: true
          - allocate: {client: heap, amount: 256M, required: true}
          - offline: {added: 1}
          - remove: {added: 1}
          - free: {client: heap}
          - offline: {added: 0}
          - remove: {added: 0}
          - add: {size: \(block * 2), online: movable}

        """)
  }

  /// A room of less than a section is room for as many blocks as it says.
  @Test func aRoomMayBeSmallerThanASection() throws {
    let at = Case(architecture: .x86_64, model: .vmemmap)
    try at.run(
      "", room: ", room: {size: 4M, block: 2M}",
      steps: "  - add: {size: 2M}\n  - add: {size: 2M}\n  - add: {size: 2M}\n    fails: true\n")
  }
}
