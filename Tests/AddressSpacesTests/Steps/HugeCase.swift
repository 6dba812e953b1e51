import FrameMap
import HostArena
import Megalith
import MemoryUnits
import PhysicalLayout
import Testing

/// A page size of an architecture, and a memory model, on which a table of steps is run.
struct HugeCase: Sendable, CustomTestStringConvertible {
  let architecture: Architecture
  let size: PageSize
  let model: MemoryModel

  var testDescription: String { "\(architecture.name) \(size) \(model)" }

  /// Pages of 2M and of 1G in every memory model.
  static let all = [PageSize.huge, .gigantic].flatMap { size in
    MemoryModel.allCases.map { HugeCase(architecture: .x86_64, size: size, model: $0) }
  }

  /// Every huge size of every preset, the models by turns.
  static let everySize: [HugeCase] = {
    let sizes = Architecture.allPresets.flatMap { preset in preset.hugeSizes.map { (preset, $0) } }
    let models = Array(MemoryModel.allCases)
    return sizes.enumerated().map { HugeCase(architecture: $1.0, size: $1.1, model: models[$0 % models.count]) }
  }()

  /// Room for two dozen pages, and for what a machine needs beside them.
  func world(memory: ByteCount? = nil, nodes: Int = 1, commandLine: String = "") throws -> World<HostStorage> {
    let half = memory.map { ByteCount($0.rawValue / 2) } ?? (size.bytes * 12 + .mebibytes(100)).aligned(to: .mebibytes(128), .up)
    return try World(
      architecture, half * 2, model: model, nodes: nodes == 2 ? [half, half] : [], commandLine: commandLine
    ) {
      // A cache for each processor is recounted too.
      $0.processors = CPUIndexLimit(1)
    }
  }

  /// Runs a table on a machine that is metadata only.
  func run(
    _ table: String, memory: ByteCount? = nil, nodes: Int = 1, commandLine: String = "",
    sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let stage = Stage(try world(memory: memory, nodes: nodes, commandLine: commandLine), size)
    try stage.run(table, sourceLocation: sourceLocation)
    try stage.finish(sourceLocation: sourceLocation)
  }

  /// Runs a table on a machine whose pages of 2M have contents.
  static func runWithContents(
    _ table: String, model: MemoryModel = .vmemmap, sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let stage = Stage(try World(contents: .mebibytes(192), model: model), .huge)
    try stage.run(table, sourceLocation: sourceLocation)
    try stage.finish(sourceLocation: sourceLocation)
  }
}

/// Pages of 2M in every memory model.
enum MemoryModels {
  static let all = HugeCase.all.filter { $0.size == .huge }
}
