import FrameAllocator
import FrameMap
public import HostArena
public import Megalith
import MemoryUnits
public import Mobility
public import PhysicalLayout

/// A machine for a run, and who owns the folios that it has already.
public struct LabMachine: ~Copyable {
  public let machine: Machine<HostStorage>
  /// Of folios that no client holds: address spaces, or the owner of what a capture held.
  let base: any FolioOwner
  /// Storage of contiguous areas, which must outlive the machine's last use.
  let areas: AreaStorage

  /// A machine that was made elsewhere, of a host's memory as it was in use.
  public init(_ machine: consuming Machine<HostStorage>, owner: any FolioOwner) {
    self.machine = machine
    base = owner
    areas = AreaStorage()
  }

  /// Boots the machine of a scenario.
  ///
  /// - Parameter seed: of holes.
  public init(_ spec: MachineSpec, seed: UInt64) throws(LabError) {
    let layout = try LabMachine.layout(spec, seed: seed)
    try self.init(layout, spec)
  }

  /// Boots a machine of a layout, with a scenario's policies.
  public init(_ layout: BootLayout, _ spec: MachineSpec) throws(LabError) {
    let policy = LabMachine.policy(spec, layout)
    let kernel = try LabMachine.kernel(spec.kernel, layout)
    let machine: Machine<HostStorage>
    do {
      machine = try Machine(
        layout, model: spec.model, policy: policy, commandLine: spec.commandLine, reserved: kernel)
    } catch {
      throw .machine(error)
    }
    let areas = AreaStorage()
    try LabMachine.makeAreas(spec.commandLine, layout, machine.zones, areas)
    base = machine.memory.owner
    self.machine = machine
    self.areas = areas
  }

  static func layout(_ spec: MachineSpec, seed: UInt64) throws(LabError) -> BootLayout {
    var boot: BootDescription
    switch spec.source {
    case .memory(let nodes):
      let total = nodes.reduce(.zero, +)
      do throws(PhysicalMemory.Problem) {
        let memory = try PhysicalMemory(total: total, nodes: nodes.count > 1 ? nodes : [], architecture: spec.architecture)
        boot = memory.boot(commandLine: spec.commandLine)
      } catch {
        throw .memory(error)
      }
    case .firmware(let text):
      do throws(FirmwareMapError) {
        boot = try LabMachine.firmware(text, spec)
      } catch {
        throw .firmware(error)
      }
    case .capture(let path):
      throw .capture(path: path, reason: "only who has the host's reader makes machines of captures")
    }
    if let holes = spec.holes {
      do throws(HoleError) {
        let places = try boot.firmwareMap.holes(
          count: HoleCount(rawValue: UInt64(holes.count)), size: holes.size, aligned: holes.alignment, seed: seed)
        boot.firmwareMap = boot.firmwareMap.punching(places, as: holes.kind)
      } catch {
        throw .holes(error)
      }
    }
    do throws(BootLayoutError) { return try BootLayout(of: boot) } catch { throw .layout(error) }
  }

  private static func firmware(_ text: String, _ spec: MachineSpec) throws(FirmwareMapError) -> BootDescription {
    let bytes = Array(text.utf8)
    if text.contains("e820") {
      var boot = BootDescription(try BootLog(parsing: bytes), architecture: spec.architecture)
      boot.commandLine = spec.commandLine
      return boot
    }
    return BootDescription(
      architecture: spec.architecture, firmwareMap: try FirmwareMap(resourceTree: bytes), commandLine: spec.commandLine)
  }

  static func policy(_ spec: MachineSpec, _ layout: BootLayout) -> MachinePolicy {
    var policy = MachinePolicy()
    switch spec.policy.maxOrder {
    case .order(let order): policy.topOrder = .order(order)
    case .unlimited: policy.topOrder = .unlimited
    case nil: break
    }
    let shift = layout.architecture.baseShift
    policy.pageblocks = PageblockPolicy(
      order: spec.policy.pageblockOrder ?? layout.architecture.pageblockOrder,
      groupOrder: spec.policy.group.map { $0.order(baseShift: shift) },
      fallback: spec.policy.fallback == .never ? .never : .stealOrPollute)
    policy.memmap = spec.policy.memmap == .accounted ? .accounted : .elsewhere
    policy.minimumFree = spec.policy.minimumFree
    policy.processors = CPUIndexLimit(max(spec.processors, 1))
    policy.hugePools.contiguous = LabMachine.contiguous(spec.policy)
    if let room = spec.room {
      let end = layout.nodes.flatMap { $0.memory.map { $0.end } }.max() ?? FrameNumber(0)
      let limit =
        PhysicalAddress(rawValue: end.rawValue << UInt64(shift.rawValue)).aligned(to: layout.memoryBlockSize, .up) + room.size
      var hotplug = HotplugRoom(limit: limit)
      hotplug.policy.blockSize = room.blockSize
      policy.hotplug = hotplug
    }
    return policy
  }

