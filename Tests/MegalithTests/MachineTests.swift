import FrameAllocator
import FrameContents
import FrameMap
import HostArena
import Megalith
import MemoryUnits
import PhysicalLayout
import TestSupport
import Testing

extension FailingStorage: MachineStorage {
  public typealias Mover = PortableMover
}

/// What a machine is made of, and what is left where there cannot be one.
@Suite struct MachineTests {
  /// 64 MiB from address 0 on, all of it whole subsections.
  private func small(_ total: ByteCount = .mebibytes(64), nodes: [ByteCount] = []) throws -> BootLayout {
    var architecture = Architecture.s390x
    architecture.addressLimit = PhysicalAddress(8 << 30)
    return try BootLayout(of: PhysicalMemory(total: total, nodes: nodes, architecture: architecture).boot())
  }

  private func frames(_ start: UInt64, _ end: UInt64) -> FrameRange {
    FrameRange(start: FrameNumber(start), end: FrameNumber(end))
  }

  /// Storage fails at every place where it can.
  @Test(arguments: MemoryModel.allCases) func aMachineThatCannotBeMadeLeavesNothing(model: MemoryModel) throws {
    let layout = try small(nodes: [.mebibytes(40), .mebibytes(24)])
    let storage = FailingStorage()
    var failures: [MachineError] = []
    while true {
      storage.fail(at: failures.count)
      do throws(MachineError) {
        let machine = try Machine(layout, model: model, storage: storage)
        storage.fail(at: nil)
        let held = try? machine.checkInvariants()
        #expect(held == .zero)
        break
      } catch {
        failures.append(error)
        let state = storage.state
        #expect(state.reserved.isEmpty && state.committed.isEmpty && state.guarded.isEmpty, "after failure \(failures.count)")
      }
    }
    let inMap = failures.prefix { if case .map(.storage) = $0 { true } else { false } }
    // The map's, then the reservation of the zones' books and what stands behind it.
    #expect(inMap.count >= 2 && failures.count == inMap.count + 2)
    if case .storage(.noAddressSpace) = failures[inMap.count] {} else { Issue.record("\(failures[inMap.count])") }
    if case .storage(.noMemory) = failures[inMap.count + 1] {} else { Issue.record("\(failures[inMap.count + 1])") }
    // The machine that could be made is gone.
    let state = storage.state
    #expect(state.reserved.isEmpty && state.committed.isEmpty && state.violations.isEmpty)
  }

