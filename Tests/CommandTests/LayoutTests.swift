import Foundation
import TestSupport
import Testing

@Suite struct LayoutTests {
  private func document(_ arguments: String...) throws -> [String: Any] {
    let outcome = try Command.run(arguments: ["layout", "--json"] + arguments)
    #expect(outcome.code == 0, "\(outcome.errors)")
    return try #require(try JSONSerialization.jsonObject(with: Data(outcome.output.utf8)) as? [String: Any])
  }

  @Test func aMadeUpMachineIsLaidOutAsAKernelDoes() throws {
    let layout = try document("--memory", "6G", "--numa", "4G,2G", "--cmdline", "kernelcore=1G")
    #expect(layout["schema"] as? String == "megalith.layout/1")
    let zones = try #require(layout["zones"] as? [[String: Any]])
    #expect(zones.map { $0["name"] as? String } == ["DMA", "DMA32", "Movable", "Movable"])
    #expect(zones.map { $0["start"] as? Int } == [1, 0x1000, 0x100000, 0x140000])
    #expect(zones.map { $0["present"] as? Int } == [3998, 782_336, 262_144, 524_288])
    #expect(layout["blocks"] as? [[Int]] == [[0, 23], [32, 55]])
    #expect(layout["holes"] as? [[Int]] == [[0, 1], [0x9f, 0x100], [0xc0000, 0x100000]])
  }

  @Test func theSameSeedPunchesTheSameHoles() throws {
    let once = try document("--memory", "4G", "--holes", "8:1M", "--seed", "3")
    let again = try document("--memory", "4G", "--holes", "8:1M", "--seed", "3")
    let other = try document("--memory", "4G", "--holes", "8:1M", "--seed", "4")
    #expect(once["holes"] as? [[Int]] == again["holes"] as? [[Int]])
    #expect(once["holes"] as? [[Int]] != other["holes"] as? [[Int]])
  }

  @Test(arguments: FixtureFolder("oracle").names)
  func aRecordedBootIsLaidOutFromItsLog(boot: String) throws {
    let folder = FixtureFolder("oracle/\(boot)")
    let layout = try document("--dmesg", folder.path("boot.log"))
    let zones = try #require(layout["zones"] as? [[String: Any]])
    #expect(!zones.isEmpty)
    let expected = try folder.text("expected.txt")
    for zone in zones {
      let line = ["node", "name", "start", "spanned", "present"].map { "\(zone[$0] ?? "")" }.joined(separator: " ")
      #expect(expected.contains(line), "\(line)")
    }
  }
}
