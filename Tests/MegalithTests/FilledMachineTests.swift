import FrameAllocator
import FrameMap
import HostArena
import Megalith
import MemoryUnits
import Mobility
import PhysicalLayout
import Synchronization
import Testing

/// Machines that begin with memory in use, and owners that drop and split.
@Suite struct FilledMachineTests {
  /// 64 MiB in one zone; ranges of 16 MiB are gigantic.
  private func machine(_ fill: (borrowing FolioZone) throws -> Void) throws -> Machine<HostStorage> {
    var architecture = Architecture.x86_64
    architecture.maxOrder = Order(10)
    let span = FrameRange(start: FrameNumber(0), count: FrameCount(1 << 14))
    let zone = ZoneLayout(node: NodeID(0), kind: .normal, span: span, present: span.count)
    let layout = try BootLayout(architecture: architecture, nodes: [NodeLayout(node: NodeID(0), memory: [span], zones: [zone])])
    let machine = try Machine(unfilled: layout, model: .vmemmap, storage: HostStorage())
    try fill(machine.zones[ZoneIndex(0)])
    try machine.checkInvariants()
    return machine
  }

  private func range(_ start: UInt64, _ end: UInt64) -> FrameRange {
    FrameRange(start: FrameNumber(start), end: FrameNumber(end))
  }

  /// Everything is its own, whatever it is; content above a frame can be given up.
  private final class Keeper: FolioOwner, Sendable {
    let dropsFrom: FrameNumber
    let splits: Bool
    let dropped = Atomic<UInt64>(0)
    let moves = Mutex<[FolioPlace]>([])

    init(dropsFrom: FrameNumber = FrameNumber(.max), splits: Bool = false) {
      self.dropsFrom = dropsFrom
      self.splits = splits
    }

    func detach(_ folio: FolioPlace) -> FrameCounts? { .references(1) }
    func attach(_ folio: FolioPlace, to head: FrameNumber) {
      if head != folio.head { moves.withLock { $0.append(FolioPlace(head: head, order: folio.order)) } }
    }
    func canDrop(_ folio: FolioPlace) -> Bool { folio.head >= dropsFrom }
    func drop(_ folio: FolioPlace) { dropped.wrappingAdd(folio.order.frames.rawValue, ordering: .relaxed) }
    func canSplit(_ folio: FolioPlace) -> Bool { splits }
  }

