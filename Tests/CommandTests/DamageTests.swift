import Foundation
import TestSupport
import Testing

@testable import HostMemory
@testable import MegalithCommand

/// Whole surveys of damaged reports, down to the screen and the document: they end or throw `.damaged`, and never trap.
@Suite struct DamageTests {
  static let files = [
    "proc/zoneinfo", "proc/meminfo", "proc/buddyinfo", "proc/pagetypeinfo", "proc/vmstat", "proc/iomem", "proc/version",
    "sys/devices/system/memory/blocks.runs", "sys/devices/system/memory/block_size_bytes",
    "sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages",
  ]

  @Test(arguments: files) func noSurveyTraps(path: String) throws {
    var drawing = HostDrawing("...m...z|........")
    drawing.onLists = [3, 0]
    let host = try drawing.write()
    try host.write("proc/iomem", "00000000-01ffffff : System RAM\n")
    let example = [UInt8](try Data(contentsOf: URL(fileURLWithPath: "\(host.path)/\(path)")))
    var random = SplitMix(seed: 0xdead)
    for round in 0..<200 {
      try host.write(path, Self.damaged(example, &random))
      do throws(HostFileError) {
        let survey = try Survey(of: Sysroot(host.path))
        _ = SurveyScreen(survey, Terminal(usesColour: true)).lines()
        _ = try? JSONText.make(SurveyDocument(survey))
        let suspects = Suspects(survey.reports)
        for result in survey.sizes {
          try survey.explain(result, of: Sysroot(host.path), Survey.Selection()) {
            _ = ExplainColumn.allCases.map(ExplainRow($0, survey, suspects).cell)
          }
        }
      } catch {
        guard case .damaged = error else {
          Issue.record("round \(round): \(error)")
          return
        }
      }
    }
  }

  /// Mostly one number made another: these pass the parsers.
  private static func damaged(_ example: [UInt8], _ random: inout SplitMix) -> [UInt8] {
    var copy = example
    let digits = copy.indices.filter { (0x30...0x39).contains(copy[$0]) }
    guard let place = digits.randomElement(using: &random) else { return copy }
    switch Int.random(in: 0..<4, using: &random) {
    case 0: copy[place] = UInt8.random(in: 0x30...0x39, using: &random)
    case 1: copy.insert(contentsOf: Array("18446744073709551615".utf8.prefix(Int.random(in: 1...20, using: &random))), at: place)
    case 2: copy.removeSubrange(place..<copy.endIndex)
    default: copy.remove(at: place)
    }
    return copy
  }

  @Test(arguments: ["hugepages-1kB", "hugepages-562949953421312kB", "hugepages-3kB", "hugepages-0kB"])
  func pageSizesThatNoMachineHasAreDamage(name: String) throws {
    let host = try HostDrawing("........").write()
    for file in ["nr_hugepages", "free_hugepages", "resv_hugepages", "surplus_hugepages", "nr_overcommit_hugepages"] {
      try host.write("sys/kernel/mm/hugepages/\(name)/\(file)", "0\n")
    }
    #expect(throws: HostFileError.self) { _ = try Survey(of: Sysroot(host.path)).sizes.count }
  }
}
