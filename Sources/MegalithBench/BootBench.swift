import ArgumentParser
import CBaselines
import FrameAllocator
import FrameMap
import Glibc
import Megalith
import MemoryUnits
import PhysicalLayout

struct BootBench: Suite {
  static let configuration = CommandConfiguration(
    commandName: "boot",
    abstract: "Booting a machine of 64 TiB, metadata only.",
    discussion: """
      The machine has a virtual memmap, two nodes, 64 holes, and reserves a kernel's descriptors. Its row is the time of one \
      boot; resident is what the process grew by while one such machine stood.
      """)

  @OptionGroup var options: BenchOptions
  @OptionGroup var parts: BenchParts

  static func measure(_ options: BenchOptions, into report: inout Report) throws {
    let id = "boot/64T"
    guard options.wants(id) else { return }
    let layout = try Self.layout()
    var own = Samples()
    var resident: UInt64 = 0
    for round in 0...options.roundCount {
      let before = residentBytes()
      let start = now()
      let machine = try Machine(layout, model: .vmemmap)
      let time = now() - start
      if round > 0 { own.add(Double(time)) }
      resident = max(resident, residentBytes().subtracting(before))
      // Stays to the end of the round, and shows that it is whole.
      precondition(machine.snapshot().total > ByteCount.gibibytes(60 << 10))
    }
    report.rows.append(Row(id: id, samples: own, baselines: [], target: 500_000_000))
    report.remarks.append("\(id): \(resident >> 20) MiB resident, at most 256 wanted")
  }

  private static func layout() throws -> BootLayout {
    let total = ByteCount.gibibytes(64 << 10)
    let half = ByteCount(total.rawValue / 2)
    // The architecture's limit is just 64 TiB, and the hole for devices moves the last of it above.
    var architecture = Architecture.x86_64
    architecture.addressLimit = PhysicalAddress(1 << 52)
    let memory = try PhysicalMemory(total: total, nodes: [half, half], architecture: architecture)
    let holes = try memory.firmwareMap.holes(count: HoleCount(64), size: .gibibytes(1), aligned: .mebibytes(2), seed: 1)
    var boot = memory.boot()
    boot.firmwareMap = memory.firmwareMap.punching(holes, as: .reserved)
    return try BootLayout(of: boot)
  }
}

func now() -> UInt64 {
  var time = timespec()
  clock_gettime(CLOCK_MONOTONIC, &time)
  return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
}

/// What the process has in memory, from the kernel's second figure of `statm`.
private func residentBytes() -> UInt64 {
  guard let file = fopen("/proc/self/statm", "r") else { return 0 }
  defer { fclose(file) }
  var (size, resident) = (UInt64(0), UInt64(0))
  guard
    withUnsafeMutablePointer(
      to: &size,
      { size in
        withUnsafeMutablePointer(to: &resident) { resident in
          withVaList([size, resident]) { vfscanf(file, "%lu %lu", $0) }
        }
      }) == 2
  else { return 0 }
  return resident * UInt64(sysconf(Int32(_SC_PAGESIZE)))
}

extension UInt64 {
  fileprivate func subtracting(_ other: UInt64) -> UInt64 { self > other ? self - other : 0 }
}
