import Foundation
import FrameAllocator
import FrameMap
import HostMemory
import Megalith
import MemoryUnits
import Mobility
import PhysicalLayout
import TestSupport
import Testing

/// Machines that are made of hosts: what can be had of one is what the survey says of the other.
@Suite struct MachineTests {
  static let samples = ["boot-pages-8g", "fragmented-24g", "fresh-24g", "plain-4g", "two-nodes-4g"]

  /// The ranges that a survey counts as obtainable.
  static func obtainable(_ result: SizeResult) -> [FrameNumber] {
    result.verdicts.filter { $0.verdict == .free || $0.verdict == .movable }.map(\.range.start).sorted()
  }

  /// Makes the machine, takes what it gives, and checks it before and after.
  static func predict(_ size: PageSize, _ root: Sysroot, _ survey: Survey) throws -> MachinePrediction {
    let owner = CapturedFolios()
    let machine = try Machine(survey, of: root, owner: owner)
    try machine.checkInvariants()
    let prediction = machine.predict(size, of: survey, owner: owner)
    try machine.checkInvariants()
    return prediction
  }

  @Test(arguments: samples) func theMachineGivesWhatTheSurveySays(sample: String) throws {
    let root = Sysroot(FixtureFolder("../../Samples").path(sample))
    let survey = try Survey(of: root)
    for result in survey.sizes {
      let prediction = try Self.predict(result.size, root, survey)
      if result.isGigantic {
        #expect(prediction.count.rawValue == result.obtainable)
        #expect(prediction.pages.sorted() == Self.obtainable(result))
      } else {
        // Frames on per-CPU lists whose place is unknown count as room for a survey, and are nowhere in a machine.
        let difference = Int64(result.obtainable) - Int64(prediction.count.rawValue)
        #expect(abs(difference) <= Int64(result.obtainable / 128))
      }
    }
  }

  /// The engine's own way, the least to move first, comes to the same number.
  @Test(arguments: samples) func theLeastToMoveFirstComesToTheSame(sample: String) throws {
    let root = Sysroot(FixtureFolder("../../Samples").path(sample))
    let survey = try Survey(of: root)
    let result = try #require(survey.sizes.last)
    let owner = CapturedFolios()
    let machine = try Machine(survey, of: root, owner: owner)
    var count: UInt64 = 0
    let policy = survey.reports.policy.contiguous(for: result.order)
    while let folio = try? machine.contiguousBlock(result.order, FrameRequest(.unmovable), policy, owner: owner) {
      count += 1
      _ = consume folio
    }
    #expect(count == result.obtainable)
    try machine.checkInvariants()
  }

  @Test(arguments: samples) func zonesAreTheHosts(sample: String) throws {
    let root = Sysroot(FixtureFolder("../../Samples").path(sample))
    let reports = try HostReports(of: root)
    let machine = try Machine(capture: root, owner: CapturedFolios())
    let zones = machine.snapshot().zones
    #expect(zones.map(\.node) == reports.zones.map(\.node))
    #expect(zones.map(\.kind.description) == reports.zones.map(\.name))
    #expect(zones.map(\.span) == reports.zones.map(\.span))
    #expect(zones.map(\.present) == reports.zones.map(\.present))
    #expect(zones.map(\.watermarks.min) == reports.zones.map(\.minimum))
    #expect(zones.map { $0.reserves.max() } == reports.zones.map(\.reserveForHigherZones))
  }

  static let size = VerdictTests.gigantic

  /// Each picture with a range beside it that has room and a frame that keeps it from being taken.
  @Test(arguments: [
    "........", "...m............", "...c....", "...M............", "Gggggggg", "...H....", "...s....", "...t....",
    "...r....", "...k....", "...o....", "...p....", "... ....", "...x....", "....|....", "........|...s....",
    "Gggggggg|...H....|........", "mmmmmmmm", "cccccccc", "mmmm....mmmm....", "...u....", "...u............", "...m....",
    "...z....|...s....", "...ZZ...y.......", "...H............",
  ]) func drawnHosts(picture: String) throws {
    var drawing = HostDrawing(picture + "|....k...|k.......")
    try Self.compare(drawing)
    drawing.release = "7.0.1"
    drawing.onLists = [1024, 1024, 1024]
    drawing.zoneNames = ["Normal", "Movable", "Movable", "Normal"]
    try Self.compare(drawing)
    drawing.movableGigantic = 1
    try Self.compare(drawing)
  }

  /// Two ranges of which one is wholly free: the survey judges each by itself. What moves has nowhere to go but the other, so that the
  /// machine gives one of them.
  @Test func whatMovesTakesPlace() throws {
    let folder = try HostDrawing("...m............").write()
    let root = Sysroot(folder.path)
    let survey = try Survey(of: root, sizes: [Self.size])
    #expect(survey.sizes.first?.obtainable == 2)
    let prediction = try Self.predict(Self.size, root, survey)
    #expect(prediction.pages == [FrameNumber(0)])
    #expect(prediction.obstacles[.noRoom] > .zero)
  }

  static func compare(_ drawing: HostDrawing, _ comment: String = "") throws {
    let folder = try drawing.write()
    let root = Sysroot(folder.path)
    let survey = try Survey(of: root, sizes: [size])
    let result = try #require(survey.sizes.first)
    let prediction: MachinePrediction
    do {
      prediction = try predict(size, root, survey)
    } catch CapturedMachineError.layout(.noMemory) {
      #expect(result.obtainable == 0)
      return
    }
    #expect(prediction.pages.sorted() == obtainable(result), "\(drawing.picture) \(comment)")
  }

  /// Random hosts with room enough: each range by itself decides.
  @Test(arguments: 0..<60 as Range<UInt64>) func randomHosts(seed: UInt64) throws {
    var random = SplitMix(seed: seed)
    let letters = Array("............mmcMzstrkuopHH x|")
    var picture = String(repeating: ".", count: 40)
    for _ in 0..<UInt64.random(in: 8...120, using: &random) {
      picture.append(
        UInt64.random(in: 0..<4, using: &random) == 0
          ? letters[Int(UInt64.random(in: 0..<UInt64(letters.count), using: &random))] : ".")
    }
    var drawing = HostDrawing(picture)
    drawing.release = seed % 2 == 0 ? "6.12.0" : "7.0.1"
    drawing.onLists = [Int(seed % 3), 0, 5]
    try Self.compare(drawing, "seed \(seed)")
  }

  @Test(
    arguments: [
      ("proc/zoneinfo", "Node 0, zone Normal\n", "damaged"), ("proc/zoneinfo", nil, "missing"),
      ("proc/kpageflags", nil, "missing"), ("proc/kpageflags", "1234567", "damaged"), ("proc/kpageflags", "12345678", "damaged"),
      ("sys/devices/system/memory/blocks.runs", "end 7\n", "damaged"),
    ] as [(String, String?, String)])
  func aDamagedHostIsRefused(path: String, text: String?, kind: String) throws {
    let folder = try HostDrawing("........|...s....").write()
    if let text { try folder.write(path, text) } else { try FileManager.default.removeItem(atPath: "\(folder.path)/\(path)") }
    let error = #expect(throws: CapturedMachineError.self) {
      _ = try Machine(capture: Sysroot(folder.path), owner: CapturedFolios())
    }
    switch (error, kind) {
    case (.file(.damaged(path, _, _)), "damaged"), (.file(.missing(path)), "missing"): break
    default: Issue.record("\(String(describing: error))")
    }
  }
}
