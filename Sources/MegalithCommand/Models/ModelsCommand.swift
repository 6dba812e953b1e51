import ArgumentParser
import FrameMap
import MemoryUnits
import PhysicalLayout

struct ModelsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "models",
    abstract: "What a descriptor for every page frame costs, in each memory model.",
    discussion: """
      A kernel keeps a descriptor for each page frame. The model decides which holes have descriptors too, and how far \
      they are contiguous. Sizes are for the kernel's own descriptor, and for the one that this package uses; tables are \
      this package's. Nothing is built.

      EXAMPLES
        megalith models --memory 1T --holes 64:random
        megalith models --memory 256G --architecture ppc64
        megalith models --dmesg dmesg.txt --json
      """)

  @OptionGroup var machine: MachineOptions
  @Flag(help: "Print a document of schema megalith.models/1.") var json = false

  func run() throws {
    let layout = try machine.layout()
    let report: ModelsReport
    do {
      report = try ModelsReport(layout)
    } catch {
      throw ExitStatus.badData("memory goes beyond what \(layout.architecture.name) can address. Check the memory map.")
    }
    if json {
      print(try JSONText.make(ModelsDocument(report)))
    } else {
      for line in ModelsScreen(report).lines() { print(line) }
    }
  }
}

/// The account of each model for a machine.
struct ModelsReport {
  let layout: BootLayout
  /// The largest page above the allocator's top order; nil where the architecture has none.
  let gigantic: PageSize?
  let rows: [Row]

  struct Row {
    /// By the kernel's descriptor.
    let kernel: MemmapAccount
    /// By this package's.
    let own: MemmapAccount
    /// Nil without gigantic pages.
    let isGiganticContiguous: Bool?
  }

  init(_ layout: BootLayout) throws(FrameMapError) {
    let architecture = layout.architecture
    let map = try FrameMapLayout(layout)
    let gigantic = architecture.hugeSizes.last { architecture.isGigantic($0) }
    self.layout = layout
    self.gigantic = gigantic
    rows = MemoryModel.allCases.map { model in
      let kernel = MemmapAccount(map, model: model, descriptorSize: architecture.descriptorSize)
      return Row(
        kernel: kernel, own: MemmapAccount(map, model: model),
        isGiganticContiguous: gigantic.map { kernel.isContiguous($0.order(baseShift: architecture.baseShift)) })
    }
  }
}
