import ArgumentParser
import HostMemory
import MemoryUnits
import PhysicalLayout

extension PersistWay: ExpressibleByArgument {}
extension PersistFile.Kind: ExpressibleByArgument {}

struct PersistCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "persist",
    abstract: "Keep pools of huge pages over the next boots: files and kernel parameters, checked.",
    discussion: """
      Pools are SIZE:COUNT, or NODE:SIZE:COUNT, several with commas or blanks between: 1G:16 2M:512, or 0:1G:8,1:1G:8.

      It prints a sysctl.d file for the default pool, a systemd unit for pools of other sizes or of nodes, and parameters for \
      the kernel's command line, for GRUB and for other boot loaders. --way says what goes where: auto, gigantic pages on the \
      command line and the others after the boot; boot, all on the command line; runtime, none; area, gigantic pages out of a \
      contiguous area that the boot sets aside.

      With --write it writes the files below the root, and removes its own of an earlier run that are needed no more; it \
      never touches a file that something else wrote, unless with --force. It sets no pool and runs no other program: what \
      remains to be done is printed.
      """)

  @Argument(help: ArgumentHelp("Pools that are wanted.", valueName: "pools")) var pools: [String]
  @OptionGroup var host: HostOptions
  @Option(help: "auto, boot, runtime or area.") var way = PersistWay.automatic
  @Option(help: ArgumentHelp("Plan for another machine: x86_64, arm64-64k, ppc64-64k, ...", valueName: "name"))
  var architecture: String?
  @Option(help: ArgumentHelp("Only these files: sysctl, unit, grub.", valueName: "kinds")) var only: [PersistFile.Kind] = []
  @Flag(help: "Write the files below the root.") var write = false
  @Flag(help: "With --write: also replace files that something else wrote.") var force = false

  func run() throws {
    var wishes: [PoolWish] = []
    for text in pools {
      do throws(PoolWishError) {
        wishes += try PoolWish.parse(text)
      } catch {
        throw ExitStatus.usage("\(error).")
      }
    }
    var preset: Architecture?
    if let architecture {
      preset = Architecture.named(architecture)
      let names = Architecture.allPresets.map(\.name).joined(separator: ", ")
      if preset == nil { throw ExitStatus.usage("'\(architecture)' is not an architecture. Use one of \(names).") }
    }
    if preset == nil { try host.requireHost() }
    let target = try reading { () throws(HostFileError) in try PersistHost(of: host.root, architecture: preset) }
    if write, target.isOtherMachine {
      throw ExitStatus.usage(
        "\(host.sysroot) is of another machine. Leave --write out, or name the machine's root with --sysroot.")
    }
    let plan: PersistPlan
    do throws(PersistConflict) {
      plan = try PersistPlan(wishes, way: way, on: target)
    } catch {
      throw error.isUsage ? ExitStatus.usage(error.description) : ExitStatus.failed(error.description)
    }
    let screen = PersistScreen(plan, target, only: only.isEmpty ? PersistFile.Kind.allCases : only)
    guard write else {
      for line in screen.printed() { print(line) }
      return
    }
    do throws(FileWriteError) {
      let writer = try PersistWriter(plan, kinds: screen.writtenKinds, below: host.root, isForced: force)
      for line in screen.written(try writer.commit()) { print(line) }
    } catch {
      throw ExitStatus(error)
    }
  }
}

extension ExitStatus {
  init(_ error: FileWriteError) {
    switch error {
    case .missing(let path): self = .failed("\(path) cannot be made: its folder is not there. Make the folder first.")
    case .denied(let path): self = .noPermission("\(path) may not be written. Run as root.")
    case .readOnly(let path): self = .failed("\(path) is on a file system that is mounted read-only. Mount it for writing.")
    case .foreign(let path):
      self = .failed("\(path) is there and was not written by 'megalith persist'. Look at it, then use --force.")
    case .failed(let path, let code): self = .failed("\(path) could not be written: error \(code).")
    }
  }
}
