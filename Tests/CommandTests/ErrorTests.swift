import Foundation
import TestSupport
import Testing

/// Exit codes, and the one line that says what was wrong and what to do.
@Suite struct ErrorTests {
  private func expect(_ outcome: Command.Outcome, _ code: Int32, _ message: String, line: Int = #line) {
    #expect(outcome.code == code, "\(outcome.errors)")
    #expect(outcome.errors == "megalith: \(message)\n")
    #expect(outcome.errors.split(separator: "\n").count == 1)
  }

  @Test func anEmptyFolderHasNothingToRead() throws {
    let folder = try TemporaryFolder()
    for command in [["survey"], ["explain"], ["capture", "\(folder.path)/x"]] {
      expect(
        try Command.run(arguments: command + ["--sysroot", folder.path]), 66,
        "\(folder.path) holds nothing of a Linux host's memory (no proc/zoneinfo, no proc/meminfo). "
          + "Name another root or a capture with --sysroot.")
    }
  }

  @Test func aTruncatedCaptureIsBadData() throws {
    let folder = try TemporaryFolder()
    try FileManager.default.copyItem(atPath: "\(Command.samples)/plain-4g", toPath: "\(folder.path)/cut")
    let file = URL(fileURLWithPath: "\(folder.path)/cut/proc/kpageflags.runs")
    let whole = try Data(contentsOf: file)
    try whole.prefix(whole.count / 2).write(to: file)
    let outcome = try Command.run("--sysroot", "\(folder.path)/cut")
    #expect(outcome.code == 65)
    #expect(outcome.errors.hasPrefix("megalith: proc/kpageflags.runs:"))
    #expect(outcome.output.isEmpty)
  }

  @Test func aSizeThatTheHostLacksIsAUsageError() throws {
    let root = "\(Command.samples)/plain-4g"
    expect(
      try Command.run("--size", "3G", "--sysroot", root), 64, "this host has no 3G pages. Use one of 2M, 1G.")
    expect(
      try Command.run("explain", "--size", "big", "--sysroot", root), 64,
      "'big' is not a size. Use one of this host's: 2M, 1G.")
  }

  @Test func unknownOptionsAndColumnsAreUsageErrors() throws {
    let option = try Command.run("survey", "--sizes", "1G")
    #expect(option.code == 64 && option.errors.hasPrefix("megalith: Unknown option '--sizes'"))
    let column = try Command.run("explain", "-o", "range,colour")
    #expect(column.code == 64 && column.errors.contains("range,colour"))
    #expect(column.errors.split(separator: "\n").count == 1)
  }

  @Test func aHostWithoutReadableFramesIsSurveyedAsFarAsItGoes() throws {
    let folder = try TemporaryFolder()
    try FileManager.default.copyItem(atPath: "\(Command.samples)/plain-4g", toPath: "\(folder.path)/host")
    try FileManager.default.removeItem(atPath: "\(folder.path)/host/proc/kpageflags.runs")
    let outcome = try Command.run("--sysroot", "\(folder.path)/host")
    #expect(outcome.code == 2)
    #expect(outcome.output.contains("2M pages: at least 1932 in the free lists"))
    #expect(outcome.output.contains("proc/kpageflags (missing): what stands in each range is unknown"))
    #expect(outcome.errors.hasPrefix("megalith: proc/kpageflags is not there"))
  }

  @Test(
    .enabled(
      if: getuid() != 0 || FileManager.default.isExecutableFile(atPath: "/usr/bin/setpriv"),
      "needs a way to drop root's privileges (setpriv)"))
  func withoutPermissionTheRestIsShown() throws {
    guard FileManager.default.fileExists(atPath: "/proc/kpageflags") else { return }
    let outcome = try Command.run("survey", isUnprivileged: true)
    #expect(outcome.code == 77)
    #expect(outcome.output.contains("proc/kpageflags (denied): what stands in each range is unknown"))
    #expect(outcome.errors == "megalith: proc/kpageflags may not be read, so ranges have no verdicts. Run as root.\n")
  }

  @Test func layoutsNameTheLineThatIsWrong() throws {
    let folder = try TemporaryFolder()
    try folder.write("iomem", "00001000-0009fbff : System RAM\n0010000-zz : System RAM\n")
    let outcome = try Command.run("layout", "--iomem", "\(folder.path)/iomem")
    #expect(outcome.code == 65 && outcome.errors.hasPrefix("megalith: \(folder.path)/iomem:2: an address is missing"))
    let missing = try Command.run("layout", "--dmesg", "\(folder.path)/none")
    #expect(missing.code == 66)
    let both = try Command.run("layout", "--memory", "6G", "--iomem", "x")
    #expect(both.code == 64)
    let nodes = try Command.run("layout", "--memory", "6G", "--numa", "4G,1G")
    #expect(nodes.code == 64 && nodes.errors.contains("do not make 6G"))
  }

  /// `script` makes a terminal.
  @Test(
    .enabled(if: FileManager.default.isExecutableFile(atPath: "/usr/bin/script"), "needs script to make a terminal"),
    arguments: [("xterm", "", true), ("xterm", "1", false), ("dumb", "", false)])
  func colourOnlyWhereItIsWelcome(terminal: String, noColour: String, isColoured: Bool) throws {
    let outcome = try Command.onTerminal(
      "--sysroot", "\(Command.samples)/plain-4g", environment: ["TERM": terminal, "NO_COLOR": noColour])
    #expect(outcome.code == 0 && outcome.output.contains("obtainable now"))
    #expect(outcome.output.contains("\u{1b}[1m") == isColoured)
  }

  @Test func withoutATerminalThereIsNoColour() throws {
    let outcome = try Command.run("--sysroot", "\(Command.samples)/plain-4g", environment: ["TERM": "xterm", "NO_COLOR": ""])
    #expect(!outcome.output.contains("\u{1b}"))
  }

  @Test func outputThatCannotBeWrittenIsAFailure() throws {
    let outcome = try Command.intoFullDisk("--sysroot", "\(Command.samples)/plain-4g")
    #expect(outcome.code == 1 && outcome.errors == "megalith: the output could not be written. Give it room.\n")
  }
}
