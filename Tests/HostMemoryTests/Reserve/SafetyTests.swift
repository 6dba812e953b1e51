import HostMemory
import MemoryUnits
import PhysicalLayout
import SystemPackage
import TestSupport
import Testing

/// The safety contract of Docs/Reserve.md.
@Suite struct SafetyTests {
  /// Every step has something to do; all of it can be had but one page.
  static func trial(rollsBack: Bool = false) throws -> ReserveTrial {
    var trial = try ReserveTrial("...H....|...c.s..|...u....|........|...t....|....mm..")
    trial.options.allowed = ReserveTrial.everything
    trial.options.rollsBack = rollsBack
    trial.kernel.stubborn = [40]
    return trial
  }

  private static let request = "16M:6"

  private func error(_ trial: ReserveTrial, _ request: String = request) throws -> ReserveError? {
    do throws(ReserveError) {
      let reservation = try Reservation(try requests(request), options: trial.options, of: trial.kernel.root)
      _ = try reservation.run(through: trial.kernel, journal: trial.journal)
      return nil
    } catch {
      return error
    }
  }

  private func requests(_ text: String) throws(ReserveError) -> [PoolRequest] {
    do throws(PoolRequestError) { return try PoolRequest.parse(text) } catch { throw .request(error) }
  }

  /// No block is left offline, and no page was lost.
  private func expectWhole(_ trial: ReserveTrial) {
    #expect(!trial.kernel.picture.contains("x"), "\(trial.kernel.picture)")
  }

  @Test(arguments: [
    (Errno.permissionDenied, HostWriteError.denied(path: ReserveTrial.poolPath(SimulatedKernel.gigantic, 0))),
    (.readOnlyFileSystem, .readOnly(path: ReserveTrial.poolPath(SimulatedKernel.gigantic, 0))),
  ])
  func withoutPermissionNothingIsWritten(code: Errno, expected: HostWriteError) throws {
    let trial = try Self.trial()
    trial.kernel.faults[expected.path] = [.error(code)]
    #expect(try error(trial) == .stop(.write(expected)))
    #expect(trial.kernel.writes.isEmpty && trial.journal.lines == nil)
  }

