import Foundation
import TestSupport
import Testing

/// `reserve` and `release`: messages, exit codes and documents. Nothing here changes the host.
@Suite struct ReserveTests {
  private static let root = "\(Command.samples)/two-nodes-4g"

  private func expect(_ outcome: Command.Outcome, _ code: Int32, _ message: String) {
    #expect(outcome.code == code, "\(outcome.errors)")
    #expect(outcome.errors == "megalith: \(message)\n")
  }

  @Test func wrongRequestsAreUsageErrors() throws {
    func dry(_ request: String...) throws -> Command.Outcome {
      try Command.run(arguments: ["reserve", "--dry-run", "--sysroot", Self.root] + request)
    }
    expect(try dry("16G:1"), 64, "this host has no 16G pages. Use one of 2M, 1G.")
    expect(try dry("3G:1"), 64, "'3G' is not the size of a page. Write it as 1G or 2M.")
    expect(try dry("7:1G:1"), 64, "this host has no node 7. Use one of 0, 1.")
    expect(try dry("1G"), 64, "'1G' is not SIZE:COUNT, as 1G:16, 1G:+4 or 0:1G:8.")
    expect(try dry(), 64, "nothing is asked for. Write SIZE:COUNT, as 1G:16, 1G:+4 or 0:1G:8.")
    expect(try dry("1G:1", "0:1G:1"), 64, "1G is asked for twice for the same memory. Name each node once, or none.")
    #expect(try dry("--allow", "everything", "1G:1").code == 64)
  }

  @Test func onlyTheRunningHostIsChanged() throws {
    expect(
      try Command.run("reserve", "1G:1", "--sysroot", Self.root), 64,
      "a reservation changes the running host only. Use --dry-run with --sysroot.")
    expect(
      try Command.run("release", "1G:1", "--sysroot", Self.root), 64,
      "a release changes the running host only. Use --dry-run with --sysroot.")
    expect(
      try Command.run("reserve", "--undo", "--sysroot", Self.root), 64, "--undo changes the running host only.")
  }

  @Test func aDryRunNamesEachWrite() throws {
    let outcome = try Command.run("reserve", "1G:2", "--dry-run", "--sysroot", Self.root)
    #expect(outcome.code == 0, "\(outcome.errors)")
    #expect(
      outcome.output.contains(
        "  may write sys/devices/system/node/node0/hugepages/hugepages-1048576kB/nr_hugepages: <1 to 2>\n"))
    #expect(outcome.output.contains("\n3. dropCaches   only with --allow drop-caches\n"))
    #expect(outcome.output.contains("  may write proc/sys/vm/drop_caches: 3\n"))
  }

  @Test func aDryRunAsADocument() throws {
    let outcome = try Command.run("reserve", "1G:2", "--json", "--dry-run", "--sysroot", Self.root)
    let document = try #require(try JSONSerialization.jsonObject(with: Data(outcome.output.utf8)) as? [String: Any])
    #expect(document["schema"] as? String == "megalith.reserve/1")
    #expect(document["isDryRun"] as? Bool == true)
    let steps = try #require(document["steps"] as? [[String: Any]])
    #expect(
      steps.compactMap { $0["step"] as? String }
        == ["setPools", "shrinkPools", "dropCaches", "compact", "touch", "askAgain", "offline"])
  }

  @Test func nothingToUndo() throws {
    let folder = try TemporaryFolder()
    let path = "\(folder.path)/journal"
    expect(try Command.run("reserve", "--undo", "--journal", path), 66, "\(path): there is nothing to undo.")
  }

  @Test(
    .enabled(
      if: getuid() != 0 || FileManager.default.isExecutableFile(atPath: "/usr/bin/setpriv"),
      "needs a way to drop root's privileges (setpriv)"))
  func withoutPermission() throws {
    let pools = (try? FileManager.default.contentsOfDirectory(atPath: "/sys/devices/system/node/node0/hugepages")) ?? []
    guard pools.contains("hugepages-2048kB") else { return }
    let outcome = try Command.run("reserve", "2M:+1", isUnprivileged: true)
    expect(
      outcome, 77,
      "sys/devices/system/node/node0/hugepages/hugepages-2048kB/nr_hugepages may not be written. Run as root.")
  }

  @Test func aReleaseOfWhatIsNotThere() throws {
    let outcome = try Command.run("release", "1G:1", "--dry-run", "--sysroot", Self.root)
    expect(outcome, 2, "0 of 1 1G pages can be given back; the others are in use, promised or not there.")
  }

  /// Asks this host for one page of 2 MiB more, and gives it back.
  @Test(.enabled(if: ProcessInfo.processInfo.environment["MEGALITH_HOST_CHANGES"] == "1", "changes this host"))
  func onePageOfThisHost() throws {
    let folder = try TemporaryFolder()
    let path = "/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages"
    let before = try String(contentsOfFile: path, encoding: .utf8)
    let outcome = try Command.run("reserve", "2M:+1", "--journal", "\(folder.path)/journal")
    #expect(outcome.code == 0, "\(outcome.errors)")
    let release = try Command.run("release", "2M:1")
    #expect(release.code == 0, "\(release.errors)")
    #expect(try String(contentsOfFile: path, encoding: .utf8) == before)
  }

  /// The child of `--allow touch`; it holds memory for a moment where the kernel has kept some back.
  @Test(.enabled(if: ProcessInfo.processInfo.environment["MEGALITH_HOST_CHANGES"] == "1", "changes this host"))
  func theChildThatTouches() throws {
    let outcome = try Command.run("touch-memory", "0", "-", "2000")
    #expect(outcome.code == 0, "\(outcome.errors)")
    #expect(outcome.output.hasPrefix("touched ") && outcome.output.hasSuffix("\n"))
    #expect(try Command.run("touch-memory", "0", "x", "-").code == 64)
  }
}
