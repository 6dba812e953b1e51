import MemoryUnits
import PhysicalLayout
import TestSupport
import Testing

/// Inputs made from real ones: windows of them, with bytes changed, doubled, dropped or exchanged for telling ones, and
/// now and then nothing but noise.
private struct InputMaker {
  var random: SplitMix
  let samples: [[UInt8]]
  private let telling = [
    "0x", "ffffffffffffffff", "-", "[mem ", "\n", "99999999999999999999", "=", "\"", ",", "$", "%", "16E", "@", ":",
  ]
  .map { Array($0.utf8) }

  init(seed: UInt64, samples: [[UInt8]]) {
    random = SplitMix(seed: seed)
    self.samples = samples
  }

  mutating func next() -> [UInt8] {
    let kind = UInt64.random(in: 0...9, using: &random)
    if kind == 0 {
      return (0..<Int.random(in: 0...300, using: &random)).map { _ in UInt8.random(in: 0...255, using: &random) }
    }
    let sample = samples[Int.random(in: 0..<samples.count, using: &random)]
    let start = kind < 3 ? 0 : Int.random(in: 0...(sample.count / 2), using: &random)
    let end = Int.random(in: start...min(sample.count, start + 1500), using: &random)
    var input = Array(sample[start..<end])
    for _ in 0..<Int.random(in: 0...12, using: &random) where !input.isEmpty {
      let place = Int.random(in: 0..<input.count, using: &random)
      switch Int.random(in: 0...4, using: &random) {
      case 0: input[place] = UInt8.random(in: 0...255, using: &random)
      case 1: input.remove(at: place)
      case 2: input.insert(contentsOf: input[place..<min(input.count, place + 20)], at: place)
      case 3: input[place] = [0x30, 0x39, 0x66, 0x20, 0x0a, 0x00][Int.random(in: 0...5, using: &random)]
      default: input.insert(contentsOf: telling[Int.random(in: 0..<telling.count, using: &random)], at: place)
      }
    }
    return input
  }
}

/// Inputs never crash a reader: it gives a value or throws the one error type that its signature names.
@Suite struct FuzzTests {
  static let seed: UInt64 = 0x6d65_6761_6c69_7468
  static let rounds = 10_000

  @Test(.timeLimit(.minutes(2))) func bootLogs() throws {
    print("fuzzing boot logs, seed \(FuzzTests.seed)")
    var inputs = InputMaker(seed: FuzzTests.seed, samples: try OracleCase.names.map { try OracleCase($0).log })
    var readable = 0
    for round in 0..<FuzzTests.rounds {
      let input = inputs.next()
      do {
        let log = try BootLog(parsing: input)
        readable += 1
        let layout = try? BootLayout(of: BootDescription(log))
        try layout?.regions.checkInvariants()
        guard let layout else { continue }
        #expect(layout.present == layout.zones.reduce(.zero) { $0 + $1.present }, "seed \(FuzzTests.seed), round \(round)")
      } catch is FirmwareMapError {}
    }
    #expect(readable > 500)
  }

  @Test(.timeLimit(.minutes(1))) func resourceTrees() throws {
    print("fuzzing resource trees, seed \(FuzzTests.seed)")
    let sample = """
      00000000-00000fff : Reserved
      00001000-0009fbff : System RAM
        000f0000-000fffff : System ROM
      00100000-bffdffff : System RAM
        01000000-01dfffff : Kernel code
      bffe0000-bfffffff : ACPI Tables
      100000000-13fffffff : Persistent Memory (legacy)
      140000000-17fffffff : Soft Reserved

      """
    var inputs = InputMaker(seed: FuzzTests.seed, samples: [Array(sample.utf8)])
    var readable = 0
    var refused = 0
    for _ in 0..<FuzzTests.rounds {
      let input = inputs.next()
      do {
        _ = try FirmwareMap(resourceTree: input)
        readable += 1
      } catch {
        // The compiler knows the error's type: nothing else can come.
        refused += 1
      }
    }
    #expect(readable > 100 && refused > 100)
  }

