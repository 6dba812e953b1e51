import Foundation
import TestSupport
import Testing

/// `megalith persist` as an operator uses it; reviewed output of several kinds of machines, and what reads it.
@Suite struct PersistCommandTests {
  private static let fixtures = FixtureFolder("persist")

  private func host(_ name: String) throws -> TemporaryFolder {
    try HostFixture.write(try Self.fixtures.text("\(name).host.txt"))
  }

  @Test(arguments: [
    ("x86_64", ["0:1G:8,1:1G:8", "2M:512"]), ("arm64-64k", ["16G:4", "512M:8", "2M:100"]),
    ("ppc64", ["16G:2", "0:16M:64", "1:16M:32"]), ("ppc64-radix", ["0:1G:2", "2M:64"]), ("arm64-16k", ["1:1G:1", "32M:4"]),
  ]) func theOutputIsAsReviewed(name: String, pools: [String]) throws {
    let folder = try host(name)
    let outcome = try Command.run(arguments: ["persist", "--sysroot", folder.path] + pools)
    #expect(outcome.code == 0, "\(outcome.errors)")
    if SampleTests.isWriting { try Self.fixtures.write("\(name).txt", outcome.output) }
    #expect(try Self.fixtures.text("\(name).txt") == outcome.output, "differs from the reviewed \(name).txt")
  }

  @Test(
    .enabled(if: FileManager.default.isExecutableFile(atPath: "/usr/bin/systemd-analyze"), "needs systemd-analyze"),
    arguments: ["x86_64", "arm64-64k", "ppc64"])
  func systemdTakesTheUnit(name: String) throws {
    let folder = try host(name)
    let pools =
      ["x86_64": ["0:2M:64", "1:2M:32", "1G:1"], "arm64-64k": ["2M:64", "16G:1"], "ppc64": ["0:16G:2", "0:16M:3"]][name] ?? []
    let written = try Command.run(
      arguments: ["persist", "--write", "--way", "runtime", "--sysroot", folder.path] + pools)
    #expect(written.code == 0, "\(written.errors)")
    let unit = "\(folder.path)/etc/systemd/system/megalith-hugepages.service"
    let verified = try Tool.run("/usr/bin/systemd-analyze", ["verify", "--man=no", unit])
    #expect(verified.code == 0 && !verified.text.contains("megalith-hugepages.service"), "\(verified.text)")
  }

