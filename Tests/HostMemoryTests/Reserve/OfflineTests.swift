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

  /// The second range can be had at once; the first one has pages of 2 MiB in it, of which so many are in use.
  private func smallPages(inUse: Int) throws -> ReserveTrial {
    var trial = try ReserveTrial(".H.H....|........|.......t")
    trial.options.allowed = [.offline]
    trial.kernel.smallInUse = inUse
    return trial
  }

  /// Linux: before 7.0 no page is made of a range with pool pages in it, but its blocks can be emptied of them.
  @Test(arguments: 0...2)
  func smallerPagesGoWithTheirBlocksAndComeBack(inUse: Int) throws {
    let trial = try smallPages(inUse: inUse)
    let report = try trial.run("16M:2")
    #expect(trial.gain(report, .offline) == 1 && report.isMet && report.troubles.isEmpty)
    #expect(trial.kernel.pages(SimulatedKernel.huge) == 2 && !trial.kernel.picture.contains("x"))
    let notes = report.steps.first { $0.kind == .offline }?.notes ?? []
    #expect(
      notes == (inUse == 2 ? [] : ["the pool of 2M pages on node 0 lost \(2 - inUse) with a block, and got \(2 - inUse) back"]))
  }

  @Test func promisedSmallerPagesKeepTheirBlocks() throws {
    let trial = try smallPages(inUse: 0)
    trial.kernel.promised = 2
    let report = try trial.run("16M:2")
    #expect(report.goals.first?.after == HugePageCount(1) && report.troubles.isEmpty)
    #expect(trial.kernel.picture.hasPrefix(".H.H....|"))
  }

  @Test(arguments: [false, true])
  func smallerPagesComeBackAfterAnEnd(isKilled: Bool) throws {
    for end in 1...14 {
      let trial = try smallPages(inUse: 1)
      trial.kernel.afterWrite = { [kernel = trial.kernel] count in
        guard count == end else { return }
        if isKilled { kernel.isDead = true } else { kernel.isInterrupted = true }
      }
      let report = try Reservation(try PoolRequest.parse("16M:2"), options: trial.options, of: trial.kernel.root)
        .run(through: trial.kernel, journal: trial.journal)
      if isKilled {
        trial.kernel.isDead = false
        guard trial.journal.lines != nil else { continue }
        let undo = try ReserveUndo.run(through: trial.kernel, journal: trial.journal, path: "journal")
        #expect(undo.troubles.isEmpty && trial.kernel.pages(SimulatedKernel.gigantic) == 0)
      } else {
        #expect(report.troubles.isEmpty)
      }
      #expect(trial.kernel.pages(SimulatedKernel.huge) == 2, "after write \(end): \(trial.kernel.picture)")
      #expect(!trial.kernel.picture.contains("x"))
    }
  }

  @Test func aPoolThatDoesNotComeBackIsTold() throws {
    let trial = try smallPages(inUse: 0)
    let path = ReserveTrial.poolPath(SimulatedKernel.huge, 0)
    trial.kernel.faults[path] = [.error(.ioError)]
    let report = try trial.run("16M:2")
    #expect(report.troubles == ["\(path): write refused, error 5"])
    trial.kernel.faults = [:]
    let undo = try ReserveUndo.run(through: trial.kernel, journal: trial.journal, path: "journal")
    #expect(undo.troubles.isEmpty && trial.kernel.pages(SimulatedKernel.huge) == 2)
  }

  /// A page that the kernel made while the first range was emptied would be given up with its blocks.
  @Test func whatBecameAPageMeanwhileIsLeftAlone() throws {
    var trial = try ReserveTrial("...mm...|..mmm...|.......t|.......t|.......t|........")
    trial.options.allowed = [.offline]
    trial.kernel.stubborn = [0, 8]
    trial.kernel.afterWrite = { [kernel = trial.kernel] _ in
      if kernel.writes.last?.path.hasSuffix("memory0/state") == true { kernel.stubborn = [] }
    }
    let report = try trial.run("16M:4")
    #expect(report.stop == nil && report.goals.first?.after == HugePageCount(3))
    for block in 8..<16 { #expect(words(trial, block).isEmpty) }
  }
}