  @Test func aStepThatTheKernelRefusesIsPassedOver() throws {
    let trial = try Self.trial()
    trial.kernel.faults["proc/sys/vm/drop_caches"] = [.error(.permissionDenied)]
    trial.kernel.faults["sys/devices/system/node/node0/compact"] = [.short(1)]
    let report = try trial.run(Self.request)
    #expect(trial.outcome(report, .dropCaches) == .failed("proc/sys/vm/drop_caches: permission denied"))
    #expect(
      trial.outcome(report, .compact) == .failed("sys/devices/system/node/node0/compact: only 1 of 2 bytes were taken"))
    #expect(trial.gain(report, .offline) == 1 && report.stop == nil)
  }

  @Test(arguments: [FolderControl.Fault.error(.invalidArgument), .short(0)])
  func aPoolThatCannotBeWrittenEndsTheWork(fault: FolderControl.Fault) throws {
    let trial = try Self.trial()
    let path = ReserveTrial.poolPath(SimulatedKernel.gigantic, 0)
    trial.kernel.beforeWrite = { [kernel = trial.kernel] count in if count == 2 { kernel.faults[path] = [fault] } }
    let report = try trial.run(Self.request)
    guard case .write(let error)? = report.stop else { return #expect(Bool(false), "\(String(describing: report.stop))") }
    #expect(error.path == path && report.goals.first?.after == HugePageCount(1))
  }

  @Test func anInterruptedWriteIsRepeated() throws {
    let trial = try Self.trial()
    trial.kernel.beforeWrite = { [kernel = trial.kernel] count in
      if count == 1 { kernel.faults[ReserveTrial.poolPath(SimulatedKernel.gigantic, 0)] = [.error(.interrupted)] }
    }
    let report = try trial.run(Self.request)
    #expect(report.stop == nil && report.goals.first?.after == HugePageCount(5))
  }

  @Test func anotherWriterEndsTheWork() throws {
    var trial = try ReserveTrial("........................................")
    trial.options.maxStep = .mebibytes(16)
    trial.options.rollsBack = true
    trial.kernel.afterWrite = { [kernel = trial.kernel] count in
      if count == 1 { try? kernel.interfere(SimulatedKernel.gigantic, node: 0, to: 3) }
    }
    let report = try trial.run("16M:5")
    let path = ReserveTrial.poolPath(SimulatedKernel.gigantic, 0)
    #expect(report.stop == .otherWriter(path: path, expected: HugePageCount(1), found: HugePageCount(3)))
    // What somebody else set is not touched, not even to put it back.
    #expect(trial.kernel.pages(SimulatedKernel.gigantic) == 3)
    #expect(trial.kernel.writes.count == 1)
  }

  @Test func theTimeEndsTheWork() throws {
    var trial = try ReserveTrial("........................................")
    trial.options.maxStep = .mebibytes(16)
    trial.options.timeout = .seconds(3)
    trial.options.allowed = ReserveTrial.everything
    let report = try trial.run("16M:5")
    #expect(report.stop == .timeout && report.goals.first?.after == HugePageCount(3))
    #expect(report.steps.last?.outcome == .failed("the time is over"))
  }

  /// The writes of the whole ladder, counted from 1; of the blocks in the middle of a range, which are all alike, only one.
  private func writes() throws -> [Int] {
    let trial = try Self.trial()
    _ = try trial.run(Self.request)
    let alike = [41, 42, 44, 45, 46].map { "sys/devices/system/memory/memory\($0)/state" }
    return trial.kernel.writes.enumerated().filter { !alike.contains($0.element.path) }.map { $0.offset + 1 }
  }

  @Test(arguments: [false, true])
  func interruptedAtEveryStep(rollsBack: Bool) throws {
    for place in try writes() {
      let trial = try Self.trial(rollsBack: rollsBack)
      trial.kernel.afterWrite = { [kernel = trial.kernel] count in if count == place { kernel.isInterrupted = true } }
      let report = try trial.run(Self.request)
      expectWhole(trial)
      let held = trial.kernel.pages(SimulatedKernel.gigantic)
      guard report.stop != nil else {
        #expect(report.goals.first?.after == HugePageCount(5), "after write \(place)")
        continue
      }
      #expect(report.stop == .interrupted && report.troubles.isEmpty)
      if rollsBack {
        #expect(held == 0 && trial.kernel.pages(SimulatedKernel.huge) == 1, "after write \(place): \(trial.kernel.picture)")
      } else {
        // Whole pages stay, and the report knows them.
        #expect(report.goals.first?.after == HugePageCount(UInt64(held)), "after write \(place)")
      }
    }
  }

  /// Killed between the journal and the write, or after the write: an undo puts everything right.
  @Test(arguments: [false, true])
  func killedAtEveryStep(isWritten: Bool) throws {
    for place in try writes() {
      let trial = try Self.trial()
      let kill: (Int) -> Void = { [kernel = trial.kernel] count in if count == place { kernel.isDead = true } }
      if isWritten { trial.kernel.afterWrite = kill } else { trial.kernel.beforeWrite = kill }
      _ = try Reservation(try PoolRequest.parse(Self.request), options: trial.options, of: trial.kernel.root)
        .run(through: trial.kernel, journal: trial.journal)
      #expect(trial.journal.lines != nil)
      trial.kernel.isDead = false
      #expect(try error(trial) == .stop(.journal(.unfinished(path: "journal"))))
      let report = try ReserveUndo.run(through: trial.kernel, journal: trial.journal, path: "journal")
      expectWhole(trial)
      #expect(report.troubles.isEmpty && trial.journal.lines == nil)
      #expect(trial.kernel.pages(SimulatedKernel.gigantic) == 0, "write \(place): \(trial.kernel.picture)")
      #expect(trial.kernel.pages(SimulatedKernel.huge) == 1, "write \(place): \(trial.kernel.picture)")
    }
  }

  @Test func nothingIsDoneThatCannotBeWrittenDown() throws {
    for line in 1...6 {
      let trial = try Self.trial()
      trial.journal.failingLine = line
      if line == 1 {
        #expect(try error(trial) == .stop(.journal(.failed(path: "journal", code: 28))))
        #expect(trial.kernel.writes.isEmpty)
        continue
      }
      let report = try Reservation(try PoolRequest.parse(Self.request), options: trial.options, of: trial.kernel.root)
        .run(through: trial.kernel, journal: trial.journal)
      guard report.stop != nil else { continue }
      #expect(report.stop == .journal(.failed(path: "journal", code: 28)))
      expectWhole(trial)
    }
  }

  @Test func rollingBackLeavesWhatIsInUse() throws {
    var trial = try ReserveTrial("................|...s....")
    trial.options.rollsBack = true
    trial.kernel.afterWrite = { [kernel = trial.kernel] count in
      if count == 1 { try? kernel.use(1, on: 0) }
    }
    let report = try trial.run("16M:3")
    #expect(trial.kernel.pages(SimulatedKernel.gigantic) == 1)
    #expect(report.returned.map(\.after) == [HugePageCount(1)])
    #expect(report.goals.first?.after == HugePageCount(1))
  }

  @Test func anUndoLeavesWhatSomebodyElseSet() throws {
    let trial = try ReserveTrial("........................................")
    trial.kernel.afterWrite = { [kernel = trial.kernel] count in if count == 1 { kernel.isDead = true } }
    _ = try Reservation(try PoolRequest.parse("16M:2"), options: trial.options, of: trial.kernel.root)
      .run(through: trial.kernel, journal: trial.journal)
    trial.kernel.isDead = false
    try trial.kernel.interfere(SimulatedKernel.gigantic, node: 0, to: 4)
    let report = try ReserveUndo.run(through: trial.kernel, journal: trial.journal, path: "journal")
    #expect(report.pools.isEmpty && report.notes.count == 1 && trial.kernel.pages(SimulatedKernel.gigantic) == 4)
    #expect(throws: ReserveError.stop(.journal(.none(path: "journal")))) {
      try ReserveUndo.run(through: trial.kernel, journal: trial.journal, path: "journal")
    }
  }

  @Test func aJournalOfAnEarlierBootSaysNothing() throws {
    let trial = try ReserveTrial("................")
    try trial.journal.begin()
    try trial.journal.append("boot boot-zero")
    try trial.journal.append("pool 0 16M 0 1")
    try trial.kernel.interfere(SimulatedKernel.gigantic, node: 0, to: 1)
    let report = try ReserveUndo.run(through: trial.kernel, journal: trial.journal, path: "journal")
    #expect(report.notes == ["the journal is of an earlier boot, and nothing of it is left"])
    #expect(trial.kernel.pages(SimulatedKernel.gigantic) == 1 && trial.journal.lines == nil)
  }
}
