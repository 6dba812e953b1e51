import AddressSpaces
import FrameAllocator
import FrameMap
import HostArena
import HugePools
import Megalith
import MemoryUnits
import Mobility
import PhysicalLayout
import Synchronization
import Testing

/// A machine and what is done to its spaces, as tests say it.
final class World<Storage: MachineStorage>: Sendable {
  let machine: Machine<Storage>
  let cpu = CPUIndex(0)

  init(_ machine: consuming Machine<Storage>) { self.machine = machine }

  var base: ByteCount { machine.memory.shape.baseShift.bytes }

  /// Brings a pool to a size.
  @discardableResult func grow(_ size: PageSize, to count: UInt64) -> UInt64 {
    machine.memory.pools.setSize(
      size, to: PageCount(count), zones: machine.zones, with: machine.migration(of: machine.memory.owner)
    ).rawValue
  }

  func space() throws -> AddressSpace { try machine.memory.makeSpace(on: cpu) }
  func end(_ space: AddressSpace) { machine.memory.destroy(space, on: cpu) }

  @discardableResult func map(
    _ source: MappingSource, _ size: ByteCount, in space: AddressSpace, _ change: (inout MappingOptions) -> Void = { _ in }
  ) throws -> VirtualRange {
    var options = MappingOptions()
    change(&options)
    return try machine.memory.map(source, size, in: space, options, on: cpu)
  }

  func touch(_ address: VirtualAddress, _ access: Access, in space: AddressSpace) throws {
    try machine.memory.fault(address, access, in: space, on: cpu)
  }

  func unmap(_ range: VirtualRange, in space: AddressSpace) throws { try machine.memory.unmap(range, in: space, on: cpu) }

  func write(_ byte: UInt8, at address: VirtualAddress, in space: AddressSpace) throws {
    try machine.memory.write(address, in: space, [byte].span, on: cpu)
  }

  func byte(at address: VirtualAddress, in space: AddressSpace) throws -> UInt8 {
    var bytes: [UInt8] = [0]
    var span = bytes.mutableSpan
    try machine.memory.read(address, in: space, into: &span, on: cpu)
    return bytes[0]
  }

  /// `nr free resv surplus`, as a kernel prints them.
  func counters(_ size: PageSize) -> String {
    let counts = machine.memory.pools.counts(size)
    return "\(counts.total) \(counts.free) \(counts.reserved) \(counts.surplus)"
  }

  func check() throws { try machine.checkInvariants() }

  /// What is held, for who looks for what was not given back.
  private func left() -> String {
    var text = ""
    for index in machine.zones.indices {
      machine.zones[index].forEachFolio(in: machine.zones[index].zone) { place, shape in
        guard let descriptor = machine.zones.table.descriptor(place.head) else { return }
        text += "\(place.head) order \(place.order) \(shape.kind) \(descriptor.pointee.counts) "
        text += "mapped \(descriptor.pointee.mapCount.load(ordering: .relaxed)); "
      }
    }
    return text
  }

  /// All that spaces and pools change, without the descriptors' map, whose recount costs most.
  func checkStep() throws {
    for index in machine.zones.indices { try machine.zones[index].checkInvariants() }
    try machine.memory.checkInvariants()
  }

  /// Everything is given back: what is held is what was at the start.
  func finish() throws {
    machine.memory.pools.drain(zones: machine.zones, on: cpu)
    let held = try machine.checkInvariants()
    #expect(held == .zero, "\(left())")
    machine.zones.drain()
  }
}

extension World where Storage == HostStorage {
  /// A machine that is metadata only.
  convenience init(
    _ architecture: Architecture = .x86_64, _ size: ByteCount = .gibibytes(8), model: MemoryModel = .vmemmap,
    nodes: [ByteCount] = [], commandLine: String = "", _ change: (inout MachinePolicy) -> Void = { _ in }
  ) throws {
    var policy = MachinePolicy()
    policy.minimumFree = .mebibytes(4)
    policy.keepsPageblocksFree = false
    policy.processors = CPUIndexLimit(8)
    change(&policy)
    var architecture = architecture
    architecture.addressLimit = min(architecture.addressLimit, PhysicalAddress(1 << 45))
    let line = KernelCommandLine(parsing: Array(commandLine.utf8))
    let memory = try PhysicalMemory(total: size, nodes: nodes, architecture: architecture)
    self.init(try Machine(BootLayout(of: memory.boot(commandLine: line)), model: model, policy: policy, commandLine: line))
  }
}

extension World where Storage == ArenaStorage {
  /// A machine with real memory behind its frames.
  convenience init(
    contents size: ByteCount, model: MemoryModel = .vmemmap, nodes: [ByteCount] = [], commandLine: String = "",
    _ change: (inout MachinePolicy) -> Void = { _ in }
  ) throws {
    var policy = MachinePolicy()
    policy.minimumFree = .mebibytes(1)
    policy.keepsPageblocksFree = false
    policy.processors = CPUIndexLimit(8)
    change(&policy)
    let line = KernelCommandLine(parsing: Array(commandLine.utf8))
    let layout = try BootLayout(of: PhysicalMemory(total: size, nodes: nodes).boot(commandLine: line))
    let arena = try Arena(layout.memory.map { PhysicalRange($0, layout.architecture.baseShift) }, baseShift: PageShift(12))
    self.init(try Machine(layout, model: model, policy: policy, commandLine: line, arena: arena))
  }
}

extension PageSize {
  static let small = PageSize(shift: PageShift(12))
  static let huge = PageSize(shift: PageShift(21))
  static let gigantic = PageSize(shift: PageShift(30))
}
