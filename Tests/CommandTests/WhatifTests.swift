import Foundation
import TestSupport
import Testing

/// `megalith whatif` of captures.
@Suite struct WhatifTests {
  private func whatIf(_ sample: String, _ arguments: String...) throws -> Command.Outcome {
    try Command.run(arguments: ["whatif", "--sysroot", "\(Command.samples)/\(sample)", "--days", "0.05"] + arguments)
  }

  private func document(_ outcome: Command.Outcome) throws -> [String: Any] {
    try #require(try JSONSerialization.jsonObject(with: Data(outcome.output.utf8)) as? [String: Any])
  }

  /// Obtainable and held pages of a size, in a column.
  private func pages(_ document: [String: Any], _ size: String, _ column: String) throws -> [Int] {
    let sizes = try #require(document["sizes"] as? [[String: Any]])
    let row = try #require(sizes.first { $0["size"] as? String == size })
    let pages = try #require(row[column] as? [String: Int])
    return [try #require(pages["obtainable"]), try #require(pages["held"])]
  }

  @Test func aPlainHostIsToldOnAScreen() throws {
    let outcome = try whatIf("plain-4g", "--set", "movablecore=50%,group=256M", "--add", "1G@node0")
    #expect(outcome.code == 0, "\(outcome.errors)")
    let lines = outcome.output.split(separator: "\n")
    #expect(lines.allSatisfy { $0.count <= 80 })
    #expect(outcome.output.hasPrefix("A boot with movablecore=50%, group=256M, 1G more on node 0, movable\n"))
    #expect(outcome.output.contains("pages of  now: survey  machine  in 72m  booted anew  in 72m\n"))
    #expect(outcome.output.contains("add 1G to node 0: memory 0 at 0x140000000, online\n"))
    #expect(outcome.output.contains("What is assumed"))
  }

  /// A gigabyte more brings its pages, for good.
  @Test func addedMemoryIsThere() throws {
    let without = try document(try whatIf("plain-4g", "--json"))
    let with = try document(try whatIf("plain-4g", "--add", "1G", "--json"))
    #expect(without["schema"] as? String == "megalith.whatif/1")
    for column in ["booted", "bootedLater"] {
      let more = try pages(with, "2M", column)[0] - pages(without, "2M", column)[0]
      #expect((480...512).contains(more), "\(column): \(more)")
    }
    #expect(try pages(with, "2M", "now") == pages(without, "2M", "now"))
    #expect(try pages(with, "2M", "later") == pages(without, "2M", "later"))
  }

  @Test func theSameSeedGivesTheSameBytes() throws {
    let first = try whatIf("two-nodes-4g", "--json", "--set", "hugepagesz=2M,hugepages=16")
    #expect(first.code == 0, "\(first.errors)")
    #expect(first.output == (try whatIf("two-nodes-4g", "--json", "--set", "hugepagesz=2M,hugepages=16")).output)
    #expect(try pages(try document(first), "2M", "booted")[1] == 16)
    let other = try whatIf("two-nodes-4g", "--json", "--seed", "2", "--set", "hugepagesz=2M,hugepages=16")
    #expect(other.output != first.output)
  }

  /// File cache, slab and memory that was not handed over yet go over to the life: its first ranges are still those of the host.
  @Test func aFragmentedHostGoesOn() throws {
    let outcome = try Command.run(
      "whatif", "--sysroot", "\(Command.samples)/fragmented-24g", "--days", "0.01", "--size", "1G", "--json", "--set",
      "movablecore=50%")
    #expect(outcome.code == 0, "\(outcome.errors)")
    let document = try document(outcome)
    // Twelve ranges were not handed over, and two are free; nine have slab in them.
    #expect(try pages(document, "1G", "now") == [14, 0])
    #expect((8...14).contains(try pages(document, "1G", "later")[0]))
    // Half of 24 GiB is movable, and never spoilt.
    #expect(try pages(document, "1G", "bootedLater")[0] >= 11)
  }

  @Test func onlyOneSizeIsTold() throws {
    let document = try document(try whatIf("plain-4g", "--size", "1G", "--json"))
    #expect((document["sizes"] as? [Any])?.count == 1)
  }

  @Test func aPageIsWritten() throws {
    let folder = try TemporaryFolder()
    let outcome = try whatIf("plain-4g", "--html", folder.path + "/page.html")
    #expect(outcome.code == 0)
    #expect(try String(contentsOfFile: folder.path + "/page.html", encoding: .utf8).hasSuffix("</html>\n"))
  }

  @Test func wrongSettingsAreOneLine() throws {
    let wrong: [([String], String)] = [
      (["--set", "movabelcore=50%"], "'movabelcore' cannot be set; allowed: mem, memmap,"),
      (["--set", "movablecore=many"], "'movablecore=many' lacks a number"), (["--set", "group"], "'group' sets nothing"),
      (["--set", "fallback=perhaps"], "fallback:"), (["--add", "16"], "blocks of"), (["--add", "much"], "is no memory to add"),
      (["--add", "1G@node7"], "has no node 7. Add memory to one of node0."), (["--days", "0"], "--days takes"),
      (["--size", "3M"], "3M"),
    ]
    for (arguments, text) in wrong {
      let outcome = try Command.run(arguments: ["whatif", "--sysroot", "\(Command.samples)/plain-4g"] + arguments)
      #expect(outcome.code == 64, "\(arguments): \(outcome.errors)")
      #expect(outcome.errors.contains(text), "\(outcome.errors)")
      #expect(outcome.errors.split(separator: "\n").count == 1)
    }
    #expect(try Command.run("whatif", "--sysroot", "/nowhere").code == 66)
    // No node can give up so much at its start.
    #expect(try whatIf("plain-4g", "--set", "hugetlb_cma=16G").code == 65)
  }
}