  /// The unit's own commands, on a folder that stands in for `/sys`: pools are set, and too few pages are a failure.
  @Test func theUnitsCommandsSetPoolsAndTell() throws {
    let folder = try host("x86_64")
    _ = try Command.run("persist", "--write", "--sysroot", folder.path, "0:2M:64", "1:2M:32")
    let unit = try String(contentsOfFile: "\(folder.path)/etc/systemd/system/megalith-hugepages.service", encoding: .utf8)
    let commands = unit.split(separator: "\n").filter { $0.hasPrefix("ExecStart=") }.map { line in
      String(line[line.firstRange(of: "-c '")!.upperBound...].dropLast()).replacingOccurrences(of: "$$", with: "$")
        .replacingOccurrences(of: "/sys/", with: "\(folder.path)/sys/")
    }
    #expect(commands.count == 3)
    for command in commands { #expect(try Tool.run("/bin/sh", ["-c", command]).code == 0) }
    let pool = "sys/devices/system/node/node1/hugepages/hugepages-2048kB/nr_hugepages"
    #expect(try String(contentsOfFile: "\(folder.path)/\(pool)", encoding: .utf8) == "32\n")
    try folder.write(pool, "31\n")
    let short = try Tool.run("/bin/sh", ["-c", commands[2]])
    #expect(short.code == 1 && short.text == "31 of 32 2M pages on node 1\n")
  }

  /// GRUB's file is shell, read after those before it.
  @Test func aShellReadsTheGRUBFile() throws {
    let folder = try host("x86_64")
    let written = try Command.run("persist", "--write", "--sysroot", folder.path, "1G:16")
    #expect(written.output.contains("wrote /etc/default/grub.d/60-megalith-hugepages.cfg"))
    let file = "\(folder.path)/etc/default/grub.d/60-megalith-hugepages.cfg"
    let read = try Tool.run("/bin/sh", ["-euc", "GRUB_CMDLINE_LINUX=ro; . '\(file)'; echo \"$GRUB_CMDLINE_LINUX\""])
    #expect(read.code == 0 && read.text == "ro hugepagesz=1G hugepages=16\n")
  }

  @Test(.enabled(if: FileManager.default.isExecutableFile(atPath: "/usr/bin/systemd-analyze"), "needs systemd-analyze"))
  func systemdFindsTheSettings() throws {
    let folder = try host("x86_64")
    _ = try Command.run("persist", "--write", "--sysroot", folder.path, "2M:8")
    let read = try Tool.run("/usr/bin/systemd-analyze", ["cat-config", "--root=\(folder.path)", "sysctl.d"])
    let settings = read.text.split(separator: "\n").filter { $0.hasPrefix("vm.") }
    // The one of the later name counts, as the note says.
    #expect(read.code == 0 && settings == ["vm.nr_hugepages = 8", "vm.nr_hugepages = 64"], "\(read.text)")
  }

  @Test func mistakesHaveTheirCodes() throws {
    let folder = try host("x86_64")
    func expect(_ arguments: String..., code: Int32, _ message: String, line: Int = #line) throws {
      let outcome = try Command.run(arguments: ["persist", "--sysroot", folder.path] + arguments)
      #expect(outcome.code == code, "line \(line)")
      #expect(outcome.errors == "megalith: \(message)\n", "line \(line)")
    }
    try expect("3M:1", code: 64, "'3M' is not a page size, as 2M or 1G are.")
    try expect("16G:1", code: 64, "this host (x86_64) has no 16G pages. Use one of 2M, 1G.")
    try expect("7:1G:1", code: 64, "this host has no node 7. Use one of 0, 1.")
    try expect(
      "1G:1", "--architecture", "vax", code: 64,
      "'vax' is not an architecture. Use one of x86_64, i386-pae, arm64-4k, arm64-16k, arm64-64k, ppc64-64k, s390x, riscv64.")
    try folder.write("etc/sysctl.d/60-megalith-hugepages.conf", "vm.nr_hugepages = 7\n")
    try expect(
      "2M:8", "--write", code: 1,
      "etc/sysctl.d/60-megalith-hugepages.conf is there and was not written by 'megalith persist'. Look at it, then use --force.")
    try folder.write("etc/kernel/cmdline", "hugetlb_cma=4G\n")
    try expect(
      "1G:2", "--way", "boot", code: 1,
      "etc/kernel/cmdline:1 has hugetlb_cma=, so that the kernel sets no 1G pages aside at boot. "
        + "Use --way runtime, which takes them out of the area, or remove it there.")
    try expect(
      "16G:1", "--architecture", "arm64-64k", "--write", code: 64,
      "\(folder.path) is of another machine. Leave --write out, or name the machine's root with --sysroot.")
    let empty = try TemporaryFolder()
    let nothing = try Command.run("persist", "1G:1", "--sysroot", empty.path)
    #expect(nothing.code == 66)
  }

  @Test(
    .enabled(
      if: getuid() != 0 || FileManager.default.isExecutableFile(atPath: "/usr/bin/setpriv"),
      "needs a way to drop root's privileges (setpriv)"))
  func withoutPermissionNothingIsWritten() throws {
    let folder = try host("x86_64")
    try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: folder.path)
    let outcome = try Command.run(
      arguments: ["persist", "--write", "--sysroot", folder.path, "2M:8"], isUnprivileged: getuid() == 0)
    guard getuid() == 0 else { return }
    #expect(outcome.code == 77)
    #expect(outcome.errors == "megalith: etc/sysctl.d/60-megalith-hugepages.conf may not be written. Run as root.\n")
  }

  private static let unshare = "/usr/bin/unshare"
  private static let seal = "mount --bind \"$0\" \"$0\" && mount -o remount,bind,ro \"$0\" && exec \"$@\""

  /// Whether a folder can be made read-only for one command alone, by a mount in a name space of its own.
  private static let canSeal: Bool = {
    guard getuid() == 0, let folder = try? TemporaryFolder() else { return false }
    return (try? Tool.run(unshare, ["--mount", "/bin/sh", "-c", seal, folder.path, "/bin/true"]))?.code == 0
  }()

  @Test(.enabled(if: canSeal, "needs root, unshare, and leave to mount"))
  func aReadOnlyFileSystemIsSaid() throws {
    let folder = try host("x86_64")
    try folder.write("etc/sysctl.d/10-site.conf", "vm.swappiness = 1\n")
    func sealed(_ arguments: String...) throws -> (code: Int32, text: String) {
      try Tool.run(Self.unshare, ["--mount", "/bin/sh", "-c", Self.seal, folder.path, Command.binary.path] + arguments)
    }
    let persist = try sealed("persist", "--write", "--sysroot", folder.path, "2M:8")
    #expect(persist.code == 1)
    #expect(
      persist.text == "megalith: etc/sysctl.d/60-megalith-hugepages.conf is on a file system that is mounted read-only. "
        + "Mount it for writing.\n")
    let unit = try sealed("persist", "--write", "--sysroot", folder.path, "0:2M:8")
    #expect(unit.code == 1 && unit.text.contains("mounted read-only"), "\(unit.text)")
    let metrics = try sealed("metrics", "--out", "\(folder.path)/a.prom", "--sysroot", "\(Command.samples)/plain-4g")
    #expect(metrics.code == 1)
    #expect(
      metrics.text == "megalith: \(folder.path)/a.prom is on a file system that is mounted read-only. Mount it for writing.\n")
  }
}
