import AddressSpaces
import FrameMap
import HostArena
import HugePools
import Megalith
import MemoryUnits
import PhysicalLayout

/// A page size whose pages are pinned, and how much memory of it.
enum PinnedPage: String, CaseIterable {
  case gigantic = "1G"
  case huge = "2M"
  case base = "4K"

  var size: PageSize {
    switch self {
    case .gigantic: PageSize(shift: PageShift(30))
    case .huge: PageSize(shift: PageShift(21))
    case .base: PageSize(shift: PageShift(12))
    }
  }
  var amount: ByteCount {
    switch self {
    case .gigantic: .gibibytes(16)
    case .huge: .gibibytes(1)
    case .base: .mebibytes(32)
    }
  }
  var pages: PageCount { PageCount(amount / size.bytes) }
}

/// A machine of 32 GiB on two nodes, metadata only, with a space in which memory of one page size is mapped and faulted in for writing.
final class PinGround: Sendable {
  let machine: Machine<HostStorage>
  let space: AddressSpace
  let range: VirtualRange
  let buffers: PinBuffers
  static let cpu = CPUIndex(0)
  static let shift = PageShift(12)

  init(_ model: MemoryModel, _ page: PinnedPage, total: ByteCount = .gibibytes(32), amount: ByteCount? = nil) throws {
    let half = ByteCount(total.rawValue / 2)
    let layout = try BootLayout(of: try PhysicalMemory(total: total, nodes: [half, half]).boot())
    var policy = MachinePolicy()
    policy.memmap = .elsewhere
    machine = try Machine(layout, model: model, policy: policy)
    let amount = amount ?? page.amount
    if page != .base {
      let pages = PageCount(amount / page.size.bytes)
      let reached = machine.memory.pools.setSize(
        page.size, to: pages, zones: machine.zones, with: machine.migration(of: machine.memory.owner))
      guard reached == pages else { throw BenchError.outOfMemory }
    }
    space = try machine.memory.makeSpace(on: Self.cpu)
    var options = MappingOptions()
    options.populates = true
    range = try machine.memory.map(.anonymous(page.size), amount, in: space, options, on: Self.cpu)
    buffers = PinBuffers()
  }

  func finish() throws { try end(machine, space, on: Self.cpu) }
}

/// Gives back everything that a machine's only space and its pools have, and looks whether all of it is.
func end<Storage>(_ machine: borrowing Machine<Storage>, _ space: AddressSpace, on cpu: CPUIndex) throws {
  machine.memory.destroy(space, on: cpu)
  machine.memory.pools.drain(zones: machine.zones, on: cpu)
  machine.zones.drain()
  let left = try machine.checkInvariants()
  precondition(left == .zero, "folios are left")
}

/// Room for what a group of calls records: as much as stays in the nearest cache.
final class PinBuffers: Sendable {
  /// Frames of a call.
  static let call = FrameCount(512)
  /// Calls between two looks at the clock.
  static let group = 8
  static let callBytes = ByteCount(call, PinGround.shift)
  static let groupBytes = callBytes * UInt64(group)
  static let groupFrames = Double(call.rawValue) * Double(group)

  nonisolated(unsafe) let numbers: UnsafeMutableBufferPointer<FrameNumber>
  nonisolated(unsafe) let descriptors: UnsafeMutableBufferPointer<DescriptorPointer>
  nonisolated(unsafe) let ranges: UnsafeMutableBufferPointer<FrameRange>
  /// The same for the C loops, which record addresses that may be null.
  nonisolated(unsafe) let addresses: UnsafeMutablePointer<UnsafeMutableRawPointer?>

  init() {
    let frames = Int(Self.call.rawValue) * Self.group
    numbers = .allocate(capacity: frames)
    numbers.initialize(repeating: .zero)
    descriptors = .allocate(capacity: frames)
    // Written before they are read.
    guard let nowhere = DescriptorPointer(bitPattern: 32) else { preconditionFailure("an address that is not null is null") }
    descriptors.initialize(repeating: nowhere)
    ranges = .allocate(capacity: frames)
    ranges.initialize(repeating: FrameRange(start: .zero, end: .zero))
    addresses = .allocate(capacity: frames)
    addresses.initialize(repeating: nil, count: frames)
  }

  deinit {
    numbers.deallocate()
    descriptors.deallocate()
    ranges.deallocate()
    addresses.deallocate()
  }

  /// Where a buffer begins.
  static func start<Element>(_ buffer: UnsafeMutableBufferPointer<Element>) -> UnsafeMutablePointer<Element> {
    guard let start = buffer.baseAddress else { preconditionFailure("a buffer without memory") }
    return start
  }

  /// A call's part of a buffer.
  static func part<Element>(_ buffer: UnsafeMutableBufferPointer<Element>, _ call: Int) -> UnsafeMutableBufferPointer<Element> {
    let count = Int(Self.call.rawValue)
    return buffer.extracting(call * count..<(call + 1) * count)
  }
}
