import ArgumentParser
import HostMemory
import MemoryUnits
import PhysicalLayout

struct LayoutCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "layout",
    abstract: "The zones, sections, memory blocks and holes that a kernel makes of a machine's memory.",
    discussion: """
      Computed from what the firmware says and the kernel's command line, as an x86_64 kernel does it. A log may be a \
      whole dmesg or serial log. Without a source it is this host's /proc/iomem, which tells addresses to root only.

      EXAMPLES
        megalith layout --dmesg dmesg.txt
        megalith layout --memory 6G --cmdline 'memmap=64K$0x5000000 kernelcore=1G'
        megalith layout --memory 8G --numa 5G,3G --holes 16:2M --seed 7 --json
        megalith layout --dmesg dmesg.txt --reserved reserved.txt
      """)

  @OptionGroup var machine: MachineOptions
  @Option(
    help: ArgumentHelp(
      "Also list the gigantic pages that hugepages= obtains at boot, given the frames reserved before: START-END a line.",
      valueName: "file"))
  var reserved: String?
  @Flag(help: "Print a document of schema megalith.layout/1.") var json = false

  func run() throws {
    let boot = try machine.boot()
    let layout = try MachineOptions.layout(of: boot)
    let bootPages = try reserved.map { (file) throws(ExitStatus) in
      layout.bootPages(boot.commandLine, reserved: try ReservedFrames.read(file) + boot.loadedFrames)
    }
    if json {
      print(try JSONText.make(LayoutDocument(layout, bootPages)))
    } else {
      for line in LayoutScreen(layout, bootPages).lines() { print(line) }
    }
  }
}

/// A machine's memory: from a log, a resource map, or made up.
struct MachineOptions: ParsableArguments {
  @Option(help: ArgumentHelp("The machine that booted with these messages.", valueName: "file")) var dmesg: String?
  @Option(help: ArgumentHelp("The machine with this resource map, as /proc/iomem prints it to root.", valueName: "file"))
  var iomem: String?
  @Option(help: ArgumentHelp("A made-up machine with this much memory.", valueName: "size")) var memory: String?
  @Option(help: ArgumentHelp("Nodes of a made-up machine: sizes that add up to --memory.", valueName: "size,size,..."))
  var numa: String?
  @Option(help: ArgumentHelp("The kernel's command line, in place of the log's.", valueName: "text")) var cmdline: String?
  @Option(
    help: ArgumentHelp(
      "Punch holes at random places: how many, and their size (2M if left out or 'random'), e.g. 64:1M.", valueName: "n:size"))
  var holes: HoleRequest?
  @Option(help: ArgumentHelp("The seed that places holes.", valueName: "n")) var seed: UInt64 = 1
  @Option(help: ArgumentHelp("The preset of a made-up machine or a resource map.", valueName: "name")) var architecture: String?
  @Flag(help: "A made-up machine or a resource map without a hypervisor: large memory blocks.") var bareMetal = false

  func validate() throws {
    let sources = [dmesg, iomem, memory].compactMap(\.self).count
    if sources > 1 { throw ValidationError("Only one of --dmesg, --iomem and --memory can be given") }
    if numa != nil, memory == nil { throw ValidationError("--numa needs --memory") }
    if dmesg != nil, bareMetal || architecture != nil {
      throw ValidationError("--bare-metal and --architecture do not go with --dmesg, which tells both")
    }
  }

  /// What the kernel is told when it starts on the machine.
  func boot() throws(ExitStatus) -> BootDescription {
    var boot = try source()
    if let cmdline {
      boot.commandLine = KernelCommandLine(parsing: Array(cmdline.utf8))
      // What the kernel changed on its own followed from its own command line.
      if dmesg != nil { boot.corrections = [] }
    }
    if let holes { boot.firmwareMap = try punch(holes, into: boot.firmwareMap) }
    return boot
  }

  /// The machine's memory as the kernel lays it out. What is wrong on the command line is said and has no effect.
  func layout() throws(ExitStatus) -> BootLayout { try Self.layout(of: try boot()) }

