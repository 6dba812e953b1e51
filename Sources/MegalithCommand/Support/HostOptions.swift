import ArgumentParser
import HostMemory
import MemoryUnits

/// Where to read, shared by the commands that look at a host.
struct HostOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Read /proc and /sys below DIR: another root, or a capture.", valueName: "dir"))
  var sysroot = "/"

  var root: Sysroot { Sysroot(sysroot) }

  /// Whether there is anything of a host below the root.
  func requireHost() throws {
    let names = ["proc/zoneinfo", "proc/meminfo", "proc/kpageflags", "proc/kpageflags.runs", "proc/buddyinfo"]
    for name in names {
      do {
        _ = try root.open(name)
        return
      } catch HostFileError.denied {
        if name == names.last { throw ExitStatus.noPermission("\(sysroot) may not be read. Run as root.") }
      } catch {
        continue
      }
    }
    guard names.contains(where: root.exists) else {
      throw ExitStatus.noInput(
        "\(sysroot) holds nothing of a Linux host's memory (no proc/zoneinfo, no proc/meminfo). "
          + "Name another root or a capture with --sysroot.")
    }
  }
}

extension PageSize: ExpressibleByArgument {
  public init?(argument: String) {
    guard let bytes = try? ByteCount(parsing: argument) else { return nil }
    self.init(exactly: bytes)
  }
}

extension NodeID: ExpressibleByArgument {
  public init?(argument: String) {
    guard let number = UInt32(argument) else { return nil }
    self.init(number)
  }
}

/// A page size that the user asked for; kept as text until the host's sizes are known.
struct SizeOption: ParsableArguments {
  @Option(help: ArgumentHelp("Only pages of this size (1G, 2M, ...).", valueName: "size"))
  var size: String?

  /// The size, where the host has pages of it.
  func resolved(among sizes: [PageSize]) throws -> PageSize? {
    guard let size else { return nil }
    let known = sizes.map(\.description).joined(separator: ", ")
    guard let bytes = try? ByteCount(parsing: size) else {
      throw ExitStatus.usage("'\(size)' is not a size. Use one of this host's: \(known).")
    }
    guard let page = PageSize(exactly: bytes), sizes.contains(page) else {
      throw ExitStatus.usage("this host has no \(bytes) pages. Use one of \(known).")
    }
    return page
  }
}