  // 16384 frames of 64 bytes of descriptor: 1 MiB. 10 frames are left to hold them.
  @Test func descriptorsThatFindNoRoomAreNamed() throws {
    let layout = try small()
    #expect(throws: MachineError.noRoomForMemmap(wanted: .mebibytes(1), missing: .kibibytes(1024 - 40))) {
      _ = try Machine(layout, model: .vmemmap, reserved: [self.frames(0, 16374)]).map.memoryFrames
    }
    // One frame too few, and in pieces.
    let pieces = (0..<127).map { frames($0 * 128 + 2, $0 * 128 + 128) } + [frames(127 * 128 + 1, 16384)]
    #expect(throws: MachineError.noRoomForMemmap(wanted: .mebibytes(1), missing: .kibibytes(4))) {
      _ = try Machine(layout, model: .vmemmap, reserved: pieces).map.memoryFrames
    }
    // Exactly enough: everything is used up, and the machine boots with nothing.
    let machine = try Machine(layout, model: .vmemmap, reserved: pieces.dropLast() + [frames(127 * 128 + 2, 16384)])
    let free = machine.zones.freeFrames()
    #expect(free == .zero)
    let held = try machine.checkInvariants()
    #expect(held == .zero)
  }

  @Test(arguments: MemoryModel.allCases) func descriptorsLieAtTheTopOfTheirNodes(model: MemoryModel) throws {
    let layout = try small(nodes: [.mebibytes(40), .mebibytes(24)])
    let machine = try Machine(layout, model: model)
    // Flat: all of the span; sparse: the section that both share, a quarter of a gigabyte, at its first node.
    let expected: [FrameRange] =
      switch model {
      case .flat, .discontiguous, .vmemmap: [frames(10240 - 160, 10240), frames(16384 - 96, 16384)]
      case .sparse, .sparseExtreme: [frames(10240 - 1024, 10240)]
      }
    #expect(machine.boot.memmap == expected)
    let managed = machine.zones.indices.reduce(FrameCount.zero) { $0 + machine.zones[$1].managed }
    #expect(managed == FrameCount(16384) - expected.reduce(.zero) { $0 + $1.count })
    let held = try machine.checkInvariants()
    #expect(held == .zero)
  }

  private func lent() -> MachinePolicy {
    var policy = MachinePolicy()
    policy.memmap = .elsewhere
    policy.minimumFree = .zero
    policy.topOrder = .unlimited
    return policy
  }

  @Test func reservationsMayLieAnywhere() throws {
    let layout = try small()
    let machine = try Machine(
      layout, model: .sparse, policy: lent(),
      reserved: [
        frames(0x100, 0x180), frames(0x140, 0x200), frames(0x180, 0x190), frames(0x3fc0, 0x5000), frames(0x10_0000, 0x20_0000),
        frames(0x300, 0x300),
      ])
    #expect(machine.boot.reserved == [frames(0x100, 0x200), frames(0x3fc0, 0x5000), frames(0x10_0000, 0x20_0000)])
    let managed = machine.zones[ZoneIndex(0)].managed
    #expect(managed == FrameCount(16384 - 0x100 - 0x40))
    // Nothing of it is ever handed out.
    var held: [FrameNumber] = []
    while let folio = try? machine.allocate(Order(6), FrameRequest(.movable)) { held.append(folio.head) }
    #expect(held.count == (16384 - 0x100 - 0x40) / 64)
    #expect(held.allSatisfy { !frames(0x100, 0x200).contains($0) && $0.rawValue < 0x3fc0 })
    for head in held { try machine.zones.free(at: head, order: Order(6), on: CPUIndex(0)) }
    let left = try machine.checkInvariants()
    #expect(left == .zero)
  }

  @Test(arguments: MemoryModel.allCases) func aMachineThatIsAllReservedBoots(model: MemoryModel) throws {
    let machine = try Machine(try small(), model: model, policy: lent(), reserved: [frames(0, 1 << 30)])
    let refusal = #expect(throws: FolioError.self) { _ = try machine.allocate(Order(0), FrameRequest(.movable)).head }
    #expect(refusal == .exhausted(wanted: FrameCount(1), largestFree: .zero))
    let held = try machine.checkInvariants()
    #expect(held == .zero)
    let snapshot = machine.snapshot()
    #expect(snapshot.total == .zero && snapshot.zones.map { $0.present } == [FrameCount(16384)])
  }

  @Test func bootPagesComeFromTheirNodes() throws {
    let line = KernelCommandLine(parsing: Array("hugepagesz=1G hugepages=0:1,1:2".utf8))
    var architecture = Architecture.x86_64
    architecture.addressLimit = PhysicalAddress(64 << 30)
    let memory = try PhysicalMemory(
      total: .gibibytes(8), nodes: [.gibibytes(4), .gibibytes(4)], architecture: architecture)
    let machine = try Machine(try BootLayout(of: memory.boot(commandLine: line)), model: .sparse, commandLine: line)
    let size = PageSize(shift: PageShift(30))
    // Node 0 has [0, 3 GiB) and [4 GiB, 5 GiB), of which its descriptors take the end; node 1 has [5 GiB, 9 GiB).
    #expect(
      machine.boot.hugePages == [
        BootPages(size: size, node: NodeID(0), frames: [FrameNumber(2 << 18)]),
        BootPages(size: size, node: NodeID(1), frames: [FrameNumber(6 << 18), FrameNumber(7 << 18)]),
      ])
    let first = machine.memory.pools.counts(size, on: NodeID(0))
    let second = machine.memory.pools.counts(size, on: NodeID(1))
    #expect(first.free == PageCount(1) && second.free == PageCount(2))
    machine.memory.pools.drain(zones: machine.zones, on: CPUIndex(0))
    let held = try machine.checkInvariants()
    #expect(held == .zero)
  }

  /// Ordinary huge pages come out of the zones once these are there.
  @Test func hugePagesOfTheCommandLineAreInTheirPools() throws {
    let line = KernelCommandLine(parsing: Array("hugepagesz=2M hugepages=0:3,1:5 hugepagesz=1G hugepages=1".utf8))
    let memory = try PhysicalMemory(total: .gibibytes(4), nodes: [.gibibytes(2), .gibibytes(2)])
    let machine = try Machine(try BootLayout(of: memory.boot(commandLine: line)), model: .vmemmap, commandLine: line)
    let huge = machine.memory.pools.counts(PageSize(shift: PageShift(21)))
    let nodes = [0, 1].map { machine.memory.pools.counts(PageSize(shift: PageShift(21)), on: NodeID($0)).free.rawValue }
    let gigantic = machine.memory.pools.counts(PageSize(shift: PageShift(30)))
    #expect(huge.total == PageCount(8) && nodes == [3, 5] && gigantic.free == PageCount(1))
    try machine.checkInvariants()
    machine.memory.pools.drain(zones: machine.zones, on: CPUIndex(0))
    let held = try machine.checkInvariants()
    #expect(held == .zero)
  }

  // As `/proc/buddyinfo`, `/proc/zoneinfo` and `/proc/meminfo` print them.
  @Test func snapshotsReadAsAKernelsFiles() throws {
    var policy = lent()
    policy.minimumFree = .kibibytes(512)
    let machine = try Machine(try small(), model: .vmemmap, policy: policy)
    let held = try machine.allocate(Order(1), FrameRequest(.unmovable))
    let snapshot = machine.snapshot()
    #expect(
      snapshot.buddyinfo == "Node 0, zone      DMA      0      1      1      1      1      1      1      1     63 \n")
    #expect(
      snapshot.zoneinfo == """
        Node 0, zone      DMA
          pages free     16382
                min      128
                low      160
                high     192
                spanned  16384
                present  16384
                managed  16384
                protection: (0, 0, 0)
          start_pfn:           0

        """)
    #expect(snapshot.meminfo == "MemTotal:          65536 kB\nMemFree:           65528 kB\n")
    machine.free(held)
    let before = snapshot.hugepages
    #expect(
      before == """
        hugepages-1024kB
          nr_hugepages            0
          free_hugepages          0
          resv_hugepages          0
          surplus_hugepages       0
          nr_overcommit_hugepages 0
        hugepages-2097152kB
          nr_hugepages            0
          free_hugepages          0
          resv_hugepages          0
          surplus_hugepages       0
          nr_overcommit_hugepages 0

        """)
  }

  /// A descriptor without references under a folio: whoever recounts stops there.
  private static func work(checksEveryStep: Bool) throws {
    var policy = MachinePolicy()
    policy.checksEveryStep = checksEveryStep
    let memory = try PhysicalMemory(total: .mebibytes(64), architecture: .s390x)
    let machine = try Machine(try BootLayout(of: memory.boot()), model: .vmemmap, policy: policy)
    let folio = try machine.allocate(Order(2), FrameRequest(.movable))
    machine.map.descriptor(folio.head)?.pointee.unfreeze(.references(0))
    _ = try machine.allocate(Order(2), FrameRequest(.movable)).head
  }

  @Test func everyStepIsCheckedWhereAskedFor() async {
    await #expect(processExitsWith: .failure) { try MachineTests.work(checksEveryStep: true) }
    await #expect(processExitsWith: .success) { try MachineTests.work(checksEveryStep: false) }
  }
}
