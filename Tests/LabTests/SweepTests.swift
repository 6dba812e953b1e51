import Foundation
import Synchronization
import Testing

@testable import Lab

struct SweepTests {
  @Test(arguments: [
    ("a.b=1,2,3", ["1", "2", "3"]), ("m=[16G, 16G],[32G]", ["[16G, 16G]", "[32G]"]),
    ("x = {a: 1, b: 2} ,'a,b'", ["{a: 1, b: 2}", "'a,b'"]),
  ])
  func keysAreRead(_ text: String, _ values: [String]) throws { #expect(try SweepKey(parsing: text).values == values) }

  @Test func whatIsNoSweep() throws {
    for text in ["", "a", "=1", "a=", "a=1,,2"] { #expect(throws: SweepPlanError.noValues(text)) { try SweepKey(parsing: text) } }
    for text in ["", "0", "-1", "5-4", "a", "1-2-3", "99999999999"] {
      #expect(throws: SweepPlanError.noSeeds(text)) { try SeedRange(parsing: text) }
    }
    for text in ["", "3", "0/3", "4/3", "1/0", "a/b", "1/2/3"] {
      #expect(throws: SweepPlanError.noShard(text)) { try Shard(parsing: text) }
    }
    let key = SweepKey("a", values: ["1", "2"])
    #expect(throws: SweepPlanError.keyTwice("a")) { try SweepPlan([key, key]) }
    #expect(throws: SweepPlanError.valueTwice(key: "a", value: "1")) { try SweepPlan([SweepKey("a", values: ["1", "1"])]) }
    #expect(throws: SweepPlanError.seedsTwice) {
      try SweepPlan([SweepKey("seed", values: ["1"])], seeds: SeedRange(parsing: "3"))
    }
    #expect(throws: SweepPlanError.tooManyPoints) { try SweepPlan([key], seeds: SeedRange(parsing: "9999999")) }
  }

  @Test func pointsHaveAFixedOrder() throws {
    let plan = try SweepPlan([SweepKey(parsing: "a=x,y"), SweepKey(parsing: "b=1,2")], seeds: SeedRange(parsing: "7-8"))
    let texts = (1...plan.count).map { number in
      let point = plan.point(number)
      return "\(point.number)\(point.values.joined())\(point.seed ?? 0)"
    }
    #expect(texts == ["1x17", "2x18", "3x27", "4x28", "5y17", "6y18", "7y27", "8y28"])
    #expect(plan.overrides(plan.point(6)).map { $0.key + $0.value } == ["ay", "b1", "seed8"])
    #expect(try Array(Shard(parsing: "2/3").points(of: plan)) == [2, 5, 8])
    #expect(try Array(Shard(parsing: "9/9").points(of: plan)) == [])
    let all = try (1...3).flatMap { try Array(Shard(parsing: "\($0)/3").points(of: plan)) }
    #expect(all.sorted() == Array(1...8))
  }

  @Test(arguments: [1, 2, 7])
  func anyNumberOfJobsGivesTheSameBytes(_ jobs: Int) throws {
    let folder = try LabFolder()
    let runner = try SweepGround.runner()
    let file = try SweepFile(path: folder.path("all.csv"), identity: runner.identity, shard: .all, resumes: false)
    #expect(try runner.run(jobs: jobs) { try file.append($0) })
    let bytes = try Data(contentsOf: URL(filePath: file.path))
    try LabFixture.compare(String(decoding: bytes, as: UTF8.self), with: "sweep.csv")
  }

  @Test func shardsMergeToTheWhole() throws {
    let folder = try LabFolder()
    let files = try (1...3).map { number in try SweepGround.part(Shard(number: number, count: 3), in: folder) }
    let table = try SweepTable.merging([files[2], files[0], files[1]])
    #expect(table.missing.isEmpty)
    #expect(table.csv == (try LabFixture.text("sweep.csv")))
    let again = try SweepTable.merging([(name: "all.csv", bytes: Array(table.csv.utf8))])
    #expect(again == table)
    try LabFixture.compare(SweepSummary(table).text, with: "sweep.txt")
  }

  @Test func aStoppedSweepGoesOn() throws {
    let folder = try LabFolder()
    let runner = try SweepGround.runner()
    let path = folder.path("all.csv")
    let asked = Atomic(0)
    let first = try SweepFile(path: path, identity: runner.identity, shard: .all, resumes: true)
    let isWhole = try runner.run(
      jobs: 2, shouldGoOn: { asked.wrappingAdd(1, ordering: .relaxed).newValue <= 5 }, each: { try first.append($0) })
    #expect(!isWhole)
    #expect(first.rows.map(\.point) == [1, 2, 3, 4, 5])
    #expect(throws: SweepFileError.exists(path: path)) {
      try SweepFile(path: path, identity: runner.identity, shard: .all, resumes: false)
    }
    // Killed within a row.
    let bytes = try Data(contentsOf: URL(filePath: path))
    try bytes.dropLast(5).write(to: URL(filePath: path))
    let second = try SweepFile(path: path, identity: runner.identity, shard: .all, resumes: true)
    #expect(second.done == [1, 2, 3, 4])
    #expect(try runner.run(without: second.done, jobs: 2) { try second.append($0) })
    #expect(try String(contentsOf: URL(filePath: path), encoding: .utf8) == LabFixture.text("sweep.csv"))
  }

  @Test func everyKilledWriterIsGoneOnWith() throws {
    let folder = try LabFolder()
    let runner = try SweepGround.runner()
    let whole = Array(try LabFixture.text("sweep.csv").utf8)
    for length in stride(from: 0, through: whole.count, by: 7) {
      let path = folder.path("cut-\(length).csv")
      try Data(whole[..<length]).write(to: URL(filePath: path))
      let file = try SweepFile(path: path, identity: runner.identity, shard: .all, resumes: true)
      _ = try runner.run(without: file.done) { try file.append($0) }
      #expect(try Array(Data(contentsOf: URL(filePath: path))) == whole, "cut at \(length)")
    }
  }

