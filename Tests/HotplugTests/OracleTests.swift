import FrameAllocator
import FrameMap
import HostArena
import Hotplug
import Megalith
import MemoryUnits
import PhysicalLayout
import TestSupport
import Testing

/// What a real kernel's counters said while memory came and went.
struct RecordedHotplug: Sendable, CustomTestStringConvertible {
  struct Zone: Equatable, Sendable {
    let kind: String
    let start: UInt64
    let spanned: UInt64
    let present: UInt64
    let managed: UInt64
  }
  struct Blocks: Sendable {
    let numbers: ClosedRange<UInt64>
    let isOnline: Bool
    /// The first zone that the kernel names: the block's own, where it is online.
    let zone: String
  }
  struct Snapshot: Sendable {
    let label: String
    var zones: [Zone] = []
    var blocks: [Blocks] = []
    var memmap: UInt64?
  }

  static let all = FixtureFolder("oracle").names.filter { FixtureFolder("oracle/" + $0).names.contains("hotplug.txt") }

  let testDescription: String
  var kernel = ""
  var options = ""
  var snapshots: [Snapshot] = []

  init(_ name: String) throws {
    testDescription = name
    for line in try FixtureFolder("oracle/" + name).text("hotplug.txt").split(separator: "\n") {
      let words = line.split(separator: " ").map(String.init)
      func number(_ place: Int) throws -> UInt64 { try #require(UInt64(words[place])) }
      switch words[0] {
      case "kernel": kernel = words[1]
      case "options": options = String(line.dropFirst(8))
      case "snapshot": snapshots.append(Snapshot(label: words[1]))
      case "zone":
        snapshots[snapshots.count - 1].zones.append(
          Zone(kind: words[1], start: try number(2), spanned: try number(3), present: try number(4), managed: try number(5)))
      case "blocks":
        snapshots[snapshots.count - 1].blocks.append(
          Blocks(numbers: try number(1)...(try number(2)), isOnline: words[3] == "online", zone: words[4]))
      default: snapshots[snapshots.count - 1].memmap = try number(1)
      }
    }
  }
}

/// Counters after add, online, offline and remove equal the kernel's.
@Suite struct OracleTests {
  private static func block(_ number: UInt64) -> FrameRange { mebibytes(number * 128, (number + 1) * 128) }

  private static func machine(_ recorded: RecordedHotplug) throws -> Plant<HostStorage> {
    let log = try BootLog(parsing: FixtureFolder("oracle/" + recorded.testDescription).bytes("boot.log"))
    var policy = MachinePolicy()
    var own = HotplugPolicy()
    own.hostingUnit = recorded.kernel.hasPrefix("6.12") ? .eachBlock : .oneBlock
    own.hostsInVirtualModelOnly = true
    policy.hotplug = HotplugRoom(limit: PhysicalAddress(16 << 30), policy: own)
    let model: MemoryModel = recorded.kernel.hasSuffix("classic") ? .sparseExtreme : .vmemmap
    return try Plant(BootLayout(of: BootDescription(log)), model, policy, HostStorage())
  }

  private func zones(_ plant: Plant<HostStorage>) -> [RecordedHotplug.Zone] {
    plant.machine.snapshot().zones.filter { $0.kind >= ZoneKind.normal }.map {
      RecordedHotplug.Zone(
        kind: $0.kind.description, start: $0.span.start.rawValue, spanned: $0.span.count.rawValue,
        present: $0.present.rawValue, managed: $0.managed.rawValue)
    }
  }

  @Test(arguments: RecordedHotplug.all.filter { $0.contains("-hp-") }) func memoryDevices(name: String) throws {
    let recorded = try RecordedHotplug(name)
    let plant = try Self.machine(recorded)
    let place: MemmapPlace = recorded.options.contains("memmap_on_memory=1") ? .fromRange : .elsewhere
    #expect(plant.machine.layout.memoryBlockSize == .mebibytes(128))
    // What the kernel could not put offline held something that cannot move.
    var holders: [UInt64: FrameNumber] = [:]
    var there: Set<UInt64> = []
    for snapshot in recorded.snapshots {
      let wanted = snapshot.blocks.flatMap { $0.numbers }
      let online = snapshot.blocks.filter { $0.isOnline }.flatMap { blocks in blocks.numbers.map { ($0, blocks.zone) } }
      let isOnline = Set(online.map { $0.0 })
      let states = plant.machine.hotplug.blocks
      let wasOnline = Set(states.filter { $0.state != .offline }.map { $0.range.start.rawValue >> 15 })
      if snapshot.label == "offlined" {
        for number in isOnline {
          let zone = try #require(plant.machine.hotplug.blocks.first { $0.range == Self.block(number) }).state
          guard case .online(let index) = zone else { continue }
          let head = Self.block(number).end - FrameCount(1)
          try plant.machine.zones[index].claimFolio(at: head, order: Order(0), .unmovable).forget()
          holders[number] = head
        }
        for number in wasOnline {
          let refused = refusal { try plant.machine.offline(Self.block(number)) }
          #expect((refused == nil) == !isOnline.contains(number), "block \(number): \(refused as Any)")
        }
      }
      let gone = there.subtracting(wanted)
      for number in gone.sorted() { try plant.machine.remove(Self.block(number)) }
      let new = Set(wanted).subtracting(there).sorted()
      if let first = new.first, let last = new.last {
        let plan = try plant.machine.add(FrameRange(start: Self.block(first).start, end: Self.block(last).end), memmap: place)
        if let taken = snapshot.memmap { #expect(plan.memmapFrames.rawValue * (isHosted(plan, taken) ? 0 : 1) == taken) }
      }
      there = Set(wanted)
      for (number, zone) in online where !wasOnline.contains(number) {
        try plant.machine.online(Self.block(number), zone == "Movable" ? .movable : .kernel)
      }
      #expect(zones(plant) == snapshot.zones, "\(name) \(snapshot.label)")
      plant.check()
    }
    for (number, head) in holders {
      plant.machine.zones.put(head, on: CPUIndex(0))
      try plant.machine.offline(Self.block(number))
    }
    for number in there.sorted() { try plant.machine.remove(Self.block(number)) }
    plant.finish()
  }

  /// Newer kernels count descriptors in added memory as any others; older ones' free memory tells of those elsewhere only.
  private func isHosted(_ plan: AddPlan, _ taken: UInt64) -> Bool { plan.hosting != .elsewhere && taken == 0 }

  // S3.7: 1 GiB is asked for, then 320 MiB are left: two blocks and a half.
  @Test func virtioMemory() throws {
    let recorded = try RecordedHotplug("f-virtio-mem-1g")
    let plant = try Self.machine(recorded)
    var device = plant.machine.virtioMemory(region: mebibytes(4096, 8192), unit: .mebibytes(2))
    let plugged = try plant.machine.plug(.gibibytes(1), of: &device)
    #expect(plugged == FrameCount(262144))
    #expect(zones(plant) == recorded.snapshots[0].zones)
    plant.check()
    let unplugged = try plant.machine.unplug(.mebibytes(1024 - 320), of: &device, owner: plant.ledger)
    #expect(unplugged == FrameCount(704 << 8))
    #expect(zones(plant) == recorded.snapshots[1].zones)
    plant.check()
    #expect(try plant.machine.unplug(.mebibytes(320), of: &device, owner: plant.ledger) == FrameCount(320 << 8))
    plant.finish()
  }
}
