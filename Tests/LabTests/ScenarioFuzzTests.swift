import Foundation
import Lab
import TestSupport
import Testing

struct ScenarioFuzzTests {
  /// Whatever a file holds, it is read or refused with places.
  @Test(arguments: 0..<4)
  func damagedFilesAreReadOrRefused(_ part: Int) throws {
    var random = SplitMix(seed: UInt64(part) + 1)
    let texts = [try LabFixture.text("all-keys.yaml"), try LabFixture.text("mistakes.yaml")]
    var refused = 0
    for round in 0..<500 {
      var bytes = Array(texts[round % 2].utf8)
      for _ in 0...random.below(4) { damage(&bytes, &random) }
      do {
        _ = try ScenarioFile.read(String(decoding: bytes, as: UTF8.self), named: "fuzz.yaml")
      } catch {
        refused += 1
        #expect(!error.problems.isEmpty)
        #expect(error.problems.allSatisfy { !$0.text.isEmpty })
      }
    }
    #expect(refused > 250)
  }

  @Test func overridesOfAnyPathAreReadOrRefused() throws {
    var random = SplitMix(seed: 5)
    let text = try LabFixture.text("all-keys.yaml")
    let keys = ["machine", "steps", "clients", "memory", "0", "7", "99", "policy", "group", "", "db", "sizes", "<<", "-1"]
    let values = ["", "1G", "[1G, 2G]", "{a: b}", "{a: b", "&a [*a]", "- ", "\u{0}", "~", "*x", "!!binary x", "\"", "? [a]\n: b"]
    for _ in 0..<200 {
      let path = (0...random.below(3)).map { _ in keys[random.below(keys.count)] }.joined(separator: ".")
      let value = values[random.below(values.count)]
      _ = try? ScenarioFile.read(text, overriding: [(path, value)])
    }
  }

  @Test func deepAndWideTextsAreRefused() {
    let deep = String(repeating: "[", count: 5000)
    let bomb = (1...9).reduce("a0: &a0 [x, x]\n") { text, level in
      text + "a\(level): &a\(level) [\((0..<10).map { _ in "*a\(level - 1)" }.joined(separator: ", "))]\n"
    }
    let wide = "scenario: x\nsteps: [\(String(repeating: "{run: 1s}, ", count: 3000))]\nstory: 1\nstory: 2\n"
    for text in [deep, bomb, wide] {
      #expect(throws: ScenarioProblems.self) { try ScenarioFile.read(text) }
    }
  }

  private func damage(_ bytes: inout [UInt8], _ random: inout SplitMix) {
    let marks = Array("\n \t:-{}[],&*#?|>'\"%@`!~<0\u{0}".utf8) + [0xff, 0xc3, 0xef]
    let place = random.below(bytes.count)
    switch random.below(6) {
    case 0: bytes[place] = marks[random.below(marks.count)]
    case 1: bytes.insert(marks[random.below(marks.count)], at: place)
    case 2: bytes.removeSubrange(place..<min(place + random.below(40) + 1, bytes.count))
    case 3:
      let piece = bytes[place..<min(place + random.below(60), bytes.count)]
      bytes.insert(contentsOf: piece, at: random.below(bytes.count))
    case 4:
      // A line again somewhere else, which makes keys that are there twice.
      let lines = bytes.split(separator: 0x0a)
      bytes += [0x0a] + lines[random.below(lines.count)]
    default: bytes[place] ^= UInt8(1 << random.below(8))
    }
    if bytes.isEmpty { bytes = [0x61] }
  }
}

extension SplitMix {
  mutating func below(_ bound: Int) -> Int { Int(next() % UInt64(bound)) }
}