  @Test func othersFilesStayAsTheyAre() throws {
    let folder = try LabFolder()
    let runner = try SweepGround.runner()
    let whole = try LabFixture.text("sweep.csv")
    let cases: [(String, (String) -> SweepFileError)] = [
      ("a letter", { .data(path: $0, SweepDataProblem("this is no result of a sweep")) }),
      (
        "a,b\r\n1,2\r\n",
        {
          .data(
            path: $0, SweepDataProblem(line: 1, "this is no result of a sweep: its columns begin with sweep, points, point, seed")
          )
        }
      ),
      (whole.replacing(runner.identity.digest, with: "1-0"), { .otherSweep(path: $0) }),
    ]
    for (index, (text, error)) in cases.enumerated() {
      let path = folder.path("other-\(index)")
      try Data(text.utf8).write(to: URL(filePath: path))
      #expect(throws: error(path)) { try SweepFile(path: path, identity: runner.identity, shard: .all, resumes: true) }
      #expect(try String(contentsOf: URL(filePath: path), encoding: .utf8) == text)
    }
    let path = folder.path("shard.csv")
    try Data(whole.utf8).write(to: URL(filePath: path))
    #expect(throws: SweepFileError.otherShard(path: path, point: 2)) {
      try SweepFile(path: path, identity: runner.identity, shard: Shard(number: 1, count: 2), resumes: true)
    }
  }

  @Test func aPointThatFailsEndsTheSweep() throws {
    let runner = try SweepGround.runner(failing: 4)
    var points: [Int] = []
    #expect(throws: SweepRunner.PointError.self) { _ = try runner.run(jobs: 2) { points.append($0.point) } }
    #expect(points == [1, 2, 3])
  }

  @Test func aMistakeShowsBeforeTheFirstRun() throws {
    #expect(throws: Never.self) { try SweepGround.runner().check() }
    let error = #expect(throws: ScenarioProblems.self) { try SweepGround.runner(values: "1G,big").check() }
    #expect(error?.description == "override machine.policy.group: 'big' does not fit; allowed here: a size such as 64K, 2M or 1G")
  }

  @Test func otherFiguresHaveNoColumns() throws {
    let folder = try LabFolder()
    let runner = try SweepGround.runner()
    let file = try SweepFile(path: folder.path("a.csv"), identity: runner.identity, shard: .all, resumes: false)
    var rows: [SweepRow] = []
    _ = try runner.run { rows.append($0) }
    try file.append(rows[0])
    rows[1].figures[0].name = "other"
    #expect(throws: SweepFileError.otherFigures(point: 2, missing: ["obtainable.1G:pages"], more: ["other:pages"])) {
      try file.append(rows[1])
    }
  }
}

/// A small sweep whose runs give made-up figures.
enum SweepGround {
  static let text = """
    scenario: swept
    steps: [{run: 1h}]
    """

  static func runner(values: String = "1G,\"4G\"", failing: Int? = nil) throws -> SweepRunner {
    let plan = try SweepPlan(
      [SweepKey(parsing: "machine.policy.group=\(values)"), SweepKey(parsing: "machine.memory=16G,[8G, 8G]")],
      seeds: SeedRange(parsing: "3-5"))
    let failed = failing.map { plan.overrides(plan.point($0)) }
    return SweepRunner(plan, text: text, named: "swept.yaml") { scenario in
      let isFailed = try failed.map { try ScenarioFile.read(text, overriding: $0) == scenario } ?? false
      if isFailed { throw CancellationError() }
      // Later points end earlier.
      Thread.sleep(forTimeInterval: 0.001 * Double(6 - scenario.seed))
      return trace(scenario)
    }
  }

  static func trace(_ scenario: Scenario) -> RunTrace {
    let machine = RunTrace.MachineFacts(
      architecture: "x86_64", model: "vmemmap", memoryBytes: 1 << 34, baseBytes: 4096, pageblockBytes: 1 << 21,
      cellBytes: 1 << 21,
      ranges: [], sizes: [1 << 21, 1 << 30], policies: [])
    var trace = RunTrace(scenario: scenario.name, story: "", lesson: "", seed: scenario.seed, machine: machine)
    let group = (scenario.machine.policy.group?.bytes.rawValue ?? 0) >> 30
    trace.figures = [
      RunTrace.Figure(name: "obtainable.1G", unit: .pages, value: 8 + group * 2 + scenario.seed % 3),
      RunTrace.Figure(name: "free", unit: .bytes, value: (2 << 30) + (scenario.seed << 26)),
      RunTrace.Figure(name: "spoilt.2M", unit: .basisPoints, value: 3400 - group * 100 - scenario.seed),
      RunTrace.Figure(name: "steps", unit: .count, value: 1),
    ]
    if scenario.seed == 4, group == 1 {
      trace.events = [RunTrace.Event(time: 0, line: 2, step: "expect", note: nil, outcome: .failed, text: "")]
    }
    return trace
  }

  static func part(_ shard: Shard, in folder: LabFolder) throws -> (name: String, bytes: [UInt8]) {
    let runner = try runner()
    let name = "part-\(shard.number).csv"
    let file = try SweepFile(path: folder.path(name), identity: runner.identity, shard: shard, resumes: false)
    _ = try runner.run(shard, jobs: 2) { try file.append($0) }
    return (name, Array(try Data(contentsOf: URL(filePath: file.path))))
  }
}
