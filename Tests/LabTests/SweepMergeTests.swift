import Foundation
import TestSupport
import Testing

@testable import Lab

struct SweepMergeTests {
  private let whole: String
  private let header: String
  private let rows: [String]

  init() throws {
    whole = try LabFixture.text("sweep.csv")
    let lines = whole.components(separatedBy: "\r\n").dropLast()
    header = try #require(lines.first)
    rows = Array(lines.dropFirst())
  }

  @Test func whatIsMissingIsSaid() throws {
    let table = try SweepTable.merging([part("a", [2, 4, 5]), part("b", [8]), part("empty", [])])
    #expect(table.rows.map(\.point) == [2, 4, 5, 8])
    #expect(table.missingText == "1, 3, 6-7, 9-12")
    #expect(SweepSummary(table).missing.map { [$0.first, $0.last] } == [[1, 1], [3, 3], [6, 7], [9, 12]])
  }

  @Test func whatDoesNotGoTogetherIsSaid() throws {
    let digest = try #require(header.isEmpty ? nil : rows[0].prefix { $0 != "," })
    let files: [(name: String, bytes: [UInt8])] = [
      part("a", [1, 2]), part("b", [2, 3]),
      edited(part("digest", [4])) { $0.replacing(digest, with: "1-0") },
      edited(part("points", [5])) { $0.replacing(",12,5,", with: ",13,5,") },
      edited(part("keys", [6])) { $0.replacing("machine.memory", with: "machine.kernel") },
      edited(part("figures", [7])) { $0.replacing("free:bytes", with: "used:bytes") },
      edited(part("unit", [8])) { $0.replacing("free:bytes", with: "free:litres") },
      edited(part("fields", [9])) { $0 + "1,2\r\n" },
      edited(part("value", [10])) { $0.replacing(",yes,", with: ",yes,-") },
      edited(part("good", [11])) { $0.replacing(",yes,", with: ",perhaps,") },
      edited(part("number", [12])) { $0.replacing(",12,12,", with: ",12,0,") },
      (name: "text", bytes: Array("hello\n".utf8)), (name: "quotes", bytes: Array("a\"b\n".utf8)),
    ]
    let error = #expect(throws: SweepMergeError.self) { try SweepTable.merging(files) }
    try LabFixture.compare((error?.description ?? "") + "\n", with: "merge-mistakes.txt")
    #expect(throws: SweepMergeError.self) { try SweepTable.merging([]) }
  }

  @Test func fieldsSurviveTheTable() throws {
    let fields = ["", "a", "a,b", "a\"b", "\"", "a\nb", "a\r\nb", " a ", "[8G, 8G]", "ä€😀", "'x'"]
    let records = try CSV.parse(Array((CSV.record(fields) + CSV.record(["next"])).utf8))
    #expect(records.map(\.fields) == [fields, ["next"]])
    #expect(records[1].line == 4)
    #expect(try CSV.parse(Array("a,b\nc,d\ntorn".utf8)).map(\.fields) == [["a", "b"], ["c", "d"]])
  }

  @Test func damagedTablesAreReadOrRefused() {
    var random = SplitMix(seed: 11)
    for _ in 0..<500 {
      var bytes = Array(whole.utf8)
      for _ in 0...random.below(3) {
        let place = random.below(bytes.count)
        switch random.below(3) {
        case 0: bytes[place] = UInt8(random.below(256))
        case 1: bytes.removeSubrange(place..<min(place + random.below(30), bytes.count))
        default: bytes.insert(contentsOf: Array(",\"\r\n9".utf8.prefix(random.below(6))), at: place)
        }
      }
      _ = try? SweepTable.merging([(name: "a", bytes: bytes)])
    }
  }

  @Test func theIntervalIsStudents() {
    let figure = SweepSummary.Figure("x", .count, [10, 12, 14])
    #expect(figure.mean == 12)
    #expect(abs((figure.margin ?? 0) - 4.303 * 2 / 3.0.squareRoot()) < 1e-9)
    #expect(SweepSummary.Figure("x", .count, [5]).margin == nil)
    #expect(SweepSummary.Figure("x", .count, [.max, .max]).margin == 0)
    #expect(SweepSummary.student(30) == 2.042 && SweepSummary.student(31) == 2.042 && SweepSummary.student(5000) == 1.962)
  }

  private func part(_ name: String, _ points: [Int]) -> (name: String, bytes: [UInt8]) {
    let lines = [header] + points.map { rows[$0 - 1] }
    return (name, Array(lines.map { $0 + "\r\n" }.joined().utf8))
  }

  private func edited(
    _ file: (name: String, bytes: [UInt8]), _ edit: (String) -> String
  ) -> (name: String, bytes: [UInt8]) {
    (file.name, Array(edit(String(decoding: file.bytes, as: UTF8.self)).utf8))
  }
}
