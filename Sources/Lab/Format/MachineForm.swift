import FrameMap
import MemoryUnits
import PhysicalLayout

/// How a machine is written.
enum MachineForm {
  static let form = Form<MachineSpec>.object(
    "machine", "The machine that everything happens on.", from: MachineSpec(),
    [
      Field("preset", architecture, "The processor family and its kernel; `x86_64` where it is left out.") {
        $0.architecture = $1
      },
      Field(
        "memory", memory,
        "How much memory it boots with, or how much on each node, from node 0 on. `16G` where neither this nor `firmware` nor `capture` is there."
      ) {
        $0.source = .memory($1)
      },
      Field("firmware", firmware, "The lines of a kernel's log that begin with `BIOS-e820:`, or the text of `/proc/iomem`.") {
        $0.source = .firmware($1)
      },
      Field(
        "capture", .text, "A capture of a live host, a directory, relative to the scenario's file: its memory as it was in use."
      ) {
        $0.source = .capture($1)
      },
      Field("command-line", commandLine, "What the kernel is told about memory: `hugepagesz=1G hugepages=4 movablecore=50%`.") {
        $0.commandLine = $1
      },
      Field("model", model, "How descriptors of frames are laid out; `vmemmap` where it is left out.") { $0.model = $1 },
      Field("holes", holes, "Holes in the memory, at random places.") { $0.holes = $1 },
      Field("room", room, "Memory that may be added later.") { $0.room = $1 },
      Field("policy", PolicyForm.form, "What differs from the architecture's own policies.") { $0.policy = $1 },
      Field("processors", .integer(1...4096), "Processors; 1 where it is left out.") { $0.processors = UInt32($1) },
      Field(
        "kernel", .size, "What the kernel's image and its first data take, beside the descriptors; `64M` where it is left out."
      ) {
        $0.kernel = $1
      },
    ],
    rules: [.atMostOne(["memory", "firmware", "capture"])]
  ) { machine, object, reading in
    MachineCheck(machine: machine, object: object).check(&reading)
  }

  static let architecture = Form<Architecture>.words(Architecture.allPresets.map { ($0.name, $0) })

  static let model = Form<MemoryModel>.words(MemoryModel.allCases.map { ($0.description, $0) })

  static let memory = Form<[ByteCount]>.either([
    Form<ByteCount>.size.map { [$0] },
    .list(.size),
  ])

  static let commandLine = Form<KernelCommandLine>(.text) { value, reading in
    guard let text = value.text else {
      reading.refuse(value, .text)
      return nil
    }
    let commandLine = KernelCommandLine(parsing: Array(text.utf8))
    for problem in commandLine.problems {
      let parameter = String(decoding: problem.text, as: UTF8.self)
      reading.report(value.source, "\(quote(parameter)) on the command line: \(problem.reason.text)")
    }
    return commandLine.problems.isEmpty ? commandLine : nil
  }

  static let firmware = Form<String>(.text) { value, reading in
    guard let text = value.text else {
      reading.refuse(value, .text)
      return nil
    }
    do throws(FirmwareMapError) {
      let map = try firmwareMap(text)
      guard map.size(of: .usable) > .zero else {
        reading.report(value.source, "the firmware names no memory: no line says usable or System RAM")
        return nil
      }
      return text
    } catch {
      let expected = "lines with `BIOS-e820: [mem 0x...-0x...] usable`, or the text of /proc/iomem"
      reading.report(value.source(ofLine: error.line), "the firmware's map: \(error.text)", allowed: expected)
      return nil
    }
  }

  /// Reads what a scenario's `firmware` holds.
  ///
  /// - Throws: ``FirmwareMapError`` as ``BootLog`` or the tree's reader throws it.
  static func firmwareMap(_ text: String) throws(FirmwareMapError) -> FirmwareMap {
    let bytes = Array(text.utf8)
    return text.contains("e820") ? try BootLog(parsing: bytes).firmwareMap : try FirmwareMap(resourceTree: bytes)
  }

  static let holes = Form<MachineSpec.Holes>.object(
    "holes", "Holes in the memory, at places that the seed chooses.",
    from: MachineSpec.Holes(count: 0, size: .zero, alignment: .mebibytes(2)),
    [
      Field("count", .integer(1...100_000), isRequired: true, "How many.") { $0.count = UInt32($1) },
      Field("size", .size, isRequired: true, "Bytes of each.") { $0.size = $1 },
      Field("aligned", alignment, "Their starts are multiples of it; `2M` where it is left out.") { $0.alignment = $1 },
      Field(
        "kind", .words([("reserved", HoleKind.reserved), ("absent", .absent)]),
        "Reserved by the firmware, which is so where it is left out, or nothing at all."
      ) {
        $0.kind = $1
      },
    ])

  private static let alignment = Form<ByteCount>.size.checked { size, value, reading in
    if size.rawValue.nonzeroBitCount == 1 { return true }
    reading.report(value.source, "\(value.quoted) is no alignment: it is no power of two")
    return false
  }

  static let room = Form<MachineSpec.Room>.object(
    "room", "Memory that may be added while the machine runs.", from: MachineSpec.Room(size: .zero),
    [
      Field("size", .size, isRequired: true, "How much beyond what the machine boots with.") { $0.size = $1 },
      Field(
        "block", alignment, "Bytes of a memory block, which comes and goes as a whole; the architecture's where it is left out."
      ) {
        $0.blockSize = $1
      },
    ])
}

extension FileValue {
  /// Where a line of a text stands, from 1 on.
  fileprivate func source(ofLine line: Int?) -> ScenarioProblem.Source {
    guard let line, case .scalar(_, .literal) = content, case .place(let place) = source else { return source }
    return .place(TextPlace(line: place.line + line, column: 1))
  }
}