  @Test(.timeLimit(.minutes(1))) func commandLines() throws {
    print("fuzzing command lines, seed \(FuzzTests.seed)")
    let samples = [
      "console=ttyS0 memmap=64K$0x17fff0000 memmap=4K$0x1c0000000,3M@5G,2M#7M,1G!4G,5M%6M-1+2 mem=3G",
      "hugepagesz=1G hugepages=10 hugepagesz=2M hugepages=0:2,1:5 default_hugepagesz=1G hugetlb_cma=0:2G,1:1G cma=64M@0-4G",
      "kernelcore=30% movablecore=2G movable_node numa=fake=2U -- mem=1G", "numa=fake=4 kernelcore=1G \"a b=c d\"",
      "numa=fake=512M movablecore=40% transparent_hugepage=madvise memory_hotplug.memmap_on_memory=force memmap=exactmap",
    ].map { Array($0.utf8) }
    var inputs = InputMaker(seed: FuzzTests.seed, samples: samples)
    let machine = try PhysicalMemory(total: .gibibytes(6), nodes: [.gibibytes(4), .gibibytes(2)])
    for round in 0..<FuzzTests.rounds {
      let line = KernelCommandLine(parsing: inputs.next())
      let again = KernelCommandLine(parsing: line.memoryKeysOnly)
      #expect(again.mapDirectives == line.mapDirectives, "seed \(FuzzTests.seed), round \(round)")
      #expect(again.problems == line.problems, "seed \(FuzzTests.seed), round \(round)")
      _ = try? BootLayout(of: machine.boot(commandLine: line))
    }
  }

  @Test func deviceTrees() {
    var random = SplitMix(seed: FuzzTests.seed)
    for _ in 0..<FuzzTests.rounds {
      let reg = (0..<Int.random(in: 0...64, using: &random)).map { _ in
        Bool.random(using: &random) ? UInt8.random(in: 0...255, using: &random) : 0
      }
      let node = DeviceTreeMemory(path: [], reg: reg, node: NodeID(0))
      let cells: [CellCount] = [.one, .two]
      let address = cells[Int.random(in: 0...1, using: &random)]
      let size = cells[Int.random(in: 0...1, using: &random)]
      do {
        let map = try FirmwareMap(deviceTree: [node], addressCells: address, sizeCells: size)
        for architecture in [Architecture.riscv64, .arm64Granule64K] {
          _ = try? BootLayout(of: BootDescription(architecture: architecture, firmwareMap: map))
        }
      } catch {
        #expect(error != .addressesHidden)
      }
    }
  }

  @Test(arguments: UInt64(1)...10) func mapsAgreeWithAByteArray(seed: UInt64) {
    var random = SplitMix(seed: seed)
    let kinds: [MemoryKind] = [.usable, .reserved, .acpiReclaimable, .unusable, .persistentLegacy, .other(9)]
    for _ in 0..<100 {
      var cells = [MemoryKind?](repeating: nil, count: 64)
      var entries: [FirmwareMap.Entry] = []
      for _ in 0..<Int.random(in: 0...12, using: &random) {
        let start = Int.random(in: 0...64, using: &random)
        let end = Int.random(in: start...64, using: &random)
        let kind = kinds[Int.random(in: 0..<kinds.count, using: &random)]
        entries.append(FirmwareMap.Entry(range(UInt64(start), UInt64(end)), kind))
        for cell in start..<end where (cells[cell]?.firmwareType ?? 0) < kind.firmwareType { cells[cell] = kind }
      }
      let map = FirmwareMap(entries)
      #expect((0..<64).map { map.kind(at: PhysicalAddress(UInt64($0))) } == cells, "seed \(seed)")
      #expect(map == FirmwareMap(entries.shuffled(using: &random)), "seed \(seed)")
    }
  }
}
