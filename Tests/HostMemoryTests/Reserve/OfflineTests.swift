import HostMemory
import MemoryUnits
import PhysicalLayout
import SystemPackage
import TestSupport
import Testing

/// Blocks of memory that go offline and come back. A block is a letter, 2 MiB.
@Suite struct OfflineTests {
  /// The kernel makes a page of the second range, and none of the first although it could; the third has a page table.
  private func trial(_ change: (inout HostDrawing) -> Void = { _ in }) throws
    -> ReserveTrial
  {
    var trial = try ReserveTrial("...mm...|........|...t....", change)
    trial.options.allowed = [.offline]
    trial.kernel.stubborn = [0]
    return trial
  }

  private func words(_ trial: ReserveTrial, _ block: Int) -> [String] {
    trial.kernel.writes.filter { $0.path == "sys/devices/system/memory/memory\(block)/state" }.map(\.text)
  }

  @Test func aRangeThatTheKernelCouldNotEmptyIsCycled() throws {
    let trial = try trial()
    let report = try trial.run("16M:2")
    #expect(trial.gain(report, .offline) == 1 && report.isMet)
    for block in 0..<8 { #expect(words(trial, block) == ["offline\n", "online_kernel\n"]) }
    #expect(!trial.kernel.picture.contains("x"))
  }

  @Test func blocksOfMovableZonesComeBackAsSuch() throws {
    let trial = try trial { drawing in
      drawing.zoneNames = ["Movable", "Normal", "Normal"]
      drawing.movableGigantic = 1
    }
    _ = try trial.run("16M:2")
    #expect(words(trial, 0) == ["offline\n", "online_movable\n"])
  }

  @Test func blocksThatCouldNotComeBackAsTheyWereAreLeftAlone() throws {
    let trial = try trial { $0.zoneNames = ["DMA32", "Normal", "Normal"] }
    let report = try trial.run("16M:2")
    #expect(trial.kernel.writes.allSatisfy { !$0.path.contains("/memory/memory") })
    let notes = report.steps.first { $0.kind == .offline }?.notes ?? []
    #expect(notes.first == "block 0 was left alone: its valid_zones says DMA32, not Normal or Movable")
  }

  @Test func aBlockThatDoesNotGoBringsTheOthersBack() throws {
    let trial = try trial()
    trial.kernel.pinnedBlocks = [5]
    let report = try trial.run("16M:2")
    for block in 0..<5 { #expect(words(trial, block) == ["offline\n", "online_kernel\n"]) }
    #expect(words(trial, 6).isEmpty && !trial.kernel.picture.contains("x"))
    let notes = report.steps.first { $0.kind == .offline }?.notes ?? []
    #expect(notes.first == "sys/devices/system/memory/memory5/state: write refused, error 16")
    #expect(report.troubles.isEmpty)
  }

  @Test func aBlockThatDoesNotComeBackIsToldAndKeptInTheJournal() throws {
    let trial = try trial()
    let path = "sys/devices/system/memory/memory7/state"
    trial.kernel.afterWrite = { [kernel = trial.kernel] _ in
      if kernel.writes.last == .init(path: path, text: "offline\n") { kernel.faults[path] = [.error(.ioError)] }
    }
    let report = try trial.run("16M:2")
    #expect(report.troubles == ["block 7 is offline and did not come back: \(path): write refused, error 5"])
    #expect(trial.journal.lines?.contains("block 7 Normal") == true)
    let undo = try ReserveUndo.run(through: trial.kernel, journal: trial.journal, path: "journal")
    #expect(undo.blocks == [MemoryBlockNumber(7)] && undo.troubles.isEmpty)
    #expect(trial.journal.lines == nil && !trial.kernel.picture.contains("x"))
  }

  @Test func blocksStayWhereTheirNodeWouldFallBelowItsMargin() throws {
    var trial = try trial()
    trial.options.margin = .mebibytes(12)
    let report = try trial.run("16M:2")
    let notes = report.steps.first { $0.kind == .offline }?.notes ?? []
    #expect(notes.contains("8 blocks were left alone: their node would fall below its margin"))
    #expect(trial.kernel.writes.allSatisfy { !$0.path.contains("/memory/memory") })
  }
}
