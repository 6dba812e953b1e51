import FrameMap
import MemoryUnits
import PhysicalLayout

/// What hangs together in a machine.
struct MachineCheck {
  let machine: MachineSpec
  let object: ReadObject

  func check(_ reading: inout Reading) {
    reading.facts = facts(reading.facts)
    guard let architecture = reading.facts.architecture else { return }
    let total = checkMemory(architecture, &reading)
    checkHoles(total, &reading)
    checkRoom(total, architecture, &reading)
    checkCommandLine(architecture, &reading)
  }

  private func facts(_ facts: Reading.Facts) -> Reading.Facts {
    var facts = facts
    facts.architecture = object.has("preset") && !object.good.contains("preset") ? nil : machine.architecture
    facts.hasRoom = object.has("room")
    facts.room = object.good.contains("room") ? machine.room : nil
    switch machine.source {
    case .memory(let nodes): facts.nodes = isMemoryKnown ? UInt32(nodes.count) : nil
    case .firmware: facts.nodes = 1
    case .capture:
      facts.nodes = nil
      // The capture knows of what machine it is.
      if !object.has("preset") { facts.architecture = nil }
    }
    if machine.commandLine.nodeOption != nil { facts.nodes = nil }
    return facts
  }

  private var isMemoryKnown: Bool { object.good.contains("memory") || !object.has("memory") }

  /// The machine's memory; nil where it is not known, or wrong.
  private func checkMemory(_ architecture: Architecture, _ reading: inout Reading) -> ByteCount? {
    guard case .memory(let nodes) = machine.source, isMemoryKnown else { return nil }
    let source = object.source(of: "memory")
    let base = architecture.baseShift.bytes
    // No sum of so few numbers that an address can hold goes beyond 64 bits.
    let most = architecture.addressLimit - PhysicalAddress(4 << 30)
    guard nodes.allSatisfy({ $0 <= most }), nodes.count <= 1024 else {
      reading.report(
        source, "\(architecture.name) has no machine with so much memory",
        allowed: "2M to \(most), in multiples of \(base) on each node")
      return nil
    }
    let memory = nodes.reduce(.zero, +)
    do throws(PhysicalMemory.Problem) {
      _ = try PhysicalMemory(total: memory, nodes: nodes.count > 1 ? nodes : [], architecture: architecture)
    } catch {
      reading.report(
        source, "\(architecture.name) has no machine with \(memory) of memory",
        allowed: "2M to \(most), in multiples of \(base) on each node")
      return nil
    }
    let frames = FrameCount(memory, architecture.baseShift, rounded: .down)
    let isAccounted = machine.policy.memmap == .accounted
    let descriptors = isAccounted ? architecture.descriptorSize * frames.rawValue : .zero
    guard machine.kernel < memory.saturatingSubtracting(descriptors) else {
      let parts = "\(machine.kernel)" + (isAccounted ? " and \(descriptors) of descriptors" : "")
      let key = object.has("kernel") ? "kernel" : "memory"
      reading.report(object.source(of: key), "\(memory) of memory is too little for the kernel, which takes \(parts)")
      return memory
    }
    return memory
  }

  private func checkCommandLine(_ architecture: Architecture, _ reading: inout Reading) {
    let sizes = machine.commandLine.hugePages.map(\.size) + [machine.commandLine.defaultHugePageSize]
    for case let size? in sizes where !architecture.hugeSizes.contains(size) {
      let allowed = architecture.hugeSizes.map(\.description).joined(separator: ", ")
      reading.report(
        object.source(of: "command-line"), "\(architecture.name) has no huge pages of \(size), of which the command line speaks",
        allowed: allowed)
    }
  }

  private func checkHoles(_ total: ByteCount?, _ reading: inout Reading) {
    guard let holes = machine.holes, object.good.contains("holes"), let total else { return }
    let bytes = holes.size.rawValue.multipliedReportingOverflow(by: UInt64(holes.count))
    guard bytes.overflow || bytes.partialValue >= total.rawValue else { return }
    reading.report(object.source(of: "holes"), "\(holes.count) holes of \(holes.size) leave nothing of \(total) of memory")
  }

  private func checkRoom(_ total: ByteCount?, _ architecture: Architecture, _ reading: inout Reading) {
    guard let room = machine.room, object.good.contains("room"), object.good.contains("model") || !object.has("model") else {
      return
    }
    let source = object.source(of: "room")
    guard machine.model.canChange else {
      let models = MemoryModel.allCases.filter(\.canChange).map(\.description).joined(separator: ", ")
      reading.report(source, "no memory can be added in the model \(machine.model); these can: \(models)")
      return
    }
    let pageblock = machine.policy.pageblockOrder ?? architecture.pageblockOrder
    let granule = machine.model == .vmemmap ? architecture.subsectionSize ?? architecture.sectionSize : architecture.sectionSize
    let least = max(ByteCount(pageblock.frames, architecture.baseShift), granule)
    let block = room.blockSize ?? architecture.smallestMemoryBlock
    if block < least {
      reading.report(source, "a memory block of \(block) is too small for the machine, whose blocks have at least \(least)")
    }
    let most = architecture.addressLimit - PhysicalAddress(4 << 30)
    guard let total, room.size > most - total else { return }
    reading.report(source, "\(architecture.name) has no addresses for \(room.size) beside \(total); at most \(most) in all")
  }
}
