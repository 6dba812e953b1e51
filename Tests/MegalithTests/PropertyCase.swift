import FrameAllocator
import FrameMap
import HostArena
import Megalith
import MemoryUnits
import PhysicalLayout
import TestSupport

/// A machine of the property suite: model, preset and seed say everything about it.
struct PropertyCase: Sendable, CustomStringConvertible {
  let model: MemoryModel
  let architecture: Architecture
  let seed: UInt64

  var description: String { "\(model)/\(architecture.name)/\(seed)" }

  /// A stream of its own for each use, so that one does not move the others.
  func random(_ use: UInt64) -> SplitMix { SplitMix(seed: seed &* 1_000_003 &+ use) }

  /// Base pages differ from 4 KiB to 64 KiB; about as many frames in each machine: 40,000 to 150,000.
  private var layout: BootLayout {
    get throws {
      var random = random(1)
      var architecture = architecture
      // Sections above it could be added to a machine; a recount looks at each.
      architecture.addressLimit = PhysicalAddress(16 << 30)
      let page = architecture.baseShift.bytes
      let scale = page.rawValue >> 12
      let mebibytes = UInt64.random(in: 160...600, using: &random) * scale
      let total = ByteCount.mebibytes(mebibytes)
      // An odd border between two nodes, or one node.
      let first = ByteCount(page.rawValue * (total.rawValue / page.rawValue * .random(in: 20...80, using: &random) / 100 | 1))
      let nodes = seed % 3 == 0 ? [] : [first, total - first]
      let memory = try PhysicalMemory(
        total: total, nodes: nodes,
        deviceHole: PhysicalAddress(.random(in: 64...128, using: &random) * (scale << 20)).limited, architecture: architecture)
      var boot = memory.boot(commandLine: commandLine)
      var map = boot.firmwareMap
      // Inside pageblocks, of whole and of broken frames; aligned ones of both kinds, of megabytes.
      map = map.punching(try map.holes(count: HoleCount(5), size: page * 37, aligned: page, seed: seed), as: .absent)
      map = map.punching(
        try map.holes(count: HoleCount(4), size: .kibibytes(192), aligned: .kibibytes(64), seed: seed + 1), as: .reserved)
      let large = ByteCount.mebibytes(4 * scale)
      map = map.punching(try map.holes(count: HoleCount(2), size: large, aligned: large, seed: seed + 2), as: .reserved)
      map = map.punching(try map.holes(count: HoleCount(2), size: large * 2, aligned: large, seed: seed + 3), as: .absent)
      boot.firmwareMap = map
      return try BootLayout(of: boot)
    }
  }

  private var commandLine: KernelCommandLine {
    KernelCommandLine(parsing: Array((seed % 4 == 1 ? "movablecore=25%" : "").utf8))
  }

  private var policy: MachinePolicy {
    var random = random(2)
    var policy = MachinePolicy()
    policy.processors = CPUIndexLimit(.random(in: 1...3, using: &random))
    policy.topOrder = seed % 2 == 0 ? .architecture : .unlimited
    if Bool.random(using: &random) { policy.minimumFree = .zero }
    if Int.random(in: 0..<3, using: &random) == 0 { policy.memmap = .elsewhere }
    let order = architecture.pageblockOrder
    let group = Bool.random(using: &random) ? Order(order.rawValue + .random(in: 1...5, using: &random)) : nil
    let fallback = Int.random(in: 0..<5, using: &random) == 0 ? PageblockPolicy.Fallback.never : .stealOrPollute
    policy.pageblocks = PageblockPolicy(order: order, groupOrder: group, fallback: fallback)
    return policy
  }

  func machine() throws -> Machine<HostStorage> {
    let layout = try layout
    var random = random(3)
    let span = layout.memory[layout.memory.count - 1].end.rawValue
    let reserved = (0..<3).map { _ in
      FrameRange(
        start: FrameNumber(.random(in: 0..<span, using: &random)), count: FrameCount(.random(in: 1...700, using: &random)))
    }
    return try Machine(layout, model: model, policy: policy, reserved: reserved)
  }
}

extension PhysicalAddress {
  /// At most 4 GiB, where the device hole ends.
  fileprivate var limited: PhysicalAddress { min(self, PhysicalAddress(4 << 30)) }
}