  static func contiguous(_ spec: PolicySpec) -> ContiguousPolicy {
    var policy = ContiguousPolicy()
    policy.hugePages = spec.hugePagesInRange == .migrate ? .migrate : .refuse
    policy.searchesMovableZones = spec.searchesMovableZones
    policy.isolationOrder = spec.isolationOrder
    return policy
  }

  /// Where the image lies: at 16 MiB, as kernels do, or at the first place behind that has room.
  private static func kernel(_ size: ByteCount, _ layout: BootLayout) throws(LabError) -> [FrameRange] {
    guard size > .zero else { return [] }
    let shift = layout.architecture.baseShift
    let wanted = FrameCount(size, shift, rounded: .up)
    let first = FrameNumber(PhysicalAddress(16 << 20), shift, rounded: .up)
    for range in layout.nodes.flatMap({ $0.memory }).sorted(by: { $0.start < $1.start }) {
      let start = max(range.start, first)
      if start < range.end, range.end - start >= wanted { return [FrameRange(start: start, count: wanted)] }
    }
    throw .noRoomForKernel(wanted: size)
  }
}

extension LabMachine {
  /// Sets aside what `hugetlb_cma=` asks for, at the top of each node's highest kernel zone. Linux: `hugetlb_cma_reserve`.
  private static func makeAreas(
    _ commandLine: KernelCommandLine, _ layout: BootLayout, _ zones: borrowing ZoneSet, _ areas: AreaStorage
  ) throws(LabError) {
    guard let request = commandLine.hugePageArea else { return }
    let shift = layout.architecture.baseShift
    let unit =
      (layout.architecture.hugeSizes.filter { layout.architecture.isGigantic($0) }.min() ?? layout.architecture.hugeSizes.max())
      .map { $0.order(baseShift: shift).frames } ?? FrameCount(1)
    let shares: [(node: NodeID, size: ByteCount)]
    switch request {
    case .total(let size):
      let count = UInt64(zones.nodes.count)
      shares = zones.nodes.map { ($0, ByteCount(rawValue: (size.rawValue + count - 1) / count)) }
    case .perNode(let list): shares = list.map { ($0.node, $0.size) }
    }
    for share in shares {
      let frames = FrameCount(share.size, shift, rounded: .up).aligned(to: unit, .up)
      guard frames > .zero else { continue }
      guard areas.make(frames, aligned: unit, on: share.node, in: zones) else {
        throw .noRoomForArea(wanted: share.size, node: share.node)
      }
    }
  }
}

/// Memory for the books of contiguous areas.
final class AreaStorage {
  // Each was allocated here and is freed here, after the machine, which alone uses it, has gone: the machine's holder keeps this object.
  private var buffers: [UnsafeMutableRawBufferPointer] = []

  deinit { for buffer in buffers { buffer.deallocate() } }

  /// Makes an area of the node's highest kernel zone that has room for it, as high as it goes.
  func make(_ frames: FrameCount, aligned unit: FrameCount, on node: NodeID, in zones: borrowing ZoneSet) -> Bool {
    for index in zones.indices.reversed() {
      let description = zones.descriptions[Int(index.rawValue)]
      guard description.node == node, description.kind != .movable else { continue }
      let size = Int(FolioZone.areaStorageBytes(for: frames).rawValue)
      let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: size, alignment: 64)
      buffer.initializeMemory(as: UInt8.self, repeating: 0)
      for range in description.memory.reversed() where range.end >= FrameNumber(0) + frames {
        var start = (range.end - frames).aligned(to: unit, .down)
        while start >= range.start {
          if (try? zones[index].makeArea(FrameRange(start: start, count: frames), storage: buffer)) != nil {
            buffers.append(buffer)
            return true
          }
          guard start >= range.start + unit else { break }
          start -= unit
        }
      }
      buffer.deallocate()
    }
    return false
  }
}