  static func layout(of boot: BootDescription) throws(ExitStatus) -> BootLayout {
    for problem in boot.commandLine.problems {
      StandardError.write("megalith: on the command line, \(problem.forPeople); it has no effect.\n")
    }
    do {
      return try BootLayout(of: boot)
    } catch {
      throw ExitStatus.badData("no whole frame of memory is left. Check the memory map and the command line.")
    }
  }

  private func source() throws(ExitStatus) -> BootDescription {
    let preset = try chosenArchitecture()
    if let dmesg {
      let content = try read(dmesg)
      do {
        return BootDescription(try BootLog(parsing: content))
      } catch {
        throw ExitStatus(error, path: dmesg, hint: "A log must hold the BIOS-e820 lines of a boot.")
      }
    }
    if let memory {
      let total = try size(memory, "--memory")
      var nodes: [ByteCount] = []
      for text in numa?.split(separator: ",", omittingEmptySubsequences: false) ?? [] {
        nodes.append(try size(String(text), "--numa"))
      }
      do {
        return try PhysicalMemory(total: total, nodes: nodes, architecture: preset).boot(isVirtual: !bareMetal)
      } catch {
        throw ExitStatus.usage(error.forPeople)
      }
    }
    let path = iomem ?? "/proc/iomem"
    let content = try read(path)
    let map: FirmwareMap
    do {
      map = try FirmwareMap(resourceTree: content)
    } catch .addressesHidden {
      throw ExitStatus.noPermission("\(path) hides addresses from this user. Run as root, or use --dmesg.")
    } catch {
      throw ExitStatus(error, path: path, hint: "Give a file in the form of /proc/iomem.")
    }
    var boot = BootDescription(architecture: preset, firmwareMap: map, isVirtual: !bareMetal)
    if iomem == nil { try LiveBoot.complete(&boot) }
    return boot
  }

  private func chosenArchitecture() throws(ExitStatus) -> Architecture {
    guard let architecture else { return .x86_64 }
    guard let preset = Architecture.named(architecture) else {
      let names = Architecture.allPresets.map(\.name).joined(separator: ", ")
      throw ExitStatus.usage("no preset is called '\(architecture)'. Use one of \(names).")
    }
    return preset
  }

  private func punch(_ request: HoleRequest, into map: FirmwareMap) throws(ExitStatus) -> FirmwareMap {
    do {
      let places = try map.holes(count: request.count, size: request.size, aligned: request.alignment, seed: seed)
      return map.punching(places, as: .absent)
    } catch {
      throw ExitStatus.usage("memory has no room for \(request.count) holes of \(request.size). Ask for fewer or smaller ones.")
    }
  }

  private func read(_ path: String) throws(ExitStatus) -> [UInt8] { try UserFile.read(path) }

  private func size(_ text: String, _ option: String) throws(ExitStatus) -> ByteCount {
    do {
      return try ByteCount(parsing: text)
    } catch {
      throw ExitStatus.usage("'\(text)' is not a size for \(option). Write 512M or 6G.")
    }
  }
}

/// What else of this host decides its layout.
private enum LiveBoot {
  /// The running kernel's nodes, memory-block size and command line, without what the resource map shows already.
  static func complete(_ boot: inout BootDescription) throws(ExitStatus) {
    let shift = boot.architecture.baseShift
    let (text, blocks) = try reading { () throws(HostFileError) in
      (try Sysroot.live.readLine("proc/cmdline"), try MemoryBlocks(of: .live))
    }
    let known = KernelCommandLine(parsing: Array(text.utf8)).parameters.filter { parameter in
      !["mem", "memmap"].contains(String(decoding: parameter.name, as: UTF8.self))
    }
    boot.commandLine = KernelCommandLine(parsing: Array(known.map(\.text).joined(separator: [0x20])))
    guard let blocks else { return }
    boot.memoryBlockSize = blocks.size
    let ranges = blocks.blocks.compactMap { block in
      block.node.map { NodeRange(PhysicalRange(blocks.frames(of: block, baseShift: shift), shift), node: $0) }
    }
    if !ranges.isEmpty { boot.topology = NUMATopology(ranges) }
  }
}

/// A file that the user named, below the current folder or absolute.
enum UserFile {
  static func read(_ path: String) throws(ExitStatus) -> [UInt8] {
    do {
      return try Sysroot.readFile(path)
    } catch .missing {
      throw .noInput("\(path) is not there. Name another file.")
    } catch .denied {
      throw .noPermission("\(path) may not be read. Run as root, or name another file.")
    } catch .failed(_, let code) where code == 21 {
      throw .noInput("\(path) is a folder. Name a file.")
    } catch {
      throw ExitStatus(error)
    }
  }
}

