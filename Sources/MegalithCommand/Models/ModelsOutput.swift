import FrameMap
import MemoryUnits
import PhysicalLayout

/// `megalith.models/1`: bytes and frames as numbers.
struct ModelsDocument: Encodable {
  let schema = "megalith.models/1"
  let architecture: String
  let basePage: UInt64
  let memoryFrames: UInt64
  let sectionBytes: UInt64
  /// Absent where the architecture has no gigantic page.
  let giganticBytes: UInt64?
  let models: [Model]

  struct Model: Encodable {
    let model: String
    let kernel: Memmap
    let own: Memmap
    let tableBytes: UInt64
    let sections: UInt64
    let runs: UInt64
    let longestRunFrames: UInt64
    let shortestRunFrames: UInt64
    let isGiganticContiguous: Bool?
  }

  struct Memmap: Encodable {
    let descriptorBytes: UInt64
    let memmapBytes: UInt64
    let bytesWastedOnHoles: UInt64
  }

  init(_ report: ModelsReport) {
    let preset = report.layout.architecture
    architecture = preset.name
    basePage = preset.baseShift.bytes.rawValue
    memoryFrames = report.layout.present.rawValue
    sectionBytes = preset.sectionSize.rawValue
    giganticBytes = report.gigantic?.bytes.rawValue
    models = report.rows.map { row in
      Model(
        model: row.own.model.description, kernel: Memmap(row.kernel, preset.descriptorSize),
        own: Memmap(row.own, MemmapAccount.ownDescriptorSize), tableBytes: row.own.tableBytes.rawValue,
        sections: row.own.sections.rawValue, runs: row.own.runs.rawValue,
        longestRunFrames: row.own.longestRun.rawValue, shortestRunFrames: row.own.shortestRun.rawValue,
        isGiganticContiguous: row.isGiganticContiguous)
    }
  }
}

extension ModelsDocument.Memmap {
  fileprivate init(_ account: MemmapAccount, _ size: ByteCount) {
    descriptorBytes = size.rawValue
    memmapBytes = account.memmapBytes.rawValue
    bytesWastedOnHoles = account.bytesWastedOnHoles.rawValue
  }
}

/// The models for people.
struct ModelsScreen {
  let report: ModelsReport

  init(_ report: ModelsReport) { self.report = report }

  func lines() -> [String] {
    let architecture = report.layout.architecture
    let shift = architecture.baseShift
    func size(_ frames: FrameCount) -> String { ByteCount(frames, shift).forPeople }
    var lines = ["\(size(report.layout.present)) of memory in \(shift.bytes) pages, \(architecture.name)"]
    if architecture.descriptorSize != MemmapAccount.ownDescriptorSize {
      lines += ["", "With the kernel's descriptors of \(architecture.descriptorSize) bytes"]
      lines += memmap { $0.kernel }.lines(indent: "  ")
    }
    lines += ["", "With this package's descriptors of \(MemmapAccount.ownDescriptorSize) bytes"]
    lines += memmap { $0.own }.lines(indent: "  ")

    let page = report.gigantic.map { "\($0) page" }
    var runs = TextTable(
      [.init(title: "model", isNumber: false)]
        + ["runs", "longest", "shortest"].map { .init(title: $0, isNumber: true) }
        + (page.map { [.init(title: $0, isNumber: false)] } ?? []))
    for row in report.rows {
      var cells = ["\(row.own.model)", "\(row.own.runs)", size(row.own.longestRun), size(row.own.shortestRun)]
      if let isContiguous = row.isGiganticContiguous { cells.append(isContiguous ? "contiguous" : "scattered") }
      runs.add(cells)
    }
    lines += ["", "Memory whose descriptors are contiguous"] + runs.lines(indent: "  ")
    if page == nil { lines += ["", "\(architecture.name) has no gigantic page."] }
    return lines
  }

  private func memmap(_ account: (ModelsReport.Row) -> MemmapAccount) -> TextTable {
    var table = TextTable(
      [.init(title: "model", isNumber: false)]
        + ["memmap", "on holes", "tables"].map { .init(title: $0, isNumber: true) })
    for row in report.rows {
      let account = account(row)
      table.add([
        "\(account.model)", account.memmapBytes.forPeople, account.bytesWastedOnHoles.forPeople,
        account.tableBytes.forPeople,
      ])
    }
    return table
  }
}
