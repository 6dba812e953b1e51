import FrameAllocator
import FrameContents
import FrameMap
import HostArena
import Hotplug
import HugePools
import Megalith
import MemoryUnits
import Mobility
import PhysicalLayout
import TestSupport
import Testing

extension BreakingStorage: MachineStorage {
  public typealias Mover = HostMover
}

/// Everything that counters say of a machine.
struct Dump: Equatable, CustomStringConvertible {
  struct Zone: Equatable {
    let index: ZoneIndex
    let managed: FrameCount
    let present: Int64
    let free: FrameCount
    let spanned: FrameRange?
    let watermarks: Watermarks
  }
  let zones: [Zone]
  let valid: FrameCount
  let memory: FrameCount
  let memmapBytes: ByteCount
  let blocks: [MemoryBlock]
  let shared: [SharedMemmap]
  let pools: [HugePoolCounts]
  /// By size and node.
  let poolsOfNodes: [HugePoolNodeCounts]
  let withheld: [FrameRange]
  let poisoned: [FrameNumber]

  var description: String {
    "\(zones) valid \(valid) memory \(memory) memmap \(memmapBytes) \(blocks) \(shared) \(pools) \(withheld) \(poisoned)"
  }
}

/// A small machine to which memory comes and from which it goes. Sections are of 8 MiB, so that there are many; each test ends with
/// `finish()`.
final class Plant<Storage: MachineStorage>: Sendable {
  let machine: Machine<Storage>
  let ledger = FolioLedger()
  let boot: Dump
  /// Nil where the machine was made elsewhere.
  let storage: Storage?

  convenience init(_ layout: BootLayout, _ model: MemoryModel, _ policy: MachinePolicy, _ storage: Storage) throws {
    try self.init(machine: Machine(layout, model: model, policy: policy, storage: storage), storage)
  }

  init(machine: consuming Machine<Storage>, _ storage: Storage? = nil) throws {
    boot = Plant.dump(machine)
    self.machine = machine
    self.storage = storage
  }

  static func dump(_ machine: borrowing Machine<Storage>) -> Dump {
    var zones: [Dump.Zone] = []
    for index in machine.zones.indices {
      zones.append(
        Dump.Zone(
          index: index, managed: machine.zones[index].managed, present: machine.zones[index].presentChange,
          free: machine.zones[index].freeFrames(), spanned: machine.hotplug.spanned(by: index, zones: machine.zones),
          watermarks: machine.zones[index].watermarks))
    }
    return Dump(
      zones: zones, valid: machine.map.validFrames, memory: machine.map.memoryFrames,
      memmapBytes: machine.map.account().memmapBytes, blocks: machine.hotplug.blocks, shared: machine.hotplug.sharedMemmaps,
      pools: machine.memory.pools.sizes.map { machine.memory.pools.counts($0) },
      poolsOfNodes: machine.memory.pools.sizes.flatMap { size in
        machine.memory.pools.nodes.map { machine.memory.pools.counts(size, on: $0) }
      },
      withheld: machine.hotplug.withheld(in: FrameRange(start: .zero, end: FrameNumber(.max))),
      poisoned: machine.hotplug.poisonedFrames)
  }

  var dump: Dump { Plant.dump(machine) }

  /// Books agree.
  @discardableResult func check(_ place: SourceLocation = #_sourceLocation) -> FrameCount? {
    do {
      return try machine.checkInvariants()
    } catch {
      Issue.record("\(error)", sourceLocation: place)
      return nil
    }
  }

  /// Everything that came has gone, and the machine is as it booted.
  func finish(_ place: SourceLocation = #_sourceLocation) {
    let held = check(place)
    #expect(held == .zero, sourceLocation: place)
    let now = dump
    #expect(now == boot, sourceLocation: place)
  }

  func zone(_ kind: ZoneKind, _ node: UInt32 = 0) -> ZoneIndex {
    let list = machine.zones.descriptions
    return ZoneIndex(UInt32(list.firstIndex { $0.kind == kind && $0.node == NodeID(node) } ?? list.count))
  }

  /// A movable folio of the ledger's inside `range`.
  func movable(_ order: Order, at head: FrameNumber) throws -> FolioLedger.Ticket {
    let found = machine.zones.zone(of: head)
    let zone = try #require(found)
    return try ledger.keep(machine.zones[zone].claimFolio(at: head, order: order, .movable, kind: .ordinary))
  }
}

enum Plants {
  static let section = ByteCount.mebibytes(8)
  static let changeable = MemoryModel.allCases.filter { $0.canChange }

  static func architecture() -> Architecture {
    var architecture = Architecture.arm64Granule4K
    architecture.sectionSize = section
    architecture.smallestMemoryBlock = section
    architecture.largestMemoryBlock = section
    architecture.addressLimit = PhysicalAddress(8 << 30)
    return architecture
  }

  static func layout(nodes: [ByteCount] = [.mebibytes(64)], _ architecture: Architecture = architecture()) throws -> BootLayout {
    let total = nodes.reduce(ByteCount.zero) { $0 + $1 }
    return try BootLayout(
      of: PhysicalMemory(total: total, nodes: nodes.count == 1 ? [] : nodes, architecture: architecture).boot())
  }

  static func policy(
    _ hosting: HostingUnit = .eachBlock, block: ByteCount? = nil, limit: ByteCount = .gibibytes(2), nodes: Set<NodeID> = []
  ) -> MachinePolicy {
    var policy = MachinePolicy()
    var own = HotplugPolicy()
    own.hostingUnit = hosting
    own.blockSize = block
    policy.hotplug = HotplugRoom(limit: PhysicalAddress(0) + limit, nodes: nodes, policy: own)
    return policy
  }

  static func plain(
    _ model: MemoryModel, _ hosting: HostingUnit = .eachBlock, block: ByteCount? = nil, nodes: [ByteCount] = [.mebibytes(64)]
  ) throws -> Plant<HostStorage> {
    try Plant(layout(nodes: nodes), model, policy(hosting, block: block), HostStorage())
  }
}

extension Plants {
  /// One whose storage can be told to fail.
  static func breaking(
    _ model: MemoryModel, _ hosting: HostingUnit = .eachBlock, block: ByteCount? = nil
  ) throws -> Plant<BreakingStorage> {
    try Plant(layout(), model, policy(hosting, block: block, limit: .gibibytes(5)), BreakingStorage())
  }
}

extension Plant where Storage == BreakingStorage {
  /// Has storage fail at its first call, its second and so on, until `body` gets through, and says how often it failed: each time
  /// everything is as before.
  func forced(_ place: SourceLocation = #_sourceLocation, _ body: () throws(HotplugError) -> Void) -> Int {
    let inner = storage?.inner ?? FailingStorage()
    let before = dump
    var failures = 0
    while failures < 100 {
      inner.fail(at: failures)
      do throws(HotplugError) {
        try body()
        break
      } catch {
        guard case .storage = error else {
          Issue.record("\(error)", sourceLocation: place)
          break
        }
      }
      failures += 1
      let now = dump
      #expect(now == before, "after failure \(failures)", sourceLocation: place)
      check(place)
    }
    inner.fail(at: nil)
    #expect(inner.state.violations.isEmpty, sourceLocation: place)
    return failures
  }
}

/// Frames by mebibytes of address.
func mebibytes(_ start: UInt64, _ end: UInt64) -> FrameRange {
  FrameRange(start: FrameNumber(start << 8), end: FrameNumber(end << 8))
}

/// What `body` throws; nil where it does not.
func refusal(_ body: () throws -> Void) -> HotplugError? {
  do { try body() } catch { return error as? HotplugError }
  return nil
}
