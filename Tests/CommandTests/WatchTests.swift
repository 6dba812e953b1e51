import Foundation
import TestSupport
import Testing

@testable import HostMemory
@testable import MegalithCommand

/// `megalith watch`, with time, signals and terminal handed in.
@Suite struct WatchTests {
  private final class Stage {
    var text = ""
    var slept: [Duration] = []
    var surveys = 0
    var isStopped = false
    var time = 0
  }

  private func loop(
    _ stage: Stage, count: UInt32? = nil, rows: Int? = nil, survey: @escaping () throws(CommandStatus) -> Survey
  ) -> WatchLoop {
    WatchLoop(
      count: count, interval: .seconds(7), rows: rows.map { rows in { rows } }, terminal: Terminal(usesColour: false),
      survey: { () throws(CommandStatus) in
        stage.surveys += 1
        return try survey()
      },
      now: {
        stage.time += 1
        return "time \(stage.time)"
      },
      sleep: { stage.slept.append($0) }, isStopped: { stage.isStopped }, write: { stage.text += $0 })
  }

  private func host(_ free: Int, _ held: Int) throws -> Survey {
    let picture = String(repeating: ".", count: free) + String(repeating: "s", count: 16 - free)
    let folder = try HostDrawing(picture).write()
    try folder.write("sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages", "\(held)\n")
    return try Survey(of: Sysroot(folder.path))
  }

  @Test func blocksFollowEachOtherWithTheirChanges() throws {
    let stage = Stage()
    var surveys = [try host(16, 3), try host(8, 5), try host(8, 1)].makeIterator()
    let last = try loop(stage, count: 3) { () throws(CommandStatus) in surveys.next()! }.run()
    #expect(last?.reports.pools.first?.total.rawValue == 1)
    #expect(stage.slept == [.seconds(7), .seconds(7)])
    let blocks = stage.text.components(separatedBy: "\n\ntime ")
    #expect(blocks.count == 3)
    #expect(blocks[0].contains("2M         all     3"))
    #expect(blocks[1].contains("5 (+2)") && blocks[1].contains("8 (-8)"))
    #expect(blocks[2].contains("1 (-4)") && !stage.text.contains("\u{1b}"))
  }

  @Test func aTerminalIsDrawnAnewAndLeftAsItWas() throws {
    let stage = Stage()
    let survey = try host(16, 0)
    _ = try loop(stage, count: 2, rows: 4) { () throws(CommandStatus) in survey }.run()
    #expect(stage.text.hasPrefix("\u{1b}[?25l\u{1b}[2J\u{1b}[H") && stage.text.hasSuffix("\u{1b}[J\u{1b}[?25h"))
    let screens = stage.text.components(separatedBy: "\u{1b}[H").dropFirst()
    #expect(screens.count == 2)
    for screen in screens { #expect(screen.filter { $0 == "\n" }.count == 3) }
  }

  @Test func aFailureLeavesTheTerminalAsItWas() {
    let stage = Stage()
    #expect(throws: CommandStatus.self) {
      _ = try loop(stage, rows: 9) { () throws(CommandStatus) in throw CommandStatus.failed("gone.") }.run() == nil
    }
    #expect(stage.text.hasSuffix("\u{1b}[?25h"))
  }

  @Test func aSignalEndsItBetweenSurveys() throws {
    let stage = Stage()
    let survey = try host(16, 0)
    let last = try loop(stage) { () throws(CommandStatus) in
      stage.isStopped = stage.surveys == 2
      return survey
    }.run()
    #expect(last != nil && stage.surveys == 2 && stage.slept.count == 1)
  }

  @Test func theCommandEndsByCountAndBySignal() throws {
    let root = "\(Command.samples)/two-nodes-4g"
    let counted = try Command.run("watch", "--count", "2", "--interval", "0", "--sysroot", root)
    #expect(counted.code == 0)
    #expect(counted.output.components(separatedBy: "obtainable").count == 3)
    let running = try RunningCommand(["watch", "--interval", "3600", "--sysroot", root])
    #expect(try running.outputLine().contains("available"))
    let start = Date()
    #expect(running.end() == 0)
    #expect(Date().timeIntervalSince(start) < 60)
    #expect(try Command.run("watch", "--count", "0", "--sysroot", root).code == 64)
    let size = try Command.run("watch", "--size", "3G", "--sysroot", root)
    #expect(size.code == 64 && size.errors == "megalith: this host has no 3G pages. Use one of 2M, 1G.\n")
  }

  @Test(.enabled(if: FileManager.default.isExecutableFile(atPath: "/usr/bin/script"), "needs script to make a terminal"))
  func onATerminalTheScreenIsRedrawn() throws {
    let outcome = try Command.onTerminal(
      "watch", "--count", "2", "--interval", "0", "--sysroot", "\(Command.samples)/two-nodes-4g",
      environment: ["TERM": "xterm", "NO_COLOR": "1"])
    #expect(outcome.code == 0)
    #expect(outcome.output.components(separatedBy: "\u{1b}[H").count == 3)
    #expect(outcome.output.contains("\u{1b}[?25h"))
  }
}
