import FrameMap
import HostArena
import Hotplug
import Megalith
import MemoryUnits
import PhysicalLayout
import TestSupport
import Testing

/// A memmap over many blocks goes with the last of them.
@Suite struct SharedMemmapTests {
  private static let blocks = 80
  private static let start: UInt64 = 4096

  private static func block(_ number: Int) -> FrameRange {
    mebibytes(start + UInt64(number) * 128, start + UInt64(number + 1) * 128)
  }

  private func machine(_ model: MemoryModel) throws -> Plant<HostStorage> {
    var architecture = Architecture.x86_64
    architecture.addressLimit = PhysicalAddress(32 << 30)
    return try Plant(
      Plants.layout(nodes: [.mebibytes(512)], architecture), model, Plants.policy(.wholeRange, limit: .gibibytes(16)),
      HostStorage())
  }

  // S1.2, S1.3: 10 GiB are 80 sections of 128 MiB; 160 MiB of descriptors fill the first section and a quarter of the second.
  @Test(arguments: Plants.changeable) func tenGibibytesGoInAnyOrder(model: MemoryModel) throws {
    let plant = try machine(model)
    let range = mebibytes(Self.start, Self.start + 10240)
    for seed in 0..<UInt64(200) {
      let plan = try plant.machine.add(range, memmap: .fromRange)
      #expect(plan.hosting == .wholeRange(FrameCount(40960)))
      #expect(plan.hosted == [mebibytes(Self.start, Self.start + 160)])
      var random = SplitMix(seed: seed)
      var present = Set(0..<Self.blocks)
      for number in (0..<Self.blocks).shuffled(using: &random) {
        try plant.machine.remove(Self.block(number))
        present.remove(number)
        let holding = present.isEmpty ? [] : [0, 1].filter { !present.contains($0) }
        let blocks = plant.machine.hotplug.blocks
        let held = blocks.filter { $0.state == .holdingMemmap }.map { $0.range }
        #expect(held == holding.map { Self.block($0) }, "seed \(seed), after block \(number)")
        #expect(blocks.count == present.count + holding.count)
        let users = plant.machine.hotplug.sharedMemmaps.map { $0.users.rawValue }
        #expect(users == (present.isEmpty ? [] : [UInt64(present.count)]))
        // Its descriptors are there as long as anybody's that lie in it.
        let isThere = plant.machine.map.isValid(range.start)
        #expect(isThere == (present.contains(0) || !present.isEmpty))
      }
      if seed % 20 == 0 { plant.finish() }
    }
    plant.finish()
  }

  // Blocks that hold descriptors are online as others are: nothing of the first is managed, three quarters of the second.
  @Test(arguments: Plants.changeable) func blocksFullOfDescriptorsGoOnline(model: MemoryModel) throws {
    let plant = try machine(model)
    let range = mebibytes(Self.start, Self.start + 10240)
    try plant.machine.add(range, memmap: .fromRange)
    let movable = plant.zone(.movable)
    var managed: [FrameCount] = []
    for number in 0..<3 {
      let before = plant.machine.zones[movable].managed
      try plant.machine.online(Self.block(number), .movable)
      managed.append(plant.machine.zones[movable].managed - before)
    }
    #expect(managed == [FrameCount(0), FrameCount(24576), FrameCount(32768)])
    plant.check()
    for number in 0..<3 { try plant.machine.offline(Self.block(number)) }
    // One that was removed is neither there nor gone: its place cannot be added, nor it be removed again or put online.
    try plant.machine.remove(Self.block(1))
    let place = Self.block(1)
    #expect(refusal { try plant.machine.add(place) } == .overlaps(place.start))
    #expect(refusal { try plant.machine.remove(place) } == .noSuchBlock(place.start))
    #expect(refusal { try plant.machine.online(place) } == .noSuchBlock(place.start))
    try plant.machine.remove(Self.block(0))
    try plant.machine.remove(mebibytes(Self.start + 256, Self.start + 10240))
    plant.finish()
  }
}
