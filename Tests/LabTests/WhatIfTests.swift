import MemoryUnits
import PhysicalLayout
import Testing

@testable import Lab

/// Lives of hosts: what is left of folios that are met at a moment, amounts by node, and the next boot's command line.
@Suite struct WhatIfTests {
  private func mean(_ lifetime: Lifetime) -> Double {
    var random = LabRandom(seed: 3, stream: 1)
    let count = 200_000
    return (0..<count).reduce(0.0) { sum, _ in sum + Double(random.drawRest(lifetime, tick: Seconds(1)) ?? 0) } / Double(count)
  }

  /// What is left of a life that is met at random is E(x^2) / 2 E(x) on average.
  @Test func whatIsLeftIsThatOfFoliosMetAtRandom() throws {
    #expect(abs(mean(.fixed(Seconds(1000))) - 500) < 10)
    #expect(abs(mean(.exponential(mean: Seconds(1000))) - 1000) < 20)
    // (b^3 - a^3) / 3 (b - a) over (a + b), of a = 1000 and b = 3000.
    #expect(abs(mean(.uniform(Seconds(1000), Seconds(3000))) - 1083.3) < 20)
    // Cut at 10,000, by integrals of the tail: of t * S(t) over that of S(t), with S(t) = (100 / t)^1.5 from 100 on.
    let tail = 100 + 2 * 100 * (1 - (0.01).squareRoot())
    let moment = 5000 + 2 * 1000 * (10_000.0.squareRoot() - 10)
    #expect(abs(mean(.pareto(least: Seconds(100), hundredths: 150, most: Seconds(10_000))) - moment / tail) < 20)
    // An exponent of 1, where the integral is a logarithm: 100 * 9900 of the tail, and 5000 before it.
    let even = (5000 + 100 * 9900) / (100 * (1 + 4.60517))
    #expect(abs(mean(.pareto(least: Seconds(100), hundredths: 100, most: Seconds(10_000))) - even) < 40)
    var random = LabRandom(seed: 1, stream: 1)
    let stays = random.drawRest(.forever, tick: Seconds(1))
    #expect(stays == nil)
  }

  private func mix() -> WorkloadMix {
    WorkloadMix(
      files: .gibibytes(8), anonymous: .gibibytes(3), tables: .mebibytes(12), inodes: .mebibytes(220), objects: .mebibytes(50),
      other: .mebibytes(90), memory: .gibibytes(16), node: NodeID(0))
  }

  @Test func nodesHoldTogetherWhatTheHostHolds() {
    let parts = [(UInt64(1), NodeID(0)), (3, NodeID(1))].map { mix().share($0.0, of: 4, memory: .gibibytes(16), on: $0.1) }
    #expect(parts.map(\.node) == [NodeID(0), NodeID(1)])
    func sum(_ amount: (WorkloadMix) -> ByteCount) -> ByteCount { parts.reduce(.zero) { $0 + amount($1) } }
    let lost = ByteCount(rawValue: 16)
    for (whole, part) in [
      (ByteCount.gibibytes(8), sum { $0.files ?? .zero }), (.gibibytes(3), sum { $0.services + $0.jobs }),
      (.mebibytes(12), sum(\.tables)), (.mebibytes(220), sum { $0.inodesInUse + $0.inodes }), (.mebibytes(50), sum(\.objects)),
      (.mebibytes(90), sum(\.other)),
    ] {
      #expect(part <= whole && whole <= part + lost, "\(whole): \(part)")
    }
    // 12 MiB of tables map 3 GiB.
    #expect(mix().tableShare == (12 << 12) / 3072)
  }

  private func commandLine(_ host: String, _ settings: [(String, String)]) throws -> KernelCommandLine {
    let boot = try PhysicalMemory(total: .gibibytes(1), nodes: [], architecture: .x86_64).boot(commandLine: KernelCommandLine())
    var changes = WhatIf.Settings()
    changes.parameters = settings.map { (name: $0.0, value: $0.1) }
    let known = WhatIf.Host(layout: try BootLayout(of: boot), kernel: .mebibytes(16), parameters: host, life: [], pools: [])
    return WhatIf(known, changes, length: Seconds(600), seed: 1).commandLine
  }

  @Test func settingsTakeThePlaceOfTheHostsOwn() throws {
    let line = try commandLine("movablecore=1G hugepagesz=1G hugepages=4 kernelcore=2G", [("movablecore", "50%")])
    #expect(line == KernelCommandLine(parsing: Array("hugepagesz=1G hugepages=4 kernelcore=2G movablecore=50%".utf8)))
    // A size and its number go together.
    let pages = try commandLine("hugepagesz=1G hugepages=4 mem=8G", [("hugepagesz", "2M"), ("hugepages", "16")])
    #expect(pages == KernelCommandLine(parsing: Array("mem=8G hugepagesz=2M hugepages=16".utf8)))
  }
}