/// Frames that were reserved at boot: `START-END` a line, hexadecimal with `0x` or decimal, the end excluded.
enum ReservedFrames {
  static func read(_ path: String) throws(ExitStatus) -> [FrameRange] {
    let text = String(decoding: try UserFile.read(path), as: UTF8.self)
    var ranges: [FrameRange] = []
    for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
      let parts = line.split(separator: "-", omittingEmptySubsequences: false).map { $0.filter { !$0.isWhitespace } }
      if parts == [""] { continue }
      guard parts.count == 2, let start = frame(parts[0]), let end = frame(parts[1]), start <= end else {
        throw .badData("\(path):\(index + 1): not a range of frames. Write START-END, e.g. 0x1000-0x1e02.")
      }
      ranges.append(FrameRange(start: start, end: end))
    }
    return ranges
  }

  private static func frame(_ text: String) -> FrameNumber? {
    let value = text.hasPrefix("0x") ? UInt64(text.dropFirst(2), radix: 16) : UInt64(text)
    // Beyond 2^52 the byte address would not fit.
    return value.flatMap { $0 < 1 << 52 ? FrameNumber($0) : nil }
  }
}

extension BootDescription {
  /// Frames that hold what the boot loader loaded.
  fileprivate var loadedFrames: [FrameRange] { loaded.map { FrameRange($0, architecture.baseShift, rounded: .up) } }
}

/// `64:2M`, or `64:random` for holes of 2 MiB anywhere on a frame border.
struct HoleRequest: ExpressibleByArgument {
  let count: HoleCount
  let size: ByteCount
  let alignment: ByteCount

  init?(argument: String) {
    let parts = argument.split(separator: ":", omittingEmptySubsequences: false)
    guard (1...2).contains(parts.count), let count = UInt64(parts[0]), count <= 1 << 12 else { return nil }
    self.count = HoleCount(count)
    alignment = .kibibytes(4)
    if parts.count == 1 || parts[1] == "random" {
      size = .mebibytes(2)
    } else if let size = try? ByteCount(parsing: String(parts[1])) {
      self.size = size
    } else {
      return nil
    }
  }
}

extension ExitStatus {
  init(_ error: FirmwareMapError, path: String, hint: String) {
    switch error {
    case .malformed(let line, let reason): self = .badData("\(path):\(line): \(reason.forPeople). \(hint)")
    case .noEntries: self = .badData("\(path): no memory map in it. \(hint)")
    default: self = .badData("\(path): not a memory map. \(hint)")
    }
  }
}

extension EntryProblem {
  var forPeople: String {
    switch self {
    case .noAddress: "an address is missing"
    case .addressTooLarge: "an address needs more than 64 bits"
    case .noSeparator: "no sign between two addresses"
    case .endsBeforeStart: "a range ends before it starts"
    case .unknownKind: "an unknown kind of memory"
    }
  }
}

extension PhysicalMemory.Problem {
  var forPeople: String {
    switch self {
    case .sizeOutOfRange(let size):
      "a machine of this architecture cannot have \(size). Give --memory from 2M to what it can address, in whole pages."
    case .deviceHoleOutOfRange(let address): "the device hole cannot start at \(address)."
    case .nodesDoNotAddUp(let total, let nodes):
      "nodes of \(nodes.map(\.description).joined(separator: " + ")) do not make \(total). Give sizes that add up to --memory."
    }
  }
}

extension CommandLineProblem {
  var forPeople: String {
    let why =
      switch reason {
      case .noValue: "needs a value"
      case .noNumber: "lacks a number"
      case .tooLarge: "needs more than 64 bits"
      case .trailingText: "has text behind its value"
      case .unknownWord: "has an unknown word"
      case .notAPageSize: "is no page size"
      case .withoutSize: "does not follow its hugepagesz="
      case .repeated: "was given before"
      case .percentAbove100: "is above 100 %"
      }
    return "'\(String(decoding: text, as: UTF8.self))' \(why)"
  }
}