  @Test func heldRunsAreFoliosOfTheirKinds() throws {
    let machine = try machine { zone in
      try zone.manage(range(0, 5000))
      try zone.manage(range(5000, 6100), as: .ordinary, .movable, upTo: Order(9))
      try zone.manage(range(6100, 6200), as: .pageTable, .unmovable, upTo: Order(9))
      try zone.manageClaimed(range(6200, 1 << 14))
      #expect(throws: FolioError.notFree(FrameNumber(4999))) {
        try zone.manage(range(4999, 5001), as: .ordinary, .movable, upTo: Order(9))
      }
      #expect(throws: FolioError.notFree(FrameNumber(6099))) { try zone.manageClaimed(range(6099, 6101)) }
      #expect(throws: FolioError.noSuchFrame(FrameNumber(1 << 14))) { try zone.manageClaimed(range(1 << 14, 1 << 14 + 1)) }
    }
    #expect(machine.zones.freeFrames() == FrameCount(5000))
    let place = try machine.zones.folio(containing: FrameNumber(5130))
    #expect(place == FolioPlace(head: FrameNumber(5120), order: Order(9)))
    let plan = try machine.zones.plan(range(4096, 8192))
    #expect(plan.obstacles[.pageTable] == FrameCount(100) && plan.kind == .blocked)
    #expect(plan.obstacles[.reserved] == FrameCount(8192 - 6200))
    try machine.zones[ZoneIndex(0)].release(range(6200, 1 << 14))
    try machine.checkInvariants()
  }

  /// Nothing is free elsewhere, and what is in the way can be dropped.
  @Test func whatCanBeDroppedNeedsNoRoom() throws {
    let machine = try machine { zone in try zone.manage(range(0, 1 << 14), as: .ordinary, .movable, upTo: Order(9)) }
    let keeper = Keeper(dropsFrom: FrameNumber(0))
    let folio = try machine.contiguousBlock(Order(12), FrameRequest(.unmovable), owner: keeper)
    #expect(folio.head == FrameNumber(0) && keeper.dropped.load(ordering: .relaxed) == 4096)
    #expect(throws: ContiguousError.self) { try machine.contiguousRange(range(4096, 8192), owner: Keeper()) }
    try machine.checkInvariants()
    machine.free(folio)
    try machine.checkInvariants()
  }

  /// A folio that somebody looks at is not dropped, and stays where it is.
  @Test func whatIsReferencedIsNotDropped() throws {
    let machine = try machine { zone in try zone.manage(range(0, 1 << 14), as: .ordinary, .movable, upTo: Order(9)) }
    let place = try machine.zones.tryGet(FrameNumber(700), on: CPUIndex(0))
    let error = #expect(throws: ContiguousError.self) {
      try machine.contiguousRange(range(0, 4096), owner: Keeper(dropsFrom: FrameNumber(0)))
    }
    guard case .refused(_, let obstacles) = error else { return #expect(Bool(false), "\(String(describing: error))") }
    #expect(obstacles[.busy] == FrameCount(512) && obstacles.total == FrameCount(512))
    try machine.checkInvariants()
    machine.zones.put(place.head, on: CPUIndex(0))
    try machine.contiguousRange(range(0, 4096), owner: Keeper(dropsFrom: FrameNumber(0)))
    try machine.checkInvariants()
  }

  /// Every other frame is free elsewhere: a folio of 512 frames finds no place, its parts do.
  @Test func aFolioWithoutAPlaceIsSplit() throws {
    func fill(_ zone: borrowing FolioZone) throws {
      try zone.manage(range(0, 512), as: .ordinary, .movable, upTo: Order(9))
      try zone.manage(range(512, 4096))
      for frame in stride(from: UInt64(4096), to: 1 << 14, by: 2) {
        try zone.manage(range(frame, frame + 1), as: .ordinary, .unmovable, upTo: Order(0))
        try zone.manage(range(frame + 1, frame + 2))
      }
    }
    let whole = try machine(fill)
    #expect(throws: ContiguousError.self) { try whole.contiguousRange(range(0, 4096), owner: Keeper()) }
    try whole.checkInvariants()
    let parted = try machine(fill)
    let keeper = Keeper(splits: true)
    try parted.contiguousRange(range(0, 4096), owner: keeper)
    try parted.checkInvariants()
    #expect(keeper.moves.withLock { $0 }.allSatisfy { $0.order == Order(0) && $0.head >= FrameNumber(4096) })
    #expect(keeper.moves.withLock { $0.count } == 512)
  }

  @Test func layoutsOfNodesAreChecked() throws {
    #expect(throws: BootLayoutError.noMemory) { try BootLayout(architecture: .x86_64, nodes: []) }
    let nodes = [0, 1].map { NodeLayout(node: NodeID($0), memory: [range(0, 100)], zones: []) }
    #expect(throws: BootLayoutError.overlappingMemory(FrameNumber(0))) { try BootLayout(architecture: .x86_64, nodes: nodes) }
    let layout = try BootLayout(
      architecture: .x86_64,
      nodes: [NodeLayout(node: NodeID(0), memory: [range(256, 512), range(1 << 20, 1 << 21)], zones: [])])
    #expect(layout.holes == [range(0, 256), range(512, 1 << 20)])
    #expect(layout.memoryBlocks.map(\.start) == [MemoryBlockNumber(0), MemoryBlockNumber(32)])
    #expect(layout.memory == [range(256, 512), range(1 << 20, 1 << 21)] && layout.present == FrameCount(256 + (1 << 20)))
  }
}
